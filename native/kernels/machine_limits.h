// What this machine could do at best, by small kernels of our own: the yardstick of the benchmarks.
#pragma once

#include "base/memory.h"
#include "base/status.h"

namespace engram::kernels {

struct MachineLimits {
  double fma_gflops;  // Float32 multiply-adds, widest instruction set; 1e9 operations/s, 2 for each
  double read_gbps;   // reading memory far larger than the caches; 1e9 bytes/s
  unsigned threads;   // that worked at the same time
};

// Measures again and again at little cost: what other work leaves of the machine changes from second
// to second, so a benchmark measures the limits in turn with what it compares to them. Not for use
// from two threads at once. Ignores ENGRAM_ISA: a limit is the machine's.
class LimitsProbe {
 public:
  // For `threads` threads of its own (0 counts as 1). Allocates and writes 512 MiB, or eight times
  // the L3 cache where that is more, or an eighth of the memory where that is less: about a second.
  // kOutOfMemory.
  static Result<LimitsProbe> create(unsigned threads);

  // One round each: a few milliseconds of multiply-adds, one read of the buffer.
  double fma_gflops() const;
  double read_gbps() const;
  unsigned threads() const noexcept { return threads_; }

 private:
  LimitsProbe(unsigned threads, AlignedBuffer buffer);
  unsigned threads_;
  AlignedBuffer buffer_;
};

// The best of several rounds, since other work on the machine can only make a round slower. All
// limits are 0 when the buffer cannot be allocated.
MachineLimits measure_machine_limits(unsigned threads);

}  // namespace engram::kernels
