// A job: heavy work cut into slices that the pool interleaves.
//
// A job runs in phases. A phase has a number of strands; a strand is a chain of slices that must run
// one after the other (it carries state), different strands may run at the same time. When the last
// strand of a phase has ended the job names the next phase, or ends. What the strands are depends
// on the input alone, never on the number of threads: that is what makes results bit-identical for
// any pool size. A slice aims at about 1 ms of work: it bounds how late a cancellation is seen
// and how long an interactive job waits behind a batch one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "base/status.h"

namespace engram::runtime {

enum class Priority : uint8_t { kInteractive = 0, kBatch = 1 };

// What every heavy call carries besides its own arguments.
struct CallOptions {
  Priority priority = Priority::kInteractive;
  unsigned max_threads = 0;  // 0: as many as the pool has
  // Called from pool threads, at most ten times a second and once at the end, never concurrently.
  std::function<void(uint64_t done, uint64_t total)> on_progress;
};

class Job;

// Where jobs wait that the pool knows nothing of yet.
class JobHolder {
 public:
  // Told of a job that waits there and was cancelled, on the thread that cancelled it. The job may be
  // elsewhere by then.
  virtual void let_go(const Job& job) noexcept = 0;

 protected:
  ~JobHolder() = default;
};

// What the exception being handled stands for, see the class below. Needs no memory.
Status status_of_current_exception() noexcept;

class Job : public std::enable_shared_from_this<Job> {
 public:
  explicit Job(CallOptions options = {}) : options_(std::move(options)) {}
  virtual ~Job() = default;

  // ---- what a job implements; called by the pool, on any of its threads ----
  //
  // An exception that leaves begin, run_slice, next_phase or on_progress fails the job: std::bad_alloc and
  // std::length_error as kOutOfMemory, std::system_error as kIo with its errno, anything else as kDevice.

  // Decides the first phase and returns its number of strands (0: nothing to do). Runs when a thread
  // first has time for the job, so that work may be gathered until then.
  virtual size_t begin() = 0;
  // Runs the next slice of `strand`. Returns true when the strand has ended. Never called for the
  // same strand from two threads at once.
  virtual bool run_slice(size_t strand) = 0;
  // All strands of the phase have ended: returns the number of strands of the next, 0 when done.
  virtual size_t next_phase() = 0;
  // Called exactly once, last, whatever happened: with the first failure, else kAborted where the job was
  // cancelled (also when its work was done by then), else success. No slice runs any more. Must not
  // throw: nobody is left to tell, so an exception is dropped.
  virtual void finish(const Status& status) = 0;

  // ---- what others may call, from any thread, at any time ----

  // Asks the job to stop; slices already running end normally, no further one starts.
  // A job that waits is finished by the next thread that ends a slice.
  void cancel() noexcept;
  // Says where the job waits for its turn; the holder lives for ever.
  void wait_in(JobHolder& holder) noexcept { holder_.store(&holder); }
  bool cancelled() const noexcept { return cancelled_.load(); }
  const CallOptions& options() const noexcept { return options_; }
  // The first failure reported, or ok.
  Status status() const;
  // Jobs cancelled so far in this process: a change tells the pool to look for them.
  static uint64_t cancellations() noexcept { return cancellations_.load(); }

 protected:
  // Reports a failure from inside begin/run_slice/next_phase: no further slice starts.
  void fail(Status status);
  // Progress in units of the job's choice; cheap, calls on_progress at most every 100 ms. The pool adds
  // a last report of (total, total) when the job succeeds.
  void set_total(uint64_t total) noexcept { total_.store(total, std::memory_order_relaxed); }
  void add_done(uint64_t units);

 private:
  friend class Pool;
  friend class Scheduler;
  friend class Task;

  // What the pool calls: the methods above with their exceptions turned into failures.
  size_t begin_guarded() noexcept;
  bool run_slice_guarded(size_t strand) noexcept;
  size_t next_phase_guarded() noexcept;
  // Reports the end to on_progress and finish, and returns what finish was told.
  Status conclude() noexcept;

  void fail_with_current_exception() noexcept { fail(status_of_current_exception()); }
  bool stopped() const noexcept { return cancelled() || failed_.load(std::memory_order_relaxed); }

  static std::atomic<uint64_t> cancellations_;

  CallOptions options_;
  std::atomic<bool> cancelled_{false};
  std::atomic<JobHolder*> holder_{nullptr};
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_;  // guards status_
  Status status_;
  std::atomic<uint64_t> total_{0};
  std::atomic<uint64_t> done_{0};
  std::atomic<int64_t> last_report_ns_{0};  // 0: nothing done yet
  std::atomic<bool> reporting_{false};      // held by the thread inside on_progress
};

}  // namespace engram::runtime
