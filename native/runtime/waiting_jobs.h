// Jobs whose slices wait for a device instead of computing.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <mutex>

#include "runtime/job.h"
#include "runtime/side_threads.h"

namespace engram::runtime {

// Runs jobs on threads beside the pool, so that waiting holds none of its threads; phases of more than one
// strand are shared with the pool. Interactive jobs go first, and batch ones leave them one thread. A job
// that is cancelled before its turn ends at once. An object of this kind lives for ever.
class WaitingJobs final : public JobHolder {
 public:
  // At most `most` (2 or more) jobs run at the same time.
  WaitingJobs(unsigned most, unsigned first_number) : most_(most), threads_(most, first_number) {}

  // Queues the job. Where memory or a thread is refused the pool runs it.
  void submit(std::shared_ptr<Job> job) noexcept;
  // Ends a job that waits here, and was cancelled.
  void let_go(const Job& job) noexcept override;

 private:
  using Queue = std::deque<std::shared_ptr<Job>>;

  void work();
  std::shared_ptr<Job> next();
  void ended(const Job& job);
  // Takes a job out of the queue; null where it is not in it.
  std::shared_ptr<Job> take_back(const Job& job) noexcept;
  Queue& queue_of(const Job& job) { return queues_[static_cast<size_t>(job.options().priority)]; }

  const unsigned most_;
  std::mutex mutex_;  // guards the rest
  std::array<Queue, 2> queues_;
  unsigned batch_running_ = 0;
  SideThreads threads_;
};

}  // namespace engram::runtime
