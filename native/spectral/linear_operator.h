// Symmetric operators on R^dim that are known by their products with blocks of vectors.
#pragma once

#include <cstddef>
#include <vector>

#include "base/status.h"
#include "engine/row_products.h"
#include "runtime/parallel.h"

namespace engram::spectral {

class LinearOperator {
 public:
  virtual ~LinearOperator() = default;
  virtual size_t dim() const = 0;
  // out = A block; both width x dim, one vector in each row.
  virtual Status apply(const double* block, size_t width, double* out,
                       const runtime::Parallel& parallel) const = 0;
};

// scale * X^T X for X stored by rows: the second moment of examples, or an operator by its factor. Products
// are computed in Float32. The rows must live as long as the operator.
class FactorOperator final : public LinearOperator {
 public:
  FactorOperator(const engine::Rows& rows, double scale) : rows_(rows), scale_(scale) {}
  size_t dim() const override { return rows_.dim; }
  Status apply(const double* block, size_t width, double* out,
               const runtime::Parallel& parallel) const override;

  const engine::Rows& rows() const noexcept { return rows_; }
  double scale() const noexcept { return scale_; }

 private:
  const engine::Rows rows_;
  const double scale_;
};

// A dense symmetric matrix in Float64, size x size. It must live as long as the operator.
class DenseOperator final : public LinearOperator {
 public:
  DenseOperator(const double* matrix, size_t size) : matrix_(matrix), size_(size) {}
  size_t dim() const override { return size_; }
  Status apply(const double* block, size_t width, double* out,
               const runtime::Parallel& parallel) const override;

 private:
  const double* const matrix_;
  const size_t size_;
};

}  // namespace engram::spectral
