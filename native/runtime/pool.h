// The one worker pool of the process.
#pragma once

#include <memory>

#include "runtime/job.h"

namespace engram::runtime {

class Scheduler;

// The number of threads a text asks for, as in ENGRAM_THREADS: 1..1024 in decimal; 0 where it is null or
// asks for anything else.
unsigned parse_thread_count(const char* text) noexcept;

// Who works on what. Jobs stand in a line: interactive ones before batch ones, and within a priority in order
// of arrival. After every slice a thread goes to the first job in the line that has room for it, so an
// interactive job waits for one slice at most. A job's turn lasts 16 slices for every thread that could work
// on it; then it goes to the end of its priority's line. Short jobs are thus answered first come, first
// served, and a long job keeps nobody waiting for its end. A job has room for as many threads as it has
// free strands, and never for more than min(max_threads, threads()).
class Pool {
 public:
  // The process-wide pool. Threads start with the first job, not with the first call of this.
  // It is never destroyed: its threads are detached and touch only what lives for ever, so that the
  // process may exit while slices run. The child of a fork() has a pool of its own without jobs.
  static Pool& instance();

  // Threads that work on jobs: ENGRAM_THREADS (ignored where invalid), else
  // cpu_facts().usable_threads.
  unsigned threads() const noexcept;
  // Changes the number of threads (1..1024, else kRange); running jobs go on. Threads too many
  // retire after their slice. Results do not depend on it.
  Status configure(unsigned threads);

  // Queues the job. May be called from anywhere, also from inside a job's methods. The job is finished
  // with kOutOfMemory, inside this call, when it cannot be queued or no thread can be started.
  void submit(std::shared_ptr<Job> job);

  // Runs the job with the calling thread taking part (pool threads help with phases of more than one
  // strand; both together are at most threads()) and returns its status after finish() was called. A phase
  // of one strand runs on the calling thread, with no hand-over cost: it may wait for something without
  // holding a thread of the pool. May be called from inside a job's methods.
  Status run(std::shared_ptr<Job> job);

  // True when every pool thread is working or work waits for one.
  bool busy() const noexcept;

 private:
  explicit Pool(Scheduler* scheduler) : scheduler_(scheduler) {}
  static void forget_parent();  // in the child of a fork()
  Scheduler* scheduler_;        // leaked
};

}  // namespace engram::runtime
