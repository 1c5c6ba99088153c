// A job on its way through the pool: which of its strands are free, running, set aside or ended.
#pragma once

#include <cstddef>
#include <limits>
#include <list>
#include <memory>
#include <vector>

#include "runtime/job.h"
#include "runtime/wake_signal.h"

namespace engram::runtime {

// Plain bookkeeping. Everything but `job` and `caller_signal` is guarded by the mutex of the pool.
class Task {
 public:
  static constexpr size_t kNoStrand = std::numeric_limits<size_t>::max();

  enum class Stage {
    kNew,      // begin() has not been called
    kAlone,    // one thread is inside begin(), next_phase() or finish(): nothing for others to do
    kStrands,  // the strands of a phase are being worked on
    kEnded,    // no phase follows here: only finish() is missing, or the caller goes on
    kDone,     // nobody works on it any more
  };

  // A job from its beginning to its end.
  explicit Task(std::shared_ptr<Job> job_) : job(std::move(job_)), is_whole_job(true) {}
  // One phase of a job, of `strands` strands; what comes before and after it is its caller's.
  Task(std::shared_ptr<Job> job_, size_t strands) : job(std::move(job_)), is_whole_job(false) {
    open_phase(strands);
  }

  // The number of further threads that would find something to do, of a pool of `pool_threads`.
  size_t room(unsigned pool_threads) const noexcept;
  // Most threads that may work on it at the same time.
  unsigned limit(unsigned pool_threads) const noexcept;
  bool stopped() const noexcept { return job->stopped(); }

  // Starts a phase of `strands` strands; 0 ends the task.
  void open_phase(size_t strands) noexcept;
  // A strand for the thread that asks; kNoStrand when all are taken.
  size_t take_strand() noexcept;
  // Sets a strand aside between two slices. False when there is no memory to note it: go on with it.
  bool set_aside(size_t strand) noexcept;
  // Notes that a strand has ended; true when it was the last of its phase.
  bool end_strand() noexcept { return --unfinished_ == 0; }

  const std::shared_ptr<Job> job;
  const bool is_whole_job;
  Stage stage = Stage::kNew;
  unsigned workers = 0;  // threads inside
  uint64_t slices_in_turn = 0;
  size_t rank = 0;  // with `place`, where it stands in the pool's line
  std::list<std::shared_ptr<Task>>::iterator place;

  // For a thread that waits in Pool::run until there is something to do for it, or the task is done.
  bool caller_waits = false;
  WakeSignal caller_signal;

 private:
  size_t strands_ = 0;
  size_t next_ = 0;                // strands [next_, strands_) have not been started
  std::vector<size_t> set_aside_;  // started, and waiting for a thread
  size_t unfinished_ = 0;
};

}  // namespace engram::runtime
