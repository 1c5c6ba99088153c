// A stream of factors as one of bounded rank: after every batch the sketch is the best approximation, of that
// rank, to the sketch before and the batch (Brand 2002; Levy & Lindenbaum 2000).
//
// With B the sketch's and the batch's rows on one another, each times the square root of its weight, the
// leading eigenpairs of B^T B come from those of the small Gram matrix B B^T (native/engine/row_products.h).
// That squares the condition number: eigenvalues below about 1e-6 of the largest are noise, and are far below
// any spectrum's edge. What is left out of B^T B is reported as a trace.
#pragma once

#include <cstddef>
#include <vector>

#include "base/status.h"
#include "engine/row_products.h"
#include "runtime/parallel.h"

namespace engram::spectral {

class IncrementalSvd {
 public:
  // Precondition: 1 <= rank <= dim.
  IncrementalSvd(size_t dim, size_t rank) : dim_(dim), rank_(rank) {}

  // Adds the rows (count x dim Float32, row-major), whose second moment is X^T diag(weights) X; weights >= 0.
  // What the sketch knew counts `forget` times, in (0, 1]. kOutOfMemory, kAborted, kNonFinite; the sketch is
  // as it was then.
  Status add(const float* rows, size_t count, const double* weights, double forget,
             const runtime::Parallel& parallel);

  size_t dim() const noexcept { return dim_; }
  size_t rank() const noexcept { return values_.size(); }
  // The sum is about factor^T diag(values) factor.
  const std::vector<double>& values() const noexcept { return values_; }  // >= 0, falling
  const std::vector<float>& factor() const noexcept { return factor_; }   // rank() x dim, orthonormal
  // The trace left out so far (forgotten like the rest).
  double discarded() const noexcept { return discarded_; }

 private:
  size_t dim_;
  size_t rank_;
  std::vector<double> values_;
  std::vector<float> factor_;
  double discarded_ = 0;
};

}  // namespace engram::spectral
