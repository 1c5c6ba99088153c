#include "runtime/scheduler.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "base/cpu.h"
#include "runtime/thread_start.h"

namespace engram::runtime {
namespace {

// Waking a sleeping thread costs about this much, so waiting a little for the next job is worth it.
constexpr std::chrono::nanoseconds kSpin = std::chrono::microseconds(30);

}  // namespace

// ---- what the pool asks ----

bool Scheduler::queue(const std::shared_ptr<Job>& job) {
  std::shared_ptr<Task> task;
  Lock lock(mutex_, std::defer_lock);
  try {
    task = std::make_shared<Task>(job);
    lock.lock();
    line_.enter(task);
  } catch (const std::bad_alloc&) {
    return false;
  }
  ++waiting_;
  Wakeups wakeups = plan_wakeups();
  if (started_ == 0) {
    --waiting_;
    line_.leave(*task);
    return false;
  }
  lock.unlock();
  wakeups.raise_all();
  return true;
}

bool Scheduler::work_together(const std::shared_ptr<Job>& job, size_t strands) {
  std::shared_ptr<Task> task;
  try {
    task = std::make_shared<Task>(job, strands);
    const Lock lock(mutex_);
    if (task->limit(target_) == 1) return false;
    line_.enter(task);
  } catch (const std::bad_alloc&) {
    return false;
  }
  take_part(task);
  return true;
}

void Scheduler::take_part(const std::shared_ptr<Task>& task) {
  Lock lock(mutex_);
  while (task->stage != Task::Stage::kDone) {
    if (task->room(target_) > 0) {
      visit(task, lock, /*free=*/false);
      continue;
    }
    task->caller_waits = true;
    lock.unlock();
    rest(task->caller_signal);
    lock.lock();
  }
}

void Scheduler::resize(unsigned threads) {
  Lock lock(mutex_);
  target_ = threads;
  // Threads too many that sleep must wake to retire.
  for (unsigned surplus = started_ > threads ? started_ - threads : 0; surplus > 0 && !idle_.empty();
       --surplus) {
    idle_.back()->signal.raise();
    idle_.pop_back();
    ++arriving_;
  }
  let_go(lock);
}

// ---- work on one task ----

void Scheduler::visit(const std::shared_ptr<Task>& task, Lock& lock, bool free) {
  ++task->workers;
  if (task->stage == Task::Stage::kNew) {
    --waiting_;
    if (!task->stopped()) advance(*task, lock, /*begun=*/false);
  }
  size_t strand = Task::kNoStrand;
  while (task->stage == Task::Stage::kStrands && !task->stopped()) {
    if (strand == Task::kNoStrand) strand = task->take_strand();
    if (strand == Task::kNoStrand) break;
    if (task->room(target_) > 0) wake_caller(*task);
    let_go(lock);
    const bool ended = task->job->run_slice_guarded(strand);
    lock.lock();
    line_.count_slice(*task, target_);
    if (ended) {
      strand = Task::kNoStrand;
      if (task->end_strand() && !task->stopped()) end_phase(*task, lock);
    }
    const bool leaves = free && (started_ > target_ || !line_.goes_first(*task, target_));
    if (leaves && (strand == Task::kNoStrand || task->set_aside(strand))) break;
  }
  --task->workers;
  const bool over = task->stopped() || task->stage == Task::Stage::kEnded;
  if (over && task->workers == 0) {
    conclude(task, lock);
  } else if (task->room(target_) > 0) {
    wake_caller(*task);
  }
}

// The next phase of what a caller shares is named by the caller: it may be one that only its thread is to
// run.
void Scheduler::end_phase(Task& task, Lock& lock) {
  if (task.is_whole_job) {
    advance(task, lock, /*begun=*/true);
  } else {
    task.stage = Task::Stage::kEnded;
  }
}

// Lets the job name its next phase, outside the lock.
void Scheduler::advance(Task& task, Lock& lock, bool begun) {
  task.stage = Task::Stage::kAlone;
  let_go(lock);
  const size_t strands = begun ? task.job->next_phase_guarded() : task.job->begin_guarded();
  lock.lock();
  task.open_phase(strands);
}

void Scheduler::conclude(const std::shared_ptr<Task>& task, Lock& lock) {
  task->stage = Task::Stage::kAlone;
  // Ready for the next job before this one's caller hears of the end.
  line_.leave(*task);
  if (task->is_whole_job) {
    let_go(lock);
    (void)task->job->conclude();
    lock.lock();
  }
  task->stage = Task::Stage::kDone;
  wake_caller(*task);
}

// ---- threads ----

void Scheduler::wake_caller(Task& task) {
  if (!task.caller_waits) return;
  task.caller_waits = false;
  task.caller_signal.raise();
}

// Waits for the signal, outside the lock. At least one processor is left to the host program's own threads:
// no more than the others may be spun on.
void Scheduler::rest(WakeSignal& signal) {
  const unsigned processors = cpu_facts().usable_threads;
  if (target_ <= processors) {
    if (spinning_.fetch_add(1) + 1 < processors) signal.spin(kSpin);
    spinning_.fetch_sub(1);
  }
  signal.wait();
}

Scheduler::Wakeups Scheduler::plan_wakeups() {
  Wakeups wakeups;
  if (idle_.empty() && started_ >= target_) return wakeups;
  const size_t room = line_.room(target_, arriving_ + Wakeups::kMost);
  while (arriving_ < room && !wakeups.full()) {
    if (!idle_.empty()) {
      wakeups.add(idle_.back()->signal);
      idle_.pop_back();
      ++arriving_;
    } else if (started_ >= target_ || !start_worker()) {
      break;
    }
  }
  return wakeups;
}

void Scheduler::let_go(Lock& lock) {
  Wakeups wakeups = plan_wakeups();
  lock.unlock();
  wakeups.raise_all();
}

bool Scheduler::start_worker() {
  auto slot = std::find_if(workers_.begin(), workers_.end(), [](const auto& w) { return !w->alive; });
  try {
    if (slot == workers_.end()) {
      idle_.reserve(workers_.size() + 1);  // so that falling idle never needs memory
      auto worker = std::make_unique<Worker>();
      worker->number = static_cast<unsigned>(workers_.size());
      slot = workers_.insert(workers_.end(), std::move(worker));
    }
    Worker& worker = **slot;
    if (!start_thread(worker.number, [this, &worker] { work(worker); })) return false;
    worker.alive = true;
  } catch (const std::bad_alloc&) {
    return false;
  }
  ++started_;
  ++arriving_;
  return true;
}

void Scheduler::work(Worker& me) {
  Lock lock(mutex_);
  --arriving_;
  while (started_ <= target_) {
    std::shared_ptr<Task> task = line_.first_with_room(target_);
    if (task != nullptr) {
      ++occupied_;
      visit(task, lock, /*free=*/true);
      --occupied_;
      lock.unlock();
      task.reset();  // may destroy the job, which may take its time
      lock.lock();
      continue;
    }
    idle_.push_back(&me);
    lock.unlock();
    rest(me.signal);
    lock.lock();
    --arriving_;
  }
  --started_;
  me.alive = false;
  let_go(lock);  // somebody else comes if this thread was woken for work
}

}  // namespace engram::runtime
