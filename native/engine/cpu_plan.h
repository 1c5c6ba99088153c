// How a score-and-fold is cut for the CPU: query groups x item ranges = strands, ranges into tiles.
//
// The cut is a pure function of the shape and the instruction set, so results do not depend on the
// number of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/score_fold.h"
#include "kernels/kernel_table.h"

namespace engram::engine {

inline constexpr size_t kMaxRowTileRows = 512;    // rows layout
inline constexpr size_t kMaxPanelTileRows = 128;  // panels layout

struct CpuPlan {
  bool rows_layout = false;    // lanes over dimensions (few queries) instead of over queries
  uint64_t group_queries = 0;  // queries a strand answers together
  uint64_t groups = 0;
  uint64_t range_rows = 0;  // items a strand reads; a multiple of tile_rows but for the last
  uint64_t ranges = 0;
  size_t tile_rows = 0;     // items scored before they are folded
  uint64_t slice_rows = 0;  // items of one slice, a multiple of tile_rows
  size_t width = 0;         // of the readout; 0 where the fold has none

  uint64_t strands() const { return groups * ranges; }
};

CpuPlan make_cpu_plan(const ScoreFold& operation, const kernels::KernelTable& kernels);

}  // namespace engram::engine
