#include "engine/cpu_plan.h"

#include <algorithm>

namespace engram::engine {
namespace {

constexpr uint64_t kMaxRowStrands = 64;          // enough for every machine's threads to find work
constexpr uint64_t kMaxPanelStrands = 32;        // fewer: each holds and merges a whole group's answers
constexpr uint64_t kStateBudget = 8ULL << 20;    // bytes of partial answers all strands may hold
constexpr uint64_t kRowTileBytes = 16 << 10;     // rows layout: a tile is read twice, from L1
constexpr uint64_t kPanelTileBytes = 256 << 10;  // panel layout: a tile is read by every panel, from L2
constexpr uint64_t kGroupBytes = 256 << 10;      // packed queries of a group: they stay in L2
constexpr uint64_t kMinRangeBytes = 256 << 10;   // below that a strand is not worth a thread
constexpr uint64_t kSliceBytes = 8ULL << 20;     // about 1 ms of reading
constexpr uint64_t kSliceFlops = 60'000'000;     // about 1 ms of arithmetic on a slow core

uint64_t ceil_div(uint64_t a, uint64_t b) { return (a + b - 1) / b; }
uint64_t round_up(uint64_t a, uint64_t step) { return ceil_div(a, step) * step; }

// Queries that share a pass over a range: as many as stay in cache while tiles go by.
uint64_t choose_group(const ScoreFold& op, size_t wide) {
  const uint64_t group = std::clamp<uint64_t>(kGroupBytes / (op.dim * sizeof(float)), 64, 256);
  return std::min(round_up(op.query_count, wide), group / wide * wide);
}

size_t choose_tile_rows(const ScoreFold& op, bool rows_layout, size_t row_step) {
  const uint64_t row_bytes = op.dim * sizeof(float);
  if (rows_layout) return std::clamp<uint64_t>(kRowTileBytes / row_bytes, 8, kMaxRowTileRows);
  const uint64_t rows = std::clamp<uint64_t>(kPanelTileBytes / row_bytes, 32, kMaxPanelTileRows);
  return rows / row_step * row_step;
}

// Ranges: as many strands as the limits allow, as long as each has enough to read and the partial
// answers stay within their budget.
uint64_t choose_ranges(const ScoreFold& op, const CpuPlan& plan) {
  const uint64_t row_bytes = (op.dim + (op.read_keys ? 0 : plan.width)) * sizeof(float);
  const uint64_t per_query =
      op.fold == Fold::kTopK ? op.k * sizeof(Candidate) : (plan.width + 4) * sizeof(float);
  const uint64_t state = plan.groups * plan.group_queries * per_query;
  const uint64_t work_bytes = op.count * row_bytes * (plan.rows_layout ? 1 : plan.group_queries / 4 + 1);
  const uint64_t by_work = std::max<uint64_t>(1, work_bytes / kMinRangeBytes);
  const uint64_t by_state = std::max<uint64_t>(1, kStateBudget / std::max<uint64_t>(1, state));
  const uint64_t by_strands =
      std::max<uint64_t>(1, (plan.rows_layout ? kMaxRowStrands : kMaxPanelStrands) / plan.groups);
  return std::min({by_work, by_state, by_strands, ceil_div(op.count, plan.tile_rows)});
}

}  // namespace

CpuPlan make_cpu_plan(const ScoreFold& op, const kernels::KernelTable& kernels) {
  CpuPlan plan;
  plan.width = op.fold == Fold::kReadout ? (op.read_keys ? op.dim : op.value_dim) : 0;
  plan.rows_layout = op.query_count <= kernels::kMaxRowQueries;
  plan.group_queries = plan.rows_layout ? op.query_count : choose_group(op, kernels.panel_widths[1]);
  plan.groups = ceil_div(op.query_count, plan.group_queries);
  plan.tile_rows = choose_tile_rows(op, plan.rows_layout, kernels.row_step);
  plan.ranges = choose_ranges(op, plan);
  plan.range_rows = round_up(ceil_div(op.count, plan.ranges), plan.tile_rows);
  plan.ranges = ceil_div(op.count, plan.range_rows);

  const uint64_t row_bytes = (op.dim + plan.width) * sizeof(float);
  const uint64_t row_flops = 2 * (op.dim + plan.width) * plan.group_queries;
  const uint64_t rows = std::min(kSliceBytes / row_bytes, kSliceFlops / row_flops);
  plan.slice_rows = std::max<uint64_t>(1, rows / plan.tile_rows) * plan.tile_rows;
  return plan;
}

}  // namespace engram::engine
