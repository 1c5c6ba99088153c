#include "runtime/file_threads.h"

#include <utility>

#include "runtime/side_threads.h"

namespace engram::runtime {

Status run_on_file_thread(std::function<void()> work) {
  constexpr unsigned kMost = 4;
  constexpr unsigned kFirstNumber = 1000;  // after the pool's in the threads' names
  static SideThreads* const kThreads =
      new SideThreads(kMost, kFirstNumber);  // leaked: a process may exit while one works
  return kThreads->run(std::move(work));
}

}  // namespace engram::runtime
