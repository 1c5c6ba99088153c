#include "runtime/side_threads.h"

#include <chrono>
#include <new>
#include <utility>

#include "runtime/thread_start.h"

namespace engram::runtime {
namespace {

// A new thread takes longer to come than a short call to a device.
constexpr std::chrono::milliseconds kStay{200};

}  // namespace

void SideThreads::work_while_there_is_some() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    ++idle_;
    // By the system's clock: waiting by the steady one needs glibc 2.30. Where it is set, a thread stays for
    // longer or shorter.
    const auto end = std::chrono::system_clock::now() + kStay;
    const bool found = more_.wait_until(lock, end, [this] { return !waiting_.empty(); });
    --idle_;
    if (!found) break;
    const std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
  --threads_;
}

Status SideThreads::run(std::function<void()> work) noexcept {
  const Status refused{StatusCode::kOutOfMemory,
                       "the system refused a thread that waits for a file or a device"};
  try {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(work));
    if (waiting_.size() <= idle_) {
      more_.notify_one();
      return {};
    }
    if (threads_ == most_) return {};
    if (start_thread(first_number_ + threads_, [this] { work_while_there_is_some(); })) {
      ++threads_;
      return {};
    }
    if (threads_ > 0) return {};  // those that run will come to it
    waiting_.pop_back();
    return refused;
  } catch (const std::bad_alloc&) {
    return refused;
  }
}

}  // namespace engram::runtime
