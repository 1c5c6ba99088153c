#include "kernels/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "kernels/dispatch.h"
#include "kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/machine_limits.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace engram::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Independent chains of multiply-adds: enough to hide a latency of 4 cycles on two or even four
// units, few enough for the registers: 12 and the two factors where there are 16, else 24.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr size_t kChains = 24;
#else
inline constexpr size_t kChains = 12;
#endif

// Runs `rounds` multiply-adds on every chain and returns the number of floating-point operations.
// `sink` gets a value that depends on all of them. Values stay near 1: no denormals, no overflow.
double multiply_add(size_t rounds, float* sink) {
  const D d;
  const V factor = hn::Set(d, 0.999F);
  const V term = hn::Set(d, 0.001F);
  V chain[kChains];
  for (size_t c = 0; c < kChains; ++c) chain[c] = hn::Set(d, 1.0F + 0.01F * static_cast<float>(c));
  for (size_t i = 0; i < rounds; ++i) {
    HWY_UNROLL(32)
    for (size_t c = 0; c < kChains; ++c) chain[c] = hn::MulAdd(chain[c], factor, term);
  }
  V all = chain[0];
  for (size_t c = 1; c < kChains; ++c) all = hn::Add(all, chain[c]);
  *sink = hn::GetLane(hn::SumOfLanes(d, all));
  return 2.0 * static_cast<double>(rounds * kChains * hn::Lanes(d));
}

// Sum of `count` floats, read once: two streams of four vectors each (measured: 10 to 25 % faster
// than one stream, and no other number of streams or prefetch distance was faster). Leaves out what
// does not fill eight vectors.
float read_all(const float* HWY_RESTRICT data, size_t count) {
  const D d;
  constexpr size_t kVectors = 4;
  const size_t step = kVectors * hn::Lanes(d);
  const size_t half = count / 2 / step * step;
  V first[kVectors];
  V second[kVectors];
  for (size_t v = 0; v < kVectors; ++v) first[v] = second[v] = hn::Zero(d);
  for (size_t i = 0; i < half; i += step) {
    HWY_UNROLL(4)
    for (size_t v = 0; v < kVectors; ++v) {
      first[v] = hn::Add(first[v], hn::LoadU(d, data + i + v * hn::Lanes(d)));
      second[v] = hn::Add(second[v], hn::LoadU(d, data + half + i + v * hn::Lanes(d)));
    }
  }
  V all = hn::Zero(d);
  for (size_t v = 0; v < kVectors; ++v) all = hn::Add(all, hn::Add(first[v], second[v]));
  return hn::GetLane(hn::SumOfLanes(d, all));
}

}  // namespace HWY_NAMESPACE
}  // namespace engram::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace engram::kernels {
namespace {

struct Kernels {
  double (*multiply_add)(size_t rounds, float* sink);
  float (*read_all)(const float* data, size_t count);
};

Kernels widest() {
  const std::string isa = available_isas().front();
#if HWY_TARGETS & HWY_AVX3
  if (isa == "avx512") return {N_AVX3::multiply_add, N_AVX3::read_all};
#endif
#if HWY_TARGETS & HWY_AVX2
  if (isa == "avx2") return {N_AVX2::multiply_add, N_AVX2::read_all};
#endif
#if HWY_TARGETS & HWY_SSE4
  if (isa == "sse4") return {N_SSE4::multiply_add, N_SSE4::read_all};
#endif
  return {HWY_STATIC_DISPATCH(multiply_add), HWY_STATIC_DISPATCH(read_all)};
}

// Calls work(thread) on `threads` threads that start together; returns the seconds until the last
// one has ended.
template <typename Work>
double seconds_together(unsigned threads, const Work& work) {
  using Clock = std::chrono::steady_clock;
  std::atomic<unsigned> ready{0};
  std::atomic<bool> go{false};
  std::vector<Clock::time_point> ends(threads);
  const auto run = [&](unsigned t) {
    ready.fetch_add(1);
    while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
    work(t);
    ends[t] = Clock::now();
  };
  std::vector<std::thread> others;
  for (unsigned t = 1; t < threads; ++t) others.emplace_back(run, t);
  while (ready.load() + 1 < threads) std::this_thread::yield();
  const auto start = Clock::now();
  go.store(true, std::memory_order_release);
  run(0);
  for (std::thread& other : others) other.join();
  return std::chrono::duration<double>(*std::max_element(ends.begin(), ends.end()) - start).count();
}

constexpr size_t kPart = size_t{2} << 20;  // each thread reads whole huge pages

size_t buffer_bytes(unsigned threads) {
  const CpuFacts& cpu = cpu_facts();
  const size_t wanted = std::max<size_t>(size_t{512} << 20, 8 * cpu.l3_bytes);
  const size_t share = std::min(wanted, cpu.memory_bytes / 8) / threads / kPart * kPart;
  return std::max(share, kPart) * threads;
}

}  // namespace

LimitsProbe::LimitsProbe(unsigned threads, AlignedBuffer buffer)
    : threads_(threads), buffer_(std::move(buffer)) {
  // Pages never written would all be the one zero page of the system.
  float* data = buffer_.as<float>();
  const size_t line = kAlignment / sizeof(float);
  for (size_t i = 0; i < buffer_.size() / sizeof(float); i += line) data[i] = 1.0F;
}

Result<LimitsProbe> LimitsProbe::create(unsigned threads) {
  threads = std::max(threads, 1U);
  Result<AlignedBuffer> buffer = AlignedBuffer::allocate(buffer_bytes(threads));
  if (!buffer.ok()) return buffer.status();
  return LimitsProbe(threads, std::move(buffer).value());
}

double LimitsProbe::fma_gflops() const {
  constexpr size_t kMultiplyAdds = size_t{1} << 20;  // per chain: a few ms in all
  const Kernels kernels = widest();
  std::vector<float> sinks(threads_ * kAlignment);  // a cache line and more for each
  std::vector<double> operations(threads_ * kAlignment);
  const double seconds = seconds_together(threads_, [&](unsigned t) {
    operations[t * kAlignment] = kernels.multiply_add(kMultiplyAdds, &sinks[t * kAlignment]);
  });
  return std::accumulate(operations.begin(), operations.end(), 0.0) / seconds * 1e-9;
}

double LimitsProbe::read_gbps() const {
  const Kernels kernels = widest();
  const size_t part = buffer_.size() / sizeof(float) / threads_;
  std::vector<float> sums(threads_ * kAlignment);
  const double seconds = seconds_together(threads_, [&](unsigned t) {
    sums[t * kAlignment] = kernels.read_all(buffer_.as<float>() + part * t, part);
  });
  return static_cast<double>(part * threads_ * sizeof(float)) / seconds * 1e-9;
}

MachineLimits measure_machine_limits(unsigned threads) {
  constexpr int kRounds = 9;
  MachineLimits best{0, 0, std::max(threads, 1U)};
  const Result<LimitsProbe> probe = LimitsProbe::create(threads);
  if (!probe.ok()) return best;
  for (int round = 0; round < kRounds; ++round) {
    best.fma_gflops = std::max(best.fma_gflops, probe.value().fma_gflops());
    best.read_gbps = std::max(best.read_gbps, probe.value().read_gbps());
  }
  return best;
}

}  // namespace engram::kernels
#endif  // HWY_ONCE
