// Brings the pool's threads and its tasks together.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "base/status.h"
#include "runtime/line.h"
#include "runtime/task.h"
#include "runtime/wake_signal.h"

namespace engram::runtime {

// One lock guards all decisions: they are taken between slices, that is about once in a millisecond for each
// thread, and are short. A job's methods are always called without it.
class Scheduler {
 public:
  explicit Scheduler(unsigned threads) : target_(threads) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  // Never destroyed: detached threads use it. See pool.h.
  ~Scheduler() = delete;

  unsigned threads() const noexcept { return target_; }
  bool busy() const noexcept { return occupied_ >= target_ || waiting_ > 0; }
  void resize(unsigned threads);

  // Puts a new job into the line. False, and the job is not touched, when memory or threads are refused.
  bool queue(const std::shared_ptr<Job>& job);
  // Works on a phase of `strands` strands together with pool threads, until it is over or the job has
  // stopped. False, and the job is not touched, when only one thread may work on it or memory is refused.
  bool work_together(const std::shared_ptr<Job>& job, size_t strands);

 private:
  using Lock = std::unique_lock<std::mutex>;

  struct Worker {
    unsigned number = 0;
    bool alive = false;
    WakeSignal signal;
  };

  // Signals to raise once the lock is released, so that those woken do not run into it.
  class Wakeups {
   public:
    static constexpr size_t kMost = 2;  // each woken thread wakes two more: log2(n) steps wake all
    bool full() const noexcept { return count_ == kMost; }
    void add(WakeSignal& signal) noexcept { signals_[count_++] = &signal; }
    void raise_all() const noexcept {
      for (size_t i = 0; i < count_; ++i) signals_[i]->raise();
    }

   private:
    std::array<WakeSignal*, kMost> signals_{};
    size_t count_ = 0;
  };

  // Works on a caller's task until it is done.
  void take_part(const std::shared_ptr<Task>& task);
  // Works on the task as long as it has something for this thread and, where the thread is one of the
  // pool's (`free`), no other task goes first. Takes and leaves the lock held.
  void visit(const std::shared_ptr<Task>& task, Lock& lock, bool free);
  void end_phase(Task& task, Lock& lock);
  void advance(Task& task, Lock& lock, bool begun);
  void conclude(const std::shared_ptr<Task>& task, Lock& lock);

  // Chooses the threads to wake for the work that waits, starting them where they do not exist yet.
  Wakeups plan_wakeups();
  // Unlocks and wakes them. Whoever goes off to work calls this, so work that waits finds its threads.
  void let_go(Lock& lock);
  void wake_caller(Task& task);
  void rest(WakeSignal& signal);
  bool start_worker();
  void work(Worker& me);

  // Written under the mutex, read by anyone.
  std::atomic<unsigned> target_;       // threads there should be
  std::atomic<unsigned> occupied_{0};  // pool threads inside a task
  std::atomic<size_t> waiting_{0};     // tasks nobody has begun

  std::atomic<unsigned> spinning_{0};  // threads looking for a signal instead of sleeping

  std::mutex mutex_;  // guards all that follows, and the tasks
  Line line_;
  std::vector<std::unique_ptr<Worker>> workers_;  // by number; kept when the thread has retired
  std::vector<Worker*> idle_;                     // the one that fell idle last is woken first
  unsigned started_ = 0;                          // threads alive
  unsigned arriving_ = 0;                         // woken or started, and not yet here
};

}  // namespace engram::runtime
