#include "runtime/line.h"

namespace engram::runtime {
namespace {

constexpr size_t kStopped = 0;
constexpr size_t kInteractive = 1;
constexpr size_t kBatch = 2;

}  // namespace

void Line::enter(const std::shared_ptr<Task>& task) {
  const bool interactive = task->job->options().priority == Priority::kInteractive;
  task->rank = interactive ? kInteractive : kBatch;
  auto& tasks = ranks_[task->rank];
  task->place = tasks.insert(tasks.end(), task);
}

void Line::leave(Task& task) noexcept { ranks_[task.rank].erase(task.place); }

std::shared_ptr<Task> Line::first_with_room(unsigned pool_threads) noexcept {
  bring_cancelled_forward();
  for (const auto& tasks : ranks_) {
    for (const std::shared_ptr<Task>& task : tasks) {
      if (task->room(pool_threads) > 0) return task;
    }
  }
  return nullptr;
}

// Short although it looks long: a task without room has a thread inside, so that hardly more tasks are
// passed over than there are threads.
bool Line::goes_first(const Task& task, unsigned pool_threads) noexcept {
  bring_cancelled_forward();
  for (const auto& tasks : ranks_) {
    for (const std::shared_ptr<Task>& other : tasks) {
      if (other.get() == &task) return true;
      if (other->room(pool_threads) > 0) return false;
    }
  }
  return true;
}

size_t Line::room(unsigned pool_threads, size_t enough) const noexcept {
  size_t room = 0;
  for (const auto& tasks : ranks_) {
    for (const std::shared_ptr<Task>& task : tasks) {
      room += task->room(pool_threads);
      if (room >= enough) return enough;
    }
  }
  return room;
}

void Line::count_slice(Task& task, unsigned pool_threads) noexcept {
  if (++task.slices_in_turn < kSlicesPerTurn * task.limit(pool_threads)) return;
  task.slices_in_turn = 0;
  move_to_end(task, task.rank);
}

void Line::bring_cancelled_forward() noexcept {
  const uint64_t cancellations = Job::cancellations();
  if (cancellations == cancellations_seen_) return;
  cancellations_seen_ = cancellations;
  for (const size_t rank : {kInteractive, kBatch}) {
    for (auto at = ranks_[rank].begin(); at != ranks_[rank].end();) {
      Task& task = **at++;
      if (task.stopped()) move_to_end(task, kStopped);
    }
  }
}

void Line::move_to_end(Task& task, size_t rank) noexcept {
  ranks_[rank].splice(ranks_[rank].end(), ranks_[task.rank], task.place);
  task.rank = rank;
}

}  // namespace engram::runtime
