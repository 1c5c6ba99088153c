#include "cuda/devices.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <string>

#include "cuda/check.h"

namespace engram::cuda {
namespace {

constexpr int kLeastMajor = 8;  // compute capability: mma.sync of bf16 and tf32, cp.async

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// Why the driver gives no device, in the words of devices().
std::string reason(cudaError_t error) {
  if (error == cudaErrorNoDevice) return "no device";
  int driver = 0;
  int runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) return "no driver";
  if (error == cudaErrorInsufficientDriver) {
    return "driver too old: it supports CUDA " + version_text(driver) + ", at least " +
           version_text(runtime / 1000 * 1000) + " is needed";
  }
  return std::string("the driver refuses: ") + cudaGetErrorString(error);
}

}  // namespace

Result<uint32_t> count_devices() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  cudaGetLastError();
  if (error != cudaSuccess) return Status(StatusCode::kDevice, reason(error));
  if (count == 0) return Status(StatusCode::kDevice, "no device");
  return static_cast<uint32_t>(count);
}

Result<EngramDeviceFacts> device_facts(uint32_t device) {
  cudaDeviceProp properties{};
  const Status status = check(cudaGetDeviceProperties(&properties, static_cast<int>(device)), device,
                              "asking for its properties");
  if (!status.ok()) return status;
  EngramDeviceFacts facts{};
  std::copy_n(properties.name, std::min(sizeof facts.name, sizeof properties.name) - 1, facts.name);
  facts.memory_bytes = properties.totalGlobalMem;
  facts.l2_bytes = static_cast<uint64_t>(properties.l2CacheSize);
  facts.multiprocessors = static_cast<uint32_t>(properties.multiProcessorCount);
  facts.compute_major = properties.major;
  facts.compute_minor = properties.minor;
  if (properties.major < kLeastMajor) {
    return Status(StatusCode::kDevice, device_name(device) + " has compute capability " +
                                           std::to_string(properties.major) + "." +
                                           std::to_string(properties.minor) + "; at least 8.0 is needed");
  }
  return facts;
}

Status use_device(uint32_t device) {
  return check(cudaSetDevice(static_cast<int>(device)), device, "taking it into use");
}

}  // namespace engram::cuda
