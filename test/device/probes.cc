#include "device/probes.h"

#include <cuda_runtime.h>

#include "base/status.h"
#include "device/stopwatch.h"

namespace engram::device_test {
namespace {

void demand(cudaError_t error) {
  if (error != cudaSuccess) {
    throw Refusal(static_cast<int32_t>(StatusCode::kDevice), cudaGetErrorString(error));
  }
}

// FLOP per clock and multiprocessor of the matrix units with 16-bit factors, 0 where not known.
double products_per_clock(int major, int minor) {
  if (major == 8) return minor == 0 ? 2048 : 1024;
  if (major == 9) return 4096;
  if (major == 10) return 8192;
  return 0;
}

constexpr double kExponentialsPerClock = 16;  // of a multiprocessor

double copy_seconds(void* to, const void* from, uint64_t bytes, cudaMemcpyKind kind) {
  return measure([&] {
           demand(cudaMemcpyAsync(to, from, bytes, kind, nullptr));
           demand(cudaStreamSynchronize(nullptr));
         })
      .median;
}

}  // namespace

Limits probe_limits(const Device& device, uint64_t bytes) {
  demand(cudaSetDevice(static_cast<int>(device.number())));
  Limits limits;
  void* from = nullptr;
  void* to = nullptr;
  void* pinned = nullptr;
  demand(cudaMalloc(&from, bytes));
  demand(cudaMalloc(&to, bytes));
  demand(cudaHostAlloc(&pinned, bytes, cudaHostAllocDefault));
  demand(cudaMemset(from, 1, bytes));
  const auto moved = static_cast<double>(bytes);
  limits.bytes_per_second = 2 * moved / copy_seconds(to, from, bytes, cudaMemcpyDeviceToDevice);
  limits.upload_bytes_per_second = moved / copy_seconds(to, pinned, bytes, cudaMemcpyHostToDevice);
  demand(cudaFree(from));
  demand(cudaFree(to));
  demand(cudaFreeHost(pinned));

  int kilohertz = 0;
  demand(cudaDeviceGetAttribute(&kilohertz, cudaDevAttrClockRate, static_cast<int>(device.number())));
  const EngramDeviceFacts& facts = device.facts();
  limits.clock = 1e3 * kilohertz;
  const double clocks = limits.clock * facts.multiprocessors;
  limits.products_16 = clocks * products_per_clock(facts.compute_major, facts.compute_minor);
  limits.products_tf32 = limits.products_16 / 2;
  limits.exponentials = clocks * kExponentialsPerClock;
  return limits;
}

}  // namespace engram::device_test
