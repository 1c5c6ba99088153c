#include "spectral/incremental_svd.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <utility>

namespace engram::spectral {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

constexpr double kNegligible = 1e-12;  // of the largest eigenvalue: no direction can be told from rounding

// Appends the rows times the square roots of their weights.
void append_scaled(const float* rows, size_t count, size_t dim, const double* weights, double factor,
                   std::vector<float>& out) {
  for (size_t row = 0; row < count; ++row) {
    const auto scale = static_cast<float>(std::sqrt(weights[row] * factor));
    for (size_t i = 0; i < dim; ++i) out.push_back(scale * rows[row * dim + i]);
  }
}

}  // namespace

Status IncrementalSvd::add(const float* rows, size_t count, const double* weights, double forget,
                           const runtime::Parallel& parallel) {
  std::vector<float> stacked;
  stacked.reserve((rank() + count) * dim_);
  append_scaled(factor_.data(), rank(), dim_, values_.data(), forget, stacked);
  append_scaled(rows, count, dim_, weights, 1, stacked);
  const size_t total = rank() + count;
  if (total == 0) return {};
  const engine::Rows all{
      .data = stacked.data(), .element = engine::Element::kFloat32, .count = total, .dim = dim_};

  MatrixXd gram(total, total);
  Status status = engine::gram_of_rows(all, gram.data(), parallel);
  if (!status.ok()) return status;
  if (!gram.allFinite()) {
    return {StatusCode::kNonFinite, "a row or a weight is not finite; every element must be"};
  }
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(gram);
  const auto& eigenvalues = solver.eigenvalues();  // rising
  const double least = kNegligible * std::max(0.0, eigenvalues[static_cast<Index>(total) - 1]);
  std::vector<double> values;
  while (values.size() < std::min(rank_, total)) {
    const double value = eigenvalues[static_cast<Index>(total - 1 - values.size())];
    if (!(value > least)) break;
    values.push_back(value);
  }

  // Eigenvector k of the second moment is B^T u_k / sqrt(value_k).
  const size_t kept = values.size();
  std::vector<float> coefficients(total * kept);
  for (size_t row = 0; row < total; ++row) {
    for (size_t k = 0; k < kept; ++k) {
      coefficients[row * kept + k] = static_cast<float>(
          solver.eigenvectors()(static_cast<Index>(row), static_cast<Index>(total - 1 - k)) /
          std::sqrt(values[k]));
    }
  }
  std::vector<float> factor(kept * dim_);
  status = engine::combine_rows(all, coefficients.data(), kept, factor.data(), parallel);
  if (!status.ok()) return status;

  double left_out = gram.trace();
  for (const double value : values) left_out -= value;
  discarded_ = discarded_ * forget + std::max(0.0, left_out);
  values_ = std::move(values);
  factor_ = std::move(factor);
  return {};
}

}  // namespace engram::spectral
