#include "spectral/linear_operator.h"

#include <algorithm>

namespace engram::spectral {

Status FactorOperator::apply(const double* block, size_t width, double* out,
                             const runtime::Parallel& parallel) const {
  const std::vector<float> q(block, block + width * rows_.dim);
  std::vector<float> scores(rows_.count * width);
  std::vector<float> product(width * rows_.dim);
  Status status = engine::row_scores(rows_, q.data(), width, scores.data(), parallel);
  if (!status.ok()) return status;
  status = engine::combine_rows(rows_, scores.data(), width, product.data(), parallel);
  for (size_t i = 0; i < product.size(); ++i) out[i] = scale_ * static_cast<double>(product[i]);
  return status;
}

Status DenseOperator::apply(const double* block, size_t width, double* out,
                            const runtime::Parallel& parallel) const {
  std::vector<double> product(size_ * width);
  Status status = engine::dense_product(matrix_, size_, block, width, product.data(), parallel);
  for (size_t i = 0; i < size_; ++i) {
    for (size_t k = 0; k < width; ++k) out[k * size_ + i] = product[i * width + k];
  }
  return status;
}

}  // namespace engram::spectral
