#include "engine/softmax_fold.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numbers>

namespace engram::engine {
namespace {

// Raises `max` to at least `candidate`; returns the factor that brings sums taken under the old maximum
// to the new one.
float raise(float& max, float candidate) {
  if (candidate <= max) return 1.0F;
  const float factor = std::exp2(max - candidate);
  max = candidate;
  return factor;
}

std::vector<Panel> one_lane_panels(size_t queries) {
  std::vector<Panel> panels;
  for (size_t i = 0; i < queries; ++i) panels.push_back({.first = i, .count = 1, .width = 1});
  return panels;
}

}  // namespace

SoftmaxFold::SoftmaxFold(const ScoreFold& operation, const CpuPlan& plan, const kernels::KernelTable& kernels,
                         QueryGroup group)
    : operation_(operation),
      kernels_(kernels),
      group_(group),
      width_(plan.width),
      panels_(plan.rows_layout ? one_lane_panels(group.count) : make_panels(group.count, kernels)) {
  const size_t lanes = panels_.back().first + panels_.back().width;
  max_.assign(lanes, -FLT_MAX);
  sum_.assign(lanes, 0.0);
}

Result<std::unique_ptr<StrandFold>> SoftmaxFold::create(const ScoreFold& operation, const CpuPlan& plan,
                                                        const kernels::KernelTable& kernels,
                                                        QueryGroup group) {
  std::unique_ptr<SoftmaxFold> fold(new SoftmaxFold(operation, plan, kernels, group));
  Result<AlignedBuffer> buffer = AlignedBuffer::allocate(fold->max_.size() * fold->width_ * sizeof(float));
  if (!buffer.ok()) return buffer.status();
  fold->readout_ = std::move(buffer).value();
  return std::unique_ptr<StrandFold>(std::move(fold));
}

kernels::Tile SoftmaxFold::values_of(const TileRef& tile) const {
  return {operation_.read_keys ? tile.keys : tile.values, tile.rows, width_};
}

void SoftmaxFold::take_row(size_t query, float* scores, const TileRef& tile, float tile_max) {
  const float rescale = raise(max_[query], tile_max);
  const float sum = kernels_.row_exp(scores, tile.rows, max_[query]);
  sum_[query] = sum_[query] * rescale + sum;
  // A sum of 0 means the tile is too far below the maximum to be seen (and so did not raise it).
  if (width_ != 0 && sum != 0) {
    kernels_.row_readout(values_of(tile), scores, rescale, accumulator(panels_[query]));
  }
}

void SoftmaxFold::take_panel(const Panel& panel, float* scores, const TileRef& tile, const float* tile_max) {
  float rescale[kernels::kMaxPanelWidth];
  float sum[kernels::kMaxPanelWidth];
  float* max = &max_[panel.first];
  for (size_t i = 0; i < panel.width; ++i) rescale[i] = raise(max[i], tile_max[i]);
  const bool any = kernels_.panel_exp(scores, tile.rows, panel.width, max, sum);
  if (!any) return;
  for (size_t i = 0; i < panel.width; ++i) {
    sum_[panel.first + i] = sum_[panel.first + i] * rescale[i] + sum[i];
  }
  if (width_ != 0) {
    kernels_.panel_readout(values_of(tile), scores, panel.width, rescale, accumulator(panel));
  }
}

void SoftmaxFold::absorb(StrandFold& next, size_t part) {
  SoftmaxFold& other = static_cast<SoftmaxFold&>(next);
  const Panel& panel = panels_[part];
  float mine[kernels::kMaxPanelWidth];
  float theirs[kernels::kMaxPanelWidth];
  for (size_t i = 0; i < panel.width; ++i) {
    const size_t lane = panel.first + i;
    mine[i] = raise(max_[lane], other.max_[lane]);
    theirs[i] = raise(other.max_[lane], max_[lane]);
    sum_[lane] = sum_[lane] * mine[i] + other.sum_[lane] * theirs[i];
  }
  float* to = accumulator(panel);
  const float* from = other.accumulator(panel);
  for (size_t d = 0; d < width_; ++d) {
    for (size_t i = 0; i < panel.width; ++i) {
      const size_t at = d * panel.width + i;
      to[at] = to[at] * mine[i] + from[at] * theirs[i];
    }
  }
}

Status SoftmaxFold::finish(size_t part) {
  const Panel& panel = panels_[part];
  for (size_t lane = 0; lane < panel.count; ++lane) {
    Status status = write_query(panel, lane, group_.first + panel.first + lane);
    if (!status.ok()) return status;
  }
  return {};
}

Status SoftmaxFold::write_query(const Panel& panel, size_t lane, uint64_t query) {
  const double sum = sum_[panel.first + lane];
  const double lse = (static_cast<double>(max_[panel.first + lane]) + std::log2(sum)) * std::numbers::ln2;
  if (!std::isfinite(lse)) {
    return {StatusCode::kRange, "the scores of query " + std::to_string(query) +
                                    " overflow Float32; scale the data or lower beta"};
  }
  operation_.lse[query] = lse;
  if (width_ == 0) return {};

  const float* from = accumulator(panel) + lane;
  float* to = operation_.readout + query * width_;
  const float inverse = static_cast<float>(1.0 / sum);
  for (size_t d = 0; d < width_; ++d) to[d] = from[d * panel.width] * inverse;
  if (!kernels_.all_finite(to, width_)) {
    return {StatusCode::kNonFinite, "the readout of query " + std::to_string(query) +
                                        " is not finite: a stored value is NaN, infinite or near the "
                                        "limit of Float32"};
  }
  return {};
}

}  // namespace engram::engine
