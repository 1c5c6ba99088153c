// Threads for work that waits: for files, for devices.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "base/status.h"

namespace engram::runtime {

// A few threads beside the compute pool, so that whoever waits never holds a thread of the pool. They start
// with the work, stay a while for the next, and end. An object of this kind lives for ever.
class SideThreads {
 public:
  // At most `most` pieces of work run at the same time. Threads are named from `first_number` on.
  SideThreads(unsigned most, unsigned first_number) : most_(most), first_number_(first_number) {}

  // Runs `work` as soon as a thread is free, in the order of the calls. kOutOfMemory when the system refuses
  // memory, or even one thread; `work` is dropped then.
  Status run(std::function<void()> work) noexcept;

 private:
  void work_while_there_is_some();

  const unsigned most_;
  const unsigned first_number_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::function<void()>> waiting_;
  unsigned threads_ = 0;
  unsigned idle_ = 0;  // of them, waiting for work
};

}  // namespace engram::runtime
