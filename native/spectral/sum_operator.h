// Operators that many parts add up to: clients' messages, archetypes fed back, examples.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/row_products.h"
#include "spectral/linear_operator.h"

namespace engram::spectral {

// scale * X^T diag(row_weights) X for X stored by rows. Rows and weights belong to somebody else.
struct Term {
  engine::Rows rows;
  double scale = 1;
  std::span<const double> row_weights;  // one for each row, or empty: ones
};

// The sum of terms plus isotropic * I. Products are computed in Float32, added in Float64 in the order of the
// terms: who wants the same bits for any order of clients sorts them first. What the terms refer to must live
// as long as the operator.
class SumOperator final : public LinearOperator {
 public:
  // Precondition: the rows of all terms have `dim` columns.
  SumOperator(size_t dim, std::vector<Term> terms, double isotropic = 0)
      : dim_(dim), terms_(std::move(terms)), isotropic_(isotropic) {}
  size_t dim() const override { return dim_; }
  // kNonFinite where the product is not finite; kOutOfMemory, kAborted.
  Status apply(const double* block, size_t width, double* out,
               const runtime::Parallel& parallel) const override;

  const std::vector<Term>& terms() const noexcept { return terms_; }
  double isotropic() const noexcept { return isotropic_; }

 private:
  const size_t dim_;
  const std::vector<Term> terms_;
  const double isotropic_;
};

}  // namespace engram::spectral
