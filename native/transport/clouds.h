// Measures: weighted point clouds that lie side by side.
//
// A measure is sum_i a_i delta(x_i): points x_i in R^dim with weights a_i >= 0 that sum to 1. The cost of
// moving mass from x to y is cost_scale * |x - y|^2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/memory.h"
#include "base/status.h"

namespace engram::transport {

// Clouds as a caller has them; nothing is owned or checked. Cloud k has the points
// [offsets[k], offsets[k + 1]). That offsets end within the points is the caller's to see to.
struct CloudsView {
  const float* points = nullptr;      // offsets[count] x dim, row-major
  const float* weights = nullptr;     // one for each point, any positive sum per cloud; null: uniform
  const uint32_t* offsets = nullptr;  // count + 1, rising strictly from 0
  uint64_t count = 0;
  size_t dim = 0;
  const double* normalised = nullptr;  // instead of `weights`: sums are 1 already (to 1e-9), kept bit for bit
};

// One cloud of a set, where it lies.
struct Cloud {
  const float* points = nullptr;    // size x dim
  const double* weights = nullptr;  // size, >= 0, sum 1
  size_t size = 0;
};

// Checked clouds with normalised weights. Immutable.
class Clouds {
 public:
  // Copies the points, or with an `owner` that keeps them alive reads them where they lie (they must not
  // change then). kShape: dim 0, no cloud, a cloud without points, offsets that do not rise from 0.
  // kNonFinite: a coordinate or weight, named. kRange: a negative weight, a cloud whose weights are all 0
  // (normalised ones: do not sum to 1), a point so far out (|x| > 9.2e18) that squared distances leave
  // Float32. kOutOfMemory.
  static Result<std::shared_ptr<const Clouds>> create(const CloudsView& view,
                                                      std::shared_ptr<const void> owner = nullptr);

  size_t count() const noexcept { return offsets_.size() - 1; }
  size_t dim() const noexcept { return dim_; }
  std::span<const uint32_t> offsets() const noexcept { return offsets_; }
  std::span<const float> points() const noexcept { return points_; }
  std::span<const double> weights() const noexcept { return weights_; }
  Cloud operator[](size_t k) const noexcept {
    const size_t first = offsets_[k];
    return {points_.data() + first * dim_, weights_.data() + first, offsets_[k + 1] - first};
  }
  // Bytes allocated here; adopted points are not counted.
  size_t native_bytes() const noexcept;

 private:
  Clouds() = default;
  Status take_offsets(const CloudsView& view);
  Status take_weights(const CloudsView& view);
  Status take_points(const CloudsView& view, std::shared_ptr<const void> owner);

  size_t dim_ = 0;
  std::span<const uint32_t> offsets_;
  std::span<const double> weights_;
  std::span<const float> points_;
  AlignedBuffer offset_bytes_;
  AlignedBuffer weight_bytes_;
  AlignedBuffer point_bytes_;          // empty where the points are adopted,
  std::shared_ptr<const void> owner_;  // which this keeps alive
};

// The mean of cost_scale * |x - y|^2 over pairs of points drawn from the even mixture of all clouds: the unit
// of a relative epsilon. Exactly 0 where all points with mass coincide.
double mean_cost(const Clouds& clouds, double cost_scale);

}  // namespace engram::transport
