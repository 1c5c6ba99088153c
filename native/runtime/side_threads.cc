#include "runtime/side_threads.h"

#include <utility>

#include "runtime/thread_start.h"

namespace engram::runtime {

void SideThreads::work_until_empty() {
  for (;;) {
    std::function<void()> work;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (waiting_.empty()) {
        --threads_;
        return;
      }
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work();
  }
}

Status SideThreads::run(std::function<void()> work) {
  const std::lock_guard<std::mutex> lock(mutex_);
  waiting_.push_back(std::move(work));
  if (threads_ == most_) return {};
  if (start_thread(first_number_ + threads_, [this] { work_until_empty(); })) {
    ++threads_;
    return {};
  }
  if (threads_ > 0) return {};  // those that run will come to it
  waiting_.pop_back();
  return {StatusCode::kOutOfMemory, "the system refused a thread that waits for a file or a device"};
}

}  // namespace engram::runtime
