#include "cuda/fold_plan.h"

#include <algorithm>

#include "cuda/hopper_fold.h"
#include "cuda/row_fold.h"

namespace engram::cuda {
namespace {

constexpr uint64_t kRowStep = 1024;  // slices are a multiple of it

}  // namespace

Path choose_path(const Rows& rows, uint32_t queries, bool softmax, const EngramDeviceFacts& facts) {
  // Up to two launches of the row kernels read the rows twice at full bandwidth, which is still less than
  // what a tile of mostly empty queries costs.
  if (queries <= 2 * most_row_queries(rows)) return Path::kRows;
  if (softmax && hopper_fold_applies(rows, queries, facts.compute_major, facts.compute_minor)) {
    return Path::kHopper;
  }
  return Path::kTiles;
}

uint32_t queries_per_launch(const Rows& rows, uint32_t queries, Path path) {
  return path == Path::kRows ? std::min(queries, most_row_queries(rows)) : queries;
}

uint32_t batch_queries(uint64_t queries, uint32_t dim, uint32_t width) {
  constexpr uint64_t kBytes = uint64_t{64} << 20;
  constexpr uint64_t kMost = 1 << 15;
  constexpr uint64_t kStep = 128;  // the tile of the largest kernel
  const uint64_t fitting = kBytes / sizeof(float) / std::max(dim, width) / kStep * kStep;
  return static_cast<uint32_t>(std::min(queries, std::clamp(fitting, kStep, kMost)));
}

uint32_t slice_rows(uint32_t queries, uint32_t dim, uint32_t width) {
  constexpr double kProducts = 6e11;  // multiply-adds of one slice
  constexpr uint64_t kMost = 1 << 28;
  const double rows = kProducts / (static_cast<double>(queries) * (static_cast<double>(dim) + width));
  const auto steps = static_cast<uint64_t>(std::min(rows, static_cast<double>(kMost))) / kRowStep;
  return static_cast<uint32_t>(std::max<uint64_t>(steps, 1) * kRowStep);
}

std::vector<Slice> cut_slices(const EngramFold& fold, uint32_t most_rows, uint64_t piece_rows) {
  std::vector<Slice> slices;
  for (uint64_t p = 0; p < fold.part_count; ++p) {
    const EngramFoldPart& part = fold.parts[p];
    const uint64_t most = part.rows != nullptr ? most_rows : std::min<uint64_t>(most_rows, piece_rows);
    // Of equal size but for the rounding: a small rest would leave a device idle.
    const uint64_t count = (part.count + most - 1) / most;
    const uint64_t even = ((part.count + count - 1) / count + kRowStep - 1) / kRowStep * kRowStep;
    const uint64_t rows = std::min(even, most);
    for (uint64_t row = 0; row < part.count; row += rows) {
      slices.push_back({p, row, static_cast<uint32_t>(std::min(rows, part.count - row))});
    }
  }
  return slices;
}

}  // namespace engram::cuda
