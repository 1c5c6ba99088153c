// Log-sum-exp and soft readout, streamed: running maximum, sum, and weighted sum of values, rescaled
// when the maximum rises (online softmax; Milakov & Gimelshein 2018, arXiv 1805.02867).
#pragma once

#include <memory>

#include "base/memory.h"
#include "engine/strand_fold.h"

namespace engram::engine {

class SoftmaxFold final : public StrandFold {
 public:
  static Result<std::unique_ptr<StrandFold>> create(const ScoreFold& operation, const CpuPlan& plan,
                                                    const kernels::KernelTable& kernels, QueryGroup group);

  void take_row(size_t query, float* scores, const TileRef& tile, float tile_max) override;
  void take_panel(const Panel& panel, float* scores, const TileRef& tile, const float* tile_max) override;
  size_t parts() const override { return panels_.size(); }
  void absorb(StrandFold& next, size_t part) override;
  Status finish(size_t part) override;

 private:
  SoftmaxFold(const ScoreFold& operation, const CpuPlan& plan, const kernels::KernelTable& kernels,
              QueryGroup group);
  kernels::Tile values_of(const TileRef& tile) const;
  // Query i's readout component d lies at readout_at(panel, i)[d * panel.width].
  float* accumulator(const Panel& panel) { return readout_.as<float>() + panel.first * width_; }
  Status write_query(const Panel& panel, size_t lane, uint64_t query);

  const ScoreFold& operation_;
  const kernels::KernelTable& kernels_;
  const QueryGroup group_;
  const size_t width_;         // of the readout, 0 for log-sum-exp alone
  std::vector<Panel> panels_;  // in the rows layout: one panel of width 1 for each query
  // Per lane. Scores are in units of log 2. The sum is a double: each tile's sum is a Float32, their
  // total may span millions of tiles.
  std::vector<float> max_;
  std::vector<double> sum_;
  AlignedBuffer readout_;  // panel after panel, width_ x panel.width floats each
};

}  // namespace engram::engine
