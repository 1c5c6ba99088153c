// A stream of factors as one of bounded rank.
//
// With B the sketch's and a batch's rows on one another, each times the square root of its weight, the
// leading eigenpairs of B^T B come from those of the small Gram matrix B B^T. That squares the condition
// number: eigenvalues below about 1e-6 of the largest are rounding, which is far below the edge of any noise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "engine/row_products.h"
#include "runtime/parallel.h"

namespace engram::spectral {

enum class SketchRule : uint8_t {
  // Truncated incremental singular-value decomposition (Brand 2002): after every batch the best
  // approximation,
  // of that rank, to the sketch before and the batch. Best in practice; no bound for the worst case.
  kIncrementalSvd,
  // The first eigenvalue that is left out is taken from all of them (Liberty 2013; Ghashami et al. 2016), so
  // that for any stream A and any k < rank  0 <= A^T A - B^T B <= shrinkage() I <= |A - A_k|_F^2 / (rank -
  // k).
  // It costs weak outliers what they stand above the noise.
  kFrequentDirections,
};

class Sketch {
 public:
  // Precondition: 1 <= rank <= dim.
  Sketch(size_t dim, size_t rank, SketchRule rule) : dim_(dim), most_rank_(rank), rule_(rule) {}

  // Adds the rows (count x dim Float32, row-major), whose second moment is X^T diag(weights) X; weights >= 0.
  // What the sketch knew counts `forget` times, in (0, 1]. kOutOfMemory, kAborted, kNonFinite; the sketch is
  // as it was then.
  Status add(const float* rows, size_t count, const double* weights, double forget,
             const runtime::Parallel& parallel);

  size_t dim() const noexcept { return dim_; }
  size_t rank() const noexcept { return values_.size(); }
  // The sum is about factor^T diag(values) factor.
  const std::vector<double>& values() const noexcept { return values_; }  // > 0, falling
  const std::vector<float>& factor() const noexcept { return factor_; }   // rank() x dim, orthonormal
  // The trace left out so far, and of kFrequentDirections the sum of what was taken from the eigenvalues;
  // both are forgotten like the rest.
  double discarded() const noexcept { return discarded_; }
  double shrinkage() const noexcept { return shrinkage_; }

 private:
  size_t dim_;
  size_t most_rank_;
  SketchRule rule_;
  std::vector<double> values_;
  std::vector<float> factor_;
  double discarded_ = 0;
  double shrinkage_ = 0;
};

}  // namespace engram::spectral
