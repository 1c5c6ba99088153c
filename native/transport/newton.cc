#include "transport/newton.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numbers>

namespace engram::transport {
namespace {

constexpr double kFar = 4;        // log2 of mass over weight beyond which a Sinkhorn update does better
constexpr double kArmijo = 1e-4;  // share of the predicted growth that a step must bring
constexpr int kMostHalvings = 40;
constexpr double kRounding = 1e-13;  // of D, relative: growth below it cannot be seen

bool is_far(const Columns& columns, const std::vector<double>& column_sum) {
  for (size_t j = 0; j < columns.count; ++j) {
    const double b = columns.b[j];
    if (b > 0 && !(std::abs(std::log2(column_sum[j] / b)) <= kFar)) return true;
  }
  return false;
}

void sinkhorn_update(Columns& columns, const std::vector<double>& column_sum) {
  constexpr double kMost = 900;  // exponents: a mass below the smallest Float64
  for (size_t j = 0; j < columns.count; ++j) {
    if (columns.b[j] > 0) columns.z[j] += std::min(std::log2(columns.b[j] / column_sum[j]), kMost);
  }
  columns.set_exponents();
}

}  // namespace

// D in units of epsilon.
double Newton::dual(const Measure& mu, const Columns& columns) const {
  double sum = 0;
  for (size_t i = 0; i < mu.size; ++i) sum -= mu.weights[i] * lse_[i];
  return (sum + columns.mean_potential()) * std::numbers::ln2;
}

// Solves (diag(c) - K^T diag(a) K) direction = b - c. With s = c^(-1/2) on both sides the diagonal is about
// 1; the null vector (potentials are free up to a constant) is sqrt(c) there and is lifted to eigenvalue 1.
void Newton::direction(engine::GibbsPair& pair, const Measure& mu, const Columns& columns) {
  const auto n = static_cast<Eigen::Index>(columns.count);
  gram_.resize(columns.count * pair.stride());
  pair.gram(mu.weights, gram_.data());
  Eigen::VectorXd root(n);
  Eigen::VectorXd right(n);
  for (Eigen::Index j = 0; j < n; ++j) {
    const auto at = static_cast<size_t>(j);
    const bool used = columns.b[at] > 0 && column_sum_[at] > 0;
    root[j] = used ? std::sqrt(column_sum_[at]) : 0;
    right[j] = used ? (columns.b[at] - column_sum_[at]) / root[j] : 0;
  }
  Eigen::MatrixXd hessian(n, n);
  for (Eigen::Index j = 0; j < n; ++j) {
    for (Eigen::Index k = 0; k <= j; ++k) {
      const double scale = root[j] * root[k];
      const double g = gram_[static_cast<size_t>(j) * pair.stride() + static_cast<size_t>(k)];
      hessian(j, k) = scale > 0 ? scale - g / scale : 0;
    }
    hessian(j, j) += 1 + 1e-14;
  }
  const Eigen::VectorXd solved = hessian.selfadjointView<Eigen::Lower>().llt().solve(right);
  direction_.assign(columns.count, 0);
  for (Eigen::Index j = 0; j < n; ++j) {
    if (root[j] > 0) direction_[static_cast<size_t>(j)] = solved[j] / root[j];
  }
}

bool Newton::line_search(engine::GibbsPair& pair, const Measure& mu, Columns& columns, double before) {
  double slope = 0;
  double longest = 0;
  for (size_t j = 0; j < columns.count; ++j) {
    slope += (columns.b[j] - column_sum_[j]) * direction_[j];
    longest = std::max(longest, std::abs(direction_[j]));
  }
  if (!(slope > 0) || !std::isfinite(longest)) return false;
  // No two optimal potentials differ by more than the costs do.
  const double most = 1 + 2 * pair.spread() * pair.rate() * std::numbers::ln2;
  const std::vector<double> z = columns.z;
  double t = std::min(1.0, most / longest);
  for (int halvings = 0; halvings < kMostHalvings; ++halvings, t /= 2) {
    for (size_t j = 0; j < columns.count; ++j) columns.z[j] = z[j] + t * direction_[j] * std::numbers::log2e;
    columns.set_exponents();
    pair.row_constants(columns.h.data(), lse_.data());
    // Near the solution D is flat within rounding and the full step is right.
    const bool invisible = t * slope <= kRounding * std::abs(before);
    if (dual(mu, columns) >= before + (invisible ? -kRounding * std::abs(before) : kArmijo * t * slope)) {
      return true;
    }
  }
  columns.z = z;
  columns.set_exponents();
  return false;
}

Result<Newton::Step> Newton::step(engine::GibbsPair& pair, const Measure& mu, Columns& columns,
                                  double tolerance) {
  lse_.resize(mu.size);
  column_sum_.resize(pair.stride());
  ones_.assign(pair.stride(), 1);
  Status status = pair.build<double>(columns.h.data(), lse_.data());
  if (!status.ok()) return status;
  pair.iterate<double>(mu.weights, ones_.data(), column_sum_.data());
  Step step;
  for (size_t j = 0; j < columns.count; ++j) step.residual += std::abs(column_sum_[j] - columns.b[j]);
  if (step.residual <= tolerance) return step;
  if (is_far(columns, column_sum_)) {
    sinkhorn_update(columns, column_sum_);
    step.progressed = true;
    return step;
  }
  direction(pair, mu, columns);
  step.progressed = line_search(pair, mu, columns, dual(mu, columns));
  return step;
}

}  // namespace engram::transport
