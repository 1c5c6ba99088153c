#include "spectral/sum_operator.h"

#include <cmath>

namespace engram::spectral {
namespace {

// Room for the products of one term, used again for the next.
struct Scratch {
  std::vector<float> scores;
  std::vector<float> product;
};

// out += scale * X^T diag(row_weights) X block.
Status add_term(const Term& term, const std::vector<float>& block, size_t width, Scratch& scratch,
                double* out, const runtime::Parallel& parallel) {
  scratch.scores.resize(term.rows.count * width);
  Status status = engine::row_scores(term.rows, block.data(), width, scratch.scores.data(), parallel);
  if (!status.ok()) return status;
  for (size_t row = 0; row < term.row_weights.size(); ++row) {
    const auto weight = static_cast<float>(term.row_weights[row]);
    for (size_t k = 0; k < width; ++k) scratch.scores[row * width + k] *= weight;
  }
  scratch.product.resize(width * term.rows.dim);
  status = engine::combine_rows(term.rows, scratch.scores.data(), width, scratch.product.data(), parallel);
  if (!status.ok()) return status;
  for (size_t i = 0; i < scratch.product.size(); ++i) {
    out[i] += term.scale * static_cast<double>(scratch.product[i]);
  }
  return {};
}

}  // namespace

Status SumOperator::apply(const double* block, size_t width, double* out,
                          const runtime::Parallel& parallel) const {
  const size_t size = width * dim_;
  if (size == 0) return {};
  const std::vector<float> narrow(block, block + size);
  for (size_t i = 0; i < size; ++i) out[i] = isotropic_ * block[i];
  Scratch scratch;
  for (const Term& term : terms_) {
    if (term.rows.count == 0) continue;
    Status status = add_term(term, narrow, width, scratch, out, parallel);
    if (!status.ok()) return status;
  }
  for (size_t i = 0; i < size; ++i) {
    if (!std::isfinite(out[i])) {
      return {StatusCode::kNonFinite, "a product is not finite; every element of rows and block must be"};
    }
  }
  return {};
}

}  // namespace engram::spectral
