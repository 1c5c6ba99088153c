// Parallel parts of sequential algorithms.
#pragma once

#include <cstddef>
#include <functional>

#include "base/status.h"
#include "runtime/job.h"

namespace engram::runtime {

// How a sequential algorithm uses the pool for its parallel parts. One thread of the algorithm's own, not one
// of the pool's, runs it.
struct Parallel {
  Priority priority = Priority::kInteractive;
  unsigned max_threads = 0;          // 0: as many as the pool has
  std::function<bool()> keep_going;  // asked from pool threads, may be empty; false: stop with kAborted
};

// Calls work(item) for every item below `items`, again and again until it returns true; one call is about 1
// ms of work at most. Different items may run at the same time. The calling thread takes part. The first
// failure ends it.
Status run_parallel(size_t items, const std::function<Result<bool>(size_t item)>& work,
                    const Parallel& parallel);

}  // namespace engram::runtime
