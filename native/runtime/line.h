// The order in which the pool's tasks are served.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>

#include "runtime/task.h"

namespace engram::runtime {

// Stopped tasks first (all they need is their finish()), then interactive ones, then batch ones; within each
// in order of arrival. A task whose turn is over goes to the end of its rank. Guarded by the mutex of the
// pool.
class Line {
 public:
  // A turn lasts this many slices for every thread that could work on the task.
  static constexpr uint64_t kSlicesPerTurn = 16;

  // May throw std::bad_alloc; the line is unchanged then.
  void enter(const std::shared_ptr<Task>& task);
  void leave(Task& task) noexcept;

  // The first task with something to do for one more thread, null when there is none.
  std::shared_ptr<Task> first_with_room(unsigned pool_threads) noexcept;
  // Whether no task before this one has something to do for one more thread.
  bool goes_first(const Task& task, unsigned pool_threads) noexcept;
  // How many threads would find something to do; counts no further than `enough`.
  size_t room(unsigned pool_threads, size_t enough) const noexcept;
  // Notes that a slice of the task has run.
  void count_slice(Task& task, unsigned pool_threads) noexcept;

 private:
  void bring_cancelled_forward() noexcept;
  void move_to_end(Task& task, size_t rank) noexcept;

  std::array<std::list<std::shared_ptr<Task>>, 3> ranks_;
  uint64_t cancellations_seen_ = 0;
};

}  // namespace engram::runtime
