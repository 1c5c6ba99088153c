#include "transport/self_solver.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include "transport/exponents.h"

namespace engram::transport {

using engine::GibbsPair;

namespace {

constexpr uint32_t kBatch = 32;  // iterations between two absorptions: 2^-32 is all they can do

}  // namespace

Status SelfSolver::start(const Measure& mu, const Geometry& geometry, const SolveOptions& options,
                         const double* start, bool means) {
  mu_ = mu;
  options_ = options;
  wants_means_ = means;
  solution_ = {};
  const bool keep = options.solver != Solver::kLog &&
                    (options.solver != Solver::kAuto || mu.size * mu.size <= GibbsPair::kMostKept);
  const engine::Points points{mu.points, mu.weights, mu.size};
  Status status = pair_.load(points, points, geometry.dim, geometry.cost_scale, geometry.epsilon, keep);
  if (!status.ok()) return status;
  checked_ = false;
  columns_.assign(mu, pair_.stride());
  if (start != nullptr) columns_.set_potential(start, pair_.rate());
  lse_.resize(mu.size);
  column_sum_.resize(pair_.stride());
  passed_ = 0;
  before_pass_ = Stage::kPass;
  stage_ = !keep                                      ? Stage::kPass
           : options.precision == Precision::kFloat32 ? Stage::kKernel32
                                                      : Stage::kKernel64;
  return {};
}

Result<bool> SelfSolver::advance(size_t& entries) {
  const size_t all = mu_.size * mu_.size;
  while (stage_ != Stage::kDone && entries > 0) {
    if (const size_t done = pair_.compute_costs(entries); done > 0) {
      entries -= std::min(entries, done);
      continue;
    }
    Status status = std::exchange(checked_, true) ? Status() : check_exponents(pair_);
    if (!status.ok()) return status;
    size_t done = all;
    if (stage_ == Stage::kPass) {
      const size_t rows = std::clamp<size_t>(entries / mu_.size, 1, mu_.size - passed_);
      status = pass(rows);
      done = rows * mu_.size;
    } else {
      const bool single = stage_ == Stage::kKernel32;
      status = single ? iterate(scalings32_, std::max(options_.tolerance, GibbsPair::kFloat32Residual))
                      : iterate(scalings64_, options_.tolerance);
      const double cost = single ? GibbsPair::kIterationCost<float> : GibbsPair::kIterationCost<double>;
      done += static_cast<size_t>(kBatch * cost * static_cast<double>(all));
    }
    if (!status.ok()) return status;
    entries -= std::min(entries, done);
  }
  return stage_ == Stage::kDone;
}

// A batch of averaged updates. With f^ = -lse the soft c-transform of the potential absorbed, s = 2^(f - f^).
template <typename T>
Status SelfSolver::iterate(Scalings<T>& scalings, double goal) {
  Status status = pair_.build<T>(columns_.h.data(), lse_.data());
  if (!status.ok()) return status;
  const size_t n = mu_.size;
  scalings.a.assign(mu_.weights, mu_.weights + n);
  scalings.v.assign(pair_.stride(), T{1});
  for (size_t i = 0; i < n; ++i) column_sum_[i] = std::clamp(columns_.z[i] + lse_[i], -100.0, 100.0);
  engine::exp2_all(column_sum_.data(), n);
  scalings.s.assign(column_sum_.begin(), column_sum_.begin() + static_cast<ptrdiff_t>(n));
  double residual = goal + 1;
  for (uint32_t k = 0; k < kBatch && residual > goal && !exhausted(); ++k, ++solution_.iterations) {
    residual = pair_.symmetric<T>(scalings.a.data(), scalings.s.data(), scalings.v.data());
  }
  for (size_t i = 0; i < n; ++i) {
    if (scalings.a[i] > 0) columns_.z[i] += std::log2(static_cast<double>(scalings.v[i]));
  }
  columns_.set_exponents();
  if (residual > goal && !exhausted()) return {};
  before_pass_ = stage_;
  stage_ = goal > options_.tolerance && !exhausted() ? Stage::kKernel64 : Stage::kPass;
  return {};
}

Status SelfSolver::pass(size_t rows) {
  if (passed_ == 0) {
    std::fill(column_sum_.begin(), column_sum_.end(), 0.0);
    if (wants_means_) means_.resize(mu_.size * pair_.dim());
  }
  pair_.pass(passed_, rows, columns_.h.data(), mu_.weights, lse_.data(), column_sum_.data(),
             wants_means_ ? means_.data() : nullptr);
  passed_ += rows;
  return passed_ == mu_.size ? judge_pass() : Status();
}

Status SelfSolver::judge_pass() {
  passed_ = 0;
  if (before_pass_ == Stage::kPass) ++solution_.iterations;  // else it only certifies
  double residual = 0;
  double asymmetry = 0;  // where points are far apart the marginal says nothing: any potential fits it
  for (size_t i = 0; i < mu_.size; ++i) {
    residual += std::abs(column_sum_[i] - mu_.weights[i]);
    if (mu_.weights[i] > 0) asymmetry += mu_.weights[i] * std::abs(std::exp2(columns_.z[i] + lse_[i]) - 1);
  }
  solution_.residual = residual;
  const bool reached = std::max(residual, asymmetry) <= options_.tolerance;
  if (reached || exhausted()) return finish(reached);
  if (before_pass_ == Stage::kKernel32) {
    stage_ = Stage::kKernel64;
  } else if (before_pass_ == Stage::kKernel64) {
    return finish(false);  // rounding leaves no more
  } else {
    for (size_t i = 0; i < mu_.size; ++i) columns_.z[i] = (columns_.z[i] - lse_[i]) / 2;
    columns_.set_exponents();
  }
  return {};
}

Status SelfSolver::finish(bool converged) {
  stage_ = Stage::kDone;
  solution_.converged = converged;
  f_.resize(mu_.size);
  double value = 0;
  for (size_t i = 0; i < mu_.size; ++i) {
    f_[i] = -lse_[i] / pair_.rate();
    value += mu_.weights[i] * f_[i];
  }
  solution_.value = value + columns_.mean_potential() / pair_.rate();
  solution_.bound = solution_.residual * (pair_.spread() + columns_.oscillation() / pair_.rate()) / 2;
  return check_exponents(pair_);
}

}  // namespace engram::transport
