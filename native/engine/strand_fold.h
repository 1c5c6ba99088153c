// What one strand has folded so far: the running answer for its query group over its item range.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "engine/cpu_plan.h"
#include "engine/score_fold.h"
#include "kernels/kernel_table.h"

namespace engram::engine {

// Queries [first, first + count) of a group, side by side in `width` lanes.
struct Panel {
  size_t first = 0;
  size_t count = 0;
  size_t width = 0;
};

// The panels of a group: wide ones, and a narrow one where the rest fits.
std::vector<Panel> make_panels(size_t queries, const kernels::KernelTable& kernels);

// Stored rows being folded.
struct TileRef {
  const float* keys = nullptr;
  const float* values = nullptr;
  uint64_t first = 0;  // item number of the first row
  size_t rows = 0;
};

// Consecutive queries of the operation, answered together.
struct QueryGroup {
  uint64_t first = 0;
  size_t count = 0;
};

class StrandFold {
 public:
  virtual ~StrandFold() = default;

  // Query numbers below are within the group.
  // Folds scores[j] of one query (rows layout) with their maximum. May overwrite the scores.
  virtual void take_row(size_t query, float* scores, const TileRef& tile, float tile_max) = 0;
  // Folds scores[j * panel.width + i] with the maximum of each lane. May overwrite the scores.
  virtual void take_panel(const Panel& panel, float* scores, const TileRef& tile, const float* tile_max) = 0;

  // Independent parts of the answer, for the two functions below: threads may take different ones.
  virtual size_t parts() const { return 1; }
  // Adds a part of the answer over the items that follow this one's; `next` has the same type and group.
  virtual void absorb(StrandFold& next, size_t part) = 0;
  // Writes a part of the answers to the operation's outputs. kNonFinite or kRange when one is not finite.
  virtual Status finish(size_t part) = 0;
};

// What the strands of a pass tell each other. It may spare work, it never changes an answer.
struct PassShared {
  explicit PassShared(const ScoreFold& operation);
  // kTopK: per query a score that at least k items have reached; items below it are not wanted.
  std::vector<std::atomic<float>> floor;
};

// A new fold of the operation's kind; kOutOfMemory. `shared` outlives it.
Result<std::unique_ptr<StrandFold>> make_strand_fold(const ScoreFold& operation, const CpuPlan& plan,
                                                     const kernels::KernelTable& kernels, QueryGroup group,
                                                     PassShared& shared);

}  // namespace engram::engine
