#include "runtime/pool.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "runtime/task.h"
#include "runtime/thread_start.h"
#include "runtime/wake_signal.h"

namespace engram::runtime {
namespace {

constexpr unsigned kMaxThreads = 1024;
constexpr uint64_t kSlicesPerTurn = 16;  // for every thread that could work on the job
// Waking a sleeping thread costs about this much, so waiting a little for the next job is worth it.
constexpr std::chrono::nanoseconds kSpin = std::chrono::microseconds(30);

using TaskPtr = std::shared_ptr<Task>;
using Line = std::list<TaskPtr>;
using Lock = std::unique_lock<std::mutex>;

unsigned default_threads() {
  const unsigned usable = std::min(cpu_facts().usable_threads, kMaxThreads);
  const char* const text = std::getenv("ENGRAM_THREADS");
  if (text == nullptr) return usable;
  unsigned wanted = 0;
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, wanted);
  const bool valid = error == std::errc() && stop == end && wanted >= 1 && wanted <= kMaxThreads;
  return valid ? wanted : usable;
}

struct Worker {
  unsigned number = 0;
  bool alive = false;
  WakeSignal signal;
};

// Signals to raise once the lock is released, so that who wakes does not run into it.
class Wakeups {
 public:
  static constexpr size_t kMost = 2;  // each woken thread wakes two more: all are up in log2(n) steps
  bool full() const noexcept { return count_ == kMost; }
  void add(WakeSignal& signal) noexcept { signals_[count_++] = &signal; }
  void raise_all() noexcept {
    for (size_t i = 0; i < count_; ++i) signals_[i]->raise();
    count_ = 0;
  }

 private:
  std::array<WakeSignal*, kMost> signals_{};
  size_t count_ = 0;
};

}  // namespace

struct Pool::State {
  explicit State(unsigned threads) : target(threads) {}

  void resize(unsigned threads);
  // Puts a new job into the line. False, and the job is not touched, when memory or threads are refused.
  bool queue(const std::shared_ptr<Job>& job);
  // Puts a job whose phase has `strands` strands into the line, for pool threads to help its caller. Null,
  // and the job is not touched, when only one thread may work on it or memory is refused.
  TaskPtr share(const std::shared_ptr<Job>& job, size_t strands);
  // Works on a shared task until it is done.
  Status take_part(const TaskPtr& task);

  // Written under the mutex, read by anyone.
  std::atomic<unsigned> target;
  std::atomic<unsigned> occupied{0};  // pool threads inside a task
  std::atomic<size_t> waiting{0};     // tasks nobody has begun

 private:
  Line& line(const Task& task) { return lines[static_cast<size_t>(task.job->options().priority)]; }
  void enqueue(const TaskPtr& task) { task->place = line(*task).insert(line(*task).end(), task); }
  TaskPtr first_with_room();
  bool goes_first(const Task& task);
  void bring_cancelled_forward();
  void count_slice(Task& task);

  // Works on the task as long as it has something for this thread and, where the thread is one of the
  // pool's (`free`), no other task goes first. Takes and leaves the lock held.
  void visit(const TaskPtr& task, Lock& lock, bool free);
  void advance(Task& task, Lock& lock, bool begun);
  void conclude(const TaskPtr& task, Lock& lock);

  // Chooses the threads to wake for the work that waits, starting them where they do not exist yet.
  Wakeups plan_wakeups();
  void wake_caller(Task& task);
  void rest(WakeSignal& signal);
  bool start_worker();
  void work(Worker& me);

  std::mutex mutex;  // guards all that follows, and the tasks
  std::array<Line, 2> lines;  // by priority
  std::vector<std::unique_ptr<Worker>> workers;  // by number; kept when the thread has retired
  std::vector<Worker*> idle;                     // the one that fell idle last is woken first
  unsigned started = 0;                          // threads alive
  unsigned arriving = 0;                         // woken or started, and not yet here
  std::atomic<unsigned> spinning{0};
  uint64_t cancellations_seen = 0;
};

// ---- what the pool asks ----

bool Pool::State::queue(const std::shared_ptr<Job>& job) {
  TaskPtr task;
  Lock lock(mutex, std::defer_lock);
  try {
    task = std::make_shared<Task>(job);
    lock.lock();
    enqueue(task);
  } catch (const std::bad_alloc&) {
    return false;
  }
  ++waiting;
  Wakeups wakeups = plan_wakeups();
  if (started == 0) {
    --waiting;
    line(*task).erase(task->place);
    return false;
  }
  lock.unlock();
  wakeups.raise_all();
  return true;
}

TaskPtr Pool::State::share(const std::shared_ptr<Job>& job, size_t strands) {
  try {
    auto task = std::make_shared<Task>(job);
    task->open_phase(strands);
    const Lock lock(mutex);
    if (task->limit(target) == 1) return nullptr;
    enqueue(task);
    return task;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

Status Pool::State::take_part(const TaskPtr& task) {
  Lock lock(mutex);
  while (task->stage != Task::Stage::kDone) {
    if (task->room(target) > 0) {
      visit(task, lock, /*free=*/false);
      continue;
    }
    task->caller_waits = true;
    lock.unlock();
    rest(task->caller_signal);
    lock.lock();
  }
  return task->outcome;
}

void Pool::State::resize(unsigned threads) {
  Lock lock(mutex);
  target = threads;
  // Threads too many that sleep must wake to retire.
  for (unsigned surplus = started > threads ? started - threads : 0; surplus > 0 && !idle.empty();
       --surplus) {
    idle.back()->signal.raise();
    idle.pop_back();
    ++arriving;
  }
  Wakeups wakeups = plan_wakeups();
  lock.unlock();
  wakeups.raise_all();
}

// ---- the line ----

TaskPtr Pool::State::first_with_room() {
  bring_cancelled_forward();
  for (const Line& tasks : lines) {
    for (const TaskPtr& task : tasks) {
      if (task->room(target) > 0) return task;
    }
  }
  return nullptr;
}

bool Pool::State::goes_first(const Task& task) {
  bring_cancelled_forward();
  for (const Line& tasks : lines) {
    for (const TaskPtr& other : tasks) {
      if (other.get() == &task) return true;
      if (other->room(target) > 0) return false;
    }
  }
  return true;
}

// A cancelled task nobody works on only needs its finish(): it need not wait for its turn.
void Pool::State::bring_cancelled_forward() {
  const uint64_t cancellations = Job::cancellations_.load();
  if (cancellations == cancellations_seen) return;
  cancellations_seen = cancellations;
  for (Line& tasks : lines) {
    for (auto at = tasks.begin(); at != tasks.end();) {
      const auto task = at++;
      if ((*task)->stopped()) tasks.splice(tasks.begin(), tasks, task);
    }
  }
}

void Pool::State::count_slice(Task& task) {
  if (++task.slices_in_turn < kSlicesPerTurn * task.limit(target)) return;
  task.slices_in_turn = 0;
  line(task).splice(line(task).end(), line(task), task.place);
}

// ---- work on one task ----

void Pool::State::visit(const TaskPtr& task, Lock& lock, bool free) {
  ++task->workers;
  if (task->stage == Task::Stage::kNew) {
    --waiting;
    if (!task->stopped()) advance(*task, lock, /*begun=*/false);
  }
  size_t strand = Task::kNoStrand;
  while (task->stage == Task::Stage::kStrands && !task->stopped()) {
    if (strand == Task::kNoStrand) strand = task->take_strand();
    if (strand == Task::kNoStrand) break;
    Wakeups wakeups = plan_wakeups();
    if (task->room(target) > 0) wake_caller(*task);
    lock.unlock();
    wakeups.raise_all();
    const bool ended = task->job->run_slice_guarded(strand);
    lock.lock();
    count_slice(*task);
    if (ended) {
      strand = Task::kNoStrand;
      if (task->end_strand() && !task->stopped()) advance(*task, lock, /*begun=*/true);
    }
    const bool leaves = free && (started > target || !goes_first(*task));
    if (leaves && (strand == Task::kNoStrand || task->set_aside(strand))) break;
  }
  --task->workers;
  const bool over = task->stopped() || task->stage == Task::Stage::kEnded;
  if (over && task->workers == 0) {
    conclude(task, lock);
  } else if (task->room(target) > 0) {
    wake_caller(*task);
  }
}

// Lets the job name its next phase, outside the lock.
void Pool::State::advance(Task& task, Lock& lock, bool begun) {
  task.stage = Task::Stage::kAlone;
  lock.unlock();
  const size_t strands = begun ? task.job->next_phase_guarded() : task.job->begin_guarded();
  lock.lock();
  task.open_phase(strands);
}

void Pool::State::conclude(const TaskPtr& task, Lock& lock) {
  task->stage = Task::Stage::kAlone;
  // Ready for the next job before this one's caller hears of the end.
  line(*task).erase(task->place);
  lock.unlock();
  Status outcome = task->job->conclude();
  lock.lock();
  task->outcome = std::move(outcome);
  task->stage = Task::Stage::kDone;
  wake_caller(*task);
}

// ---- threads ----

void Pool::State::wake_caller(Task& task) {
  if (!task.caller_waits) return;
  task.caller_waits = false;
  task.caller_signal.raise();
}

// Waits for the signal, outside the lock. At least one processor is left to the host program's own threads:
// no more than the others may be spun on.
void Pool::State::rest(WakeSignal& signal) {
  const unsigned processors = cpu_facts().usable_threads;
  if (target <= processors) {
    if (spinning.fetch_add(1) + 1 < processors) signal.spin(kSpin);
    spinning.fetch_sub(1);
  }
  signal.wait();
}

Wakeups Pool::State::plan_wakeups() {
  Wakeups wakeups;
  if (idle.empty() && started >= target) return wakeups;
  size_t room = 0;
  for (const Line& tasks : lines) {
    for (const TaskPtr& task : tasks) {
      room += task->room(target);
      if (room >= arriving + Wakeups::kMost) break;
    }
  }
  while (arriving < room && !wakeups.full()) {
    if (!idle.empty()) {
      wakeups.add(idle.back()->signal);
      idle.pop_back();
      ++arriving;
    } else if (started >= target || !start_worker()) {
      break;
    }
  }
  return wakeups;
}

bool Pool::State::start_worker() {
  auto slot = std::find_if(workers.begin(), workers.end(), [](const auto& w) { return !w->alive; });
  try {
    if (slot == workers.end()) {
      idle.reserve(workers.size() + 1);  // so that falling idle never needs memory
      auto worker = std::make_unique<Worker>();
      worker->number = static_cast<unsigned>(workers.size());
      slot = workers.insert(workers.end(), std::move(worker));
    }
    Worker& worker = **slot;
    if (!start_thread(worker.number, [this, &worker] { work(worker); })) return false;
    worker.alive = true;
  } catch (const std::bad_alloc&) {
    return false;
  }
  ++started;
  ++arriving;
  return true;
}

void Pool::State::work(Worker& me) {
  Lock lock(mutex);
  --arriving;
  while (started <= target) {
    TaskPtr task = first_with_room();
    if (task != nullptr) {
      ++occupied;
      visit(task, lock, /*free=*/true);
      --occupied;
      lock.unlock();
      task.reset();  // may destroy the job, which may take its time
      lock.lock();
      continue;
    }
    idle.push_back(&me);
    lock.unlock();
    rest(me.signal);
    lock.lock();
    --arriving;
  }
  --started;
  me.alive = false;
  Wakeups wakeups = plan_wakeups();  // in case this thread was woken for work
  lock.unlock();
  wakeups.raise_all();
}

// ---- the pool ----

Pool& Pool::instance() {
  static Pool* const kPool = [] {
    auto* const pool = new Pool(new State(default_threads()));  // both leaked, see pool.h
    ::pthread_atfork(nullptr, nullptr, forget_parent);
    return pool;
  }();
  return *kPool;
}

// No thread but the forking one lives in the child, and what the others held is held for ever.
void Pool::forget_parent() {
  Pool& pool = instance();
  pool.state_ = new State(pool.state_->target);
}

unsigned Pool::threads() const noexcept { return state_->target; }

Status Pool::configure(unsigned threads) {
  if (threads < 1 || threads > kMaxThreads) {
    return {StatusCode::kRange, "threads is " + std::to_string(threads) + "; it must be 1 to " +
                                    std::to_string(kMaxThreads)};
  }
  state_->resize(threads);
  return {};
}

void Pool::submit(std::shared_ptr<Job> job) {
  if (!state_->queue(job)) {
    job->fail({StatusCode::kOutOfMemory, "the system refused memory or a thread for the job"});
    (void)job->conclude();
  }
}

Status Pool::run(std::shared_ptr<Job> job) {
  size_t strands = job->stopped() ? 0 : job->begin_guarded();
  while (strands > 0 && !job->stopped()) {
    if (strands > 1) {
      if (const TaskPtr task = state_->share(job, strands)) return state_->take_part(task);
    }
    for (size_t strand = 0; strand < strands; ++strand) {
      while (!job->stopped() && !job->run_slice_guarded(strand)) {
      }
    }
    strands = job->stopped() ? 0 : job->next_phase_guarded();
  }
  return job->conclude();
}

bool Pool::busy() const noexcept {
  return state_->occupied >= state_->target || state_->waiting > 0;
}

}  // namespace engram::runtime
