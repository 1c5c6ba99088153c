#include "spectral/sketch.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <utility>

namespace engram::spectral {
namespace {

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

using Solver = Eigen::SelfAdjointEigenSolver<MatrixXd>;

// Number `k` from the largest.
Eigen::Index column(const Solver& solver, size_t k) {
  return solver.eigenvalues().size() - 1 - static_cast<Eigen::Index>(k);
}

// The largest eigenvalues, falling, at most `most`, but not those of directions that rounding made.
std::vector<double> leading_values(const Solver& solver, size_t most) {
  const double least = kNegligible * std::max(0.0, solver.eigenvalues()[column(solver, 0)]);
  std::vector<double> values;
  while (values.size() < std::min(most, static_cast<size_t>(solver.eigenvalues().size()))) {
    const double value = solver.eigenvalues()[column(solver, values.size())];
    if (!(value > least)) break;
    values.push_back(value);
  }
  return values;
}

// Eigenvector k of B^T B is B^T u_k / sqrt(value_k).
std::vector<float> combinations(const Solver& solver, const std::vector<double>& values) {
  const auto rows = static_cast<size_t>(solver.eigenvalues().size());
  std::vector<float> coefficients(rows * values.size());
  for (size_t row = 0; row < rows; ++row) {
    for (size_t k = 0; k < values.size(); ++k) {
      const double u = solver.eigenvectors()(static_cast<Eigen::Index>(row), column(solver, k));
      coefficients[row * values.size() + k] = static_cast<float>(u / std::sqrt(values[k]));
    }
  }
  return coefficients;
}

}  // namespace

Status Sketch::add(const float* rows, size_t count, const double* weights, double forget,
                   const runtime::Parallel& parallel) {
  const size_t total = rank() + count;
  if (total == 0) return {};
  std::vector<float> stacked;
  stacked.reserve(total * dim_);
  append_scaled(factor_.data(), rank(), dim_, values_.data(), forget, stacked);
  append_scaled(rows, count, dim_, weights, 1, stacked);
  const engine::Rows all{
      .data = stacked.data(), .element = engine::Element::kFloat32, .count = total, .dim = dim_};

  MatrixXd gram(total, total);
  Status status = engine::gram_of_rows(all, gram.data(), parallel);
  if (!status.ok()) return status;
  if (!gram.allFinite()) {
    return {StatusCode::kNonFinite, "a row or a weight is not finite; every element must be"};
  }
  const Solver solver(gram);
  std::vector<double> values = leading_values(solver, most_rank_);
  std::vector<float> factor(values.size() * dim_);
  status =
      engine::combine_rows(all, combinations(solver, values).data(), values.size(), factor.data(), parallel);
  if (!status.ok()) return status;

  const bool shrinks = rule_ == SketchRule::kFrequentDirections && values.size() < total;
  const double taken = shrinks ? std::max(0.0, solver.eigenvalues()[column(solver, values.size())]) : 0;
  double left_out = gram.trace();
  for (double& value : values) left_out -= value -= taken;
  discarded_ = discarded_ * forget + std::max(0.0, left_out);
  shrinkage_ = shrinkage_ * forget + taken;
  values_ = std::move(values);
  factor_ = std::move(factor);
  return {};
}

}  // namespace engram::spectral
