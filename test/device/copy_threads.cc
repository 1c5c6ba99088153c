#include "device/copy_threads.h"

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <thread>

namespace engram::device_test {
namespace {

constexpr uint64_t kAlone = 1 << 20;  // bytes that are not worth waking others for
constexpr unsigned kMostThreads = 8;

class CopyThreads {
 public:
  CopyThreads() : count_(std::clamp(std::thread::hardware_concurrency() / 2, 1U, kMostThreads)) {
    for (unsigned i = 1; i < count_; ++i) std::thread([this, i] { serve(i); }).detach();
  }

  void copy(void* to, const void* from, uint64_t bytes) {
    const std::lock_guard<std::mutex> one_at_a_time(callers_);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      job_ = {static_cast<std::byte*>(to), static_cast<const std::byte*>(from), bytes};
      busy_ = count_ - 1;
      ++round_;
    }
    wake_.notify_all();
    copy_share(job_, 0);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
  }

 private:
  struct Job {
    std::byte* to;
    const std::byte* from;
    uint64_t bytes;
  };

  void serve(unsigned index) {
    uint64_t served = 0;
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return round_ != served; });
      served = round_;
      const Job job = job_;
      lock.unlock();
      copy_share(job, index);
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  void copy_share(const Job& job, unsigned index) const {
    const uint64_t begin = job.bytes * index / count_;
    const uint64_t end = job.bytes * (index + 1) / count_;
    std::memcpy(job.to + begin, job.from + begin, end - begin);
  }

  const unsigned count_;
  std::mutex callers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  Job job_{};
  uint64_t round_ = 0;
  unsigned busy_ = 0;
};

}  // namespace

void copy_by_threads(void* to, const void* from, uint64_t bytes) {
  if (bytes <= kAlone) {
    std::memcpy(to, from, bytes);
    return;
  }
  static CopyThreads* const kThreads = new CopyThreads();  // leaked: its threads never end
  kThreads->copy(to, from, bytes);
}

}  // namespace engram::device_test
