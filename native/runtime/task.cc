#include "runtime/task.h"

#include <algorithm>
#include <new>

namespace engram::runtime {

unsigned Task::limit(unsigned pool_threads) const noexcept {
  const unsigned wanted = job->options().max_threads;
  return wanted == 0 ? pool_threads : std::min(wanted, pool_threads);
}

size_t Task::room(unsigned pool_threads) const noexcept {
  if (stage != Stage::kNew && stage != Stage::kStrands) return 0;
  // What is left to do is to begin it, or to finish it: work for one.
  if (stage == Stage::kNew || stopped()) return workers == 0 ? 1 : 0;
  const unsigned most = limit(pool_threads);
  if (workers >= most) return 0;
  return std::min<size_t>(most - workers, strands_ - next_ + set_aside_.size());
}

void Task::open_phase(size_t strands) noexcept {
  stage = strands == 0 ? Stage::kEnded : Stage::kStrands;
  strands_ = strands;
  unfinished_ = strands;
  next_ = 0;
}

size_t Task::take_strand() noexcept {
  // Strands already started go first: they hold state that is better let go soon.
  if (!set_aside_.empty()) {
    const size_t strand = set_aside_.back();
    set_aside_.pop_back();
    return strand;
  }
  return next_ < strands_ ? next_++ : kNoStrand;
}

bool Task::set_aside(size_t strand) noexcept {
  try {
    set_aside_.push_back(strand);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace engram::runtime
