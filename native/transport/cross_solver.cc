#include "transport/cross_solver.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "transport/exponents.h"

namespace engram::transport {

using engine::GibbsPair;

namespace {

constexpr uint32_t kLookEvery = 32;  // iterations between looks at the rate of convergence
constexpr double kStalled = 0.999;   // decay of the residual per iteration that is none
constexpr double kMostUpdate = 900;  // exponents: a mass below the smallest Float64
constexpr double kNewtonSteps = 8;   // what a solution by Newton usually takes

}  // namespace

Status CrossSolver::start(const Measure& mu, const Measure& nu, const Geometry& geometry,
                          const SolveOptions& options, bool means) {
  mu_ = mu;
  nu_ = nu;
  options_ = options;
  wants_means_ = means;
  solution_ = {};
  const bool keep = options.solver != Solver::kLog &&
                    (options.solver != Solver::kAuto || mu.size * nu.size <= GibbsPair::kMostKept);
  Status status = pair_.load({mu.points, mu.weights, mu.size}, {nu.points, nu.weights, nu.size}, geometry.dim,
                             geometry.cost_scale, geometry.epsilon, keep);
  if (!status.ok()) return status;
  checked_ = false;
  columns_.assign(nu, pair_.stride());
  lse_.resize(mu.size);
  column_sum_.assign(pair_.stride(), 0);
  passed_ = 0;
  looked_residual_ = 0;
  looked_iteration_ = 0;
  decay_ = 1;
  before_pass_ = Stage::kPass;
  if (!keep) {
    stage_ = Stage::kPass;
    anderson_.reset(columns_.b.size(), columns_.b.data());
  } else if (options.solver == Solver::kNewton) {
    stage_ = nu.size <= Newton::kMostColumns ? Stage::kNewton : Stage::kKernel64;
  } else {
    stage_ = options.precision == Precision::kFloat32 ? Stage::kKernel32 : Stage::kKernel64;
  }
  if (stage_ == Stage::kKernel32) kernel32_.start(mu, columns_);
  if (stage_ == Stage::kKernel64) kernel64_.start(mu, columns_);
  return {};
}

void CrossSolver::begin_with(const double* potential) { columns_.set_potential(potential, pair_.rate()); }

double CrossSolver::lower_bound(size_t& entries) {
  while (const size_t done = pair_.compute_costs(mu_.size * nu_.size)) entries -= std::min(entries, done);
  pair_.row_constants(columns_.h.data(), lse_.data());
  entries -= std::min(entries, mu_.size * nu_.size);
  return dual();
}

// D(g), and f_ from the row constants.
double CrossSolver::dual() {
  f_.resize(mu_.size);
  double value = 0;
  for (size_t i = 0; i < mu_.size; ++i) {
    f_[i] = -lse_[i] / pair_.rate();
    value += mu_.weights[i] * f_[i];
  }
  return value + columns_.mean_potential() / pair_.rate();
}

Result<bool> CrossSolver::advance(size_t& entries) {
  while (stage_ != Stage::kDone && entries > 0) {
    if (const size_t done = pair_.compute_costs(entries); done > 0) {
      entries -= std::min(entries, done);
      continue;
    }
    if (!std::exchange(checked_, true)) {
      Status status = check_exponents(pair_);
      if (!status.ok()) return status;
    }
    Result<size_t> worked = work(entries);
    if (!worked.ok()) return worked.status();
    entries -= std::min(entries, worked.value());
  }
  return stage_ == Stage::kDone;
}

// One stage's next piece of work; how many entries it has cost.
Result<size_t> CrossSolver::work(size_t entries) {
  switch (stage_) {
    case Stage::kPass: return pass(entries);
    case Stage::kKernel32: return iterate(kernel32_, entries);
    case Stage::kKernel64: return iterate(kernel64_, entries);
    case Stage::kNewton: return newton();
    case Stage::kDone: break;
  }
  return size_t{0};
}

Result<size_t> CrossSolver::pass(size_t entries) {
  if (passed_ == 0) {
    std::fill(column_sum_.begin(), column_sum_.end(), 0.0);
    if (wants_means_) means_.resize(mu_.size * pair_.dim());
  }
  const size_t rows = std::clamp<size_t>(entries / nu_.size, 1, mu_.size - passed_);
  pair_.pass(passed_, rows, columns_.h.data(), mu_.weights, lse_.data(), column_sum_.data(),
             wants_means_ ? means_.data() : nullptr);
  passed_ += rows;
  if (passed_ == mu_.size) {
    Status status = judge_pass();
    if (!status.ok()) return status;
  }
  return rows * nu_.size;
}

// What to do after a pass: the end, or on with the form that is more exact than the one it was to certify.
Status CrossSolver::judge_pass() {
  passed_ = 0;
  if (before_pass_ == Stage::kPass) ++solution_.iterations;  // else it only certifies
  double residual = 0;
  for (size_t j = 0; j < nu_.size; ++j) residual += std::abs(column_sum_[j] - nu_.weights[j]);
  solution_.residual = residual;
  if (residual <= options_.tolerance || exhausted()) return finish(residual <= options_.tolerance);
  switch (before_pass_) {
    case Stage::kKernel32:
      stage_ = Stage::kKernel64;
      kernel64_.start(mu_, columns_);
      return {};
    case Stage::kKernel64:
      if (nu_.size > Newton::kMostColumns) return finish(false);
      stage_ = Stage::kNewton;
      return {};
    case Stage::kPass: return sinkhorn_update();
    case Stage::kNewton:
    case Stage::kDone: break;
  }
  return finish(false);
}

Status CrossSolver::sinkhorn_update() {
  next_z_ = columns_.z;
  for (size_t j = 0; j < nu_.size; ++j) {
    if (nu_.weights[j] == 0) continue;
    next_z_[j] += std::min(columns_.log_b[j] - std::log2(column_sum_[j]), kMostUpdate);
  }
  anderson_.propose(columns_.z.data(), next_z_.data(), solution_.residual);
  std::swap(columns_.z, next_z_);
  columns_.set_exponents();
  return {};
}

template <typename T>
Result<size_t> CrossSolver::iterate(ScalingIterations<T>& iterations, size_t entries) {
  const double cost = GibbsPair::kIterationCost<T> * static_cast<double>(mu_.size * nu_.size);
  const uint32_t left = options_.max_iterations - solution_.iterations;
  const auto count = static_cast<uint32_t>(
      std::clamp(static_cast<double>(entries) / cost, 1.0, static_cast<double>(std::min(left, kLookEvery))));
  const uint32_t before = iterations.iterations();
  const bool rough = std::is_same_v<T, float> && options_.tolerance < GibbsPair::kFloat32Residual;
  const double goal = rough && options_.tolerance > 0 ? GibbsPair::kFloat32Residual : options_.tolerance;
  Status status = iterations.run(pair_, columns_, count, goal);
  if (!status.ok()) return status;
  solution_.iterations += iterations.iterations() - before;
  const bool reached = iterations.residual() <= goal;
  if (reached && goal > options_.tolerance && !exhausted()) {
    iterations.absorb(columns_);
    stage_ = Stage::kKernel64;
    kernel64_.start(mu_, columns_);
    return static_cast<size_t>(cost * count) + 1;
  }
  const bool stuck = !reached && slow(iterations.residual());
  if (reached || stuck || exhausted()) {
    iterations.absorb(columns_);
    before_pass_ = stage_;
    stage_ = stuck && newton_pays(iterations.residual()) ? Stage::kNewton : Stage::kPass;
  }
  return static_cast<size_t>(cost * count) + 1;
}

// Looks at the rate of convergence from time to time: true when going on like this is not worth it.
bool CrossSolver::slow(double residual) {
  if (options_.tolerance == 0 || solution_.iterations < looked_iteration_ + kLookEvery) return false;
  const double iterations = solution_.iterations - looked_iteration_;
  decay_ = looked_residual_ > 0 ? std::exp2(std::log2(residual / looked_residual_) / iterations) : 0;
  looked_residual_ = residual;
  looked_iteration_ = solution_.iterations;
  const bool rounding = stage_ == Stage::kKernel32 && residual < 1e-5;  // what Float32 products leave
  return (rounding && decay_ > kStalled) || newton_pays(residual);
}

// A Newton step costs about as much as an iteration for each column.
bool CrossSolver::newton_pays(double residual) const {
  if (options_.solver != Solver::kAuto || nu_.size > Newton::kMostColumns || options_.tolerance == 0)
    return false;
  if (decay_ >= 1) return true;
  const double iterations = std::log(options_.tolerance / residual) / std::log(decay_);
  return iterations > kNewtonSteps * static_cast<double>(nu_.size);
}

Result<size_t> CrossSolver::newton() {
  Result<Newton::Step> step = newton_.step(pair_, mu_, columns_, options_.tolerance);
  if (!step.ok()) return step.status();
  ++solution_.iterations;
  if (!step.value().progressed || exhausted()) {
    before_pass_ = stage_;
    stage_ = Stage::kPass;
  }
  return mu_.size * nu_.size * (4 + nu_.size / 32);
}

Status CrossSolver::finish(bool converged) {
  stage_ = Stage::kDone;
  solution_.converged = converged;
  solution_.value = dual();
  g_.resize(nu_.size);
  for (size_t j = 0; j < nu_.size; ++j) g_[j] = columns_.z[j] / pair_.rate();
  solution_.bound = solution_.residual * (pair_.spread() + columns_.oscillation() / pair_.rate()) / 2;
  return check_exponents(pair_);
}

}  // namespace engram::transport
