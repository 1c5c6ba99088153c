#include "transport/evaluation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace engram::transport {
namespace {

constexpr size_t kMostChunks = 32;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double square_distance(const double* x, const double* y, size_t dim) {
  double sum = 0;
  for (size_t d = 0; d < dim; ++d) sum += (x[d] - y[d]) * (x[d] - y[d]);
  return sum;
}

}  // namespace

// ---- GibbsSum ----

void GibbsSum::reset(size_t size, size_t dim) {
  most_ = -kInfinity;
  total_ = 0;
  bound_ = 0;
  f_.assign(size, 0);
  means_.assign(size * dim, 0);
}

// Makes `exponent` one that can be added; returns the factor of what belongs to it.
double GibbsSum::rescale(double exponent) {
  if (exponent <= most_) return std::exp(exponent - most_);
  const double shrink = total_ == 0 ? 0 : std::exp(most_ - exponent);
  most_ = exponent;
  total_ *= shrink;
  bound_ *= shrink;
  for (double& f : f_) f *= shrink;
  for (double& mean : means_) mean *= shrink;
  return 1;
}

void GibbsSum::add(double exponent, double bound, std::span<const double> f, std::span<const double> means) {
  const double weight = rescale(exponent);
  total_ += weight;
  bound_ += weight * bound;
  for (size_t i = 0; i < f_.size(); ++i) f_[i] += weight * f[i];
  for (size_t i = 0; i < means_.size(); ++i) means_[i] += weight * means[i];
}

void GibbsSum::add(const GibbsSum& other) {
  if (other.empty()) return;
  const double factor = rescale(other.most_);
  total_ += factor * other.total_;
  bound_ += factor * other.bound_;
  for (size_t i = 0; i < f_.size(); ++i) f_[i] += factor * other.f_[i];
  for (size_t i = 0; i < means_.size(); ++i) means_[i] += factor * other.means_[i];
}

double GibbsSum::log_total() const { return most_ + std::log(total_); }

// ---- Evaluation ----

Evaluation::Evaluation(const MeasureMemory& memory, const FlowOptions& options)
    : memory_(memory),
      options_(options),
      geometry_(geometry_of(memory)),
      terms_(memory.self_terms()),
      memos_(memory.clouds().count()),
      lower_(memory.clouds().count()) {
  const size_t count = memory.clouds().count();
  const size_t chunks = std::min(count, kMostChunks);
  for (size_t c = 0; c < chunks; ++c) chunks_.emplace_back(count * c / chunks, count * (c + 1) / chunks);
}

size_t Evaluation::most_bytes(const MeasureMemory& memory, size_t n, const FlowOptions& options) {
  const size_t dim = memory.clouds().dim();
  const size_t memos =
      memory.clouds().count() * (n + sizeof(Memo) / sizeof(double)) + memory.clouds().points().size() / dim;
  const size_t sums = (kMostChunks + 1) * n * (dim + 1);
  const size_t states = std::min<size_t>(options.steps, memory.clouds().count()) * n * dim;
  return (memos + sums + states) * sizeof(double);
}

void Evaluation::begin(const State& state) {
  const size_t n = state.weights.size();
  if (self_f_.size() != n) {
    self_f_.clear();
    memos_.assign(memos_.size(), Memo());
    surveyed_ = false;
  }
  state_ = &state;
  points_ = std::make_shared<const std::vector<double>>(state.points);
  mean_.resize(geometry_.dim);
  mean_of(state.measure(), geometry_.dim, mean_.data());
  divergences_.assign(memos_.size(), kInfinity);
  const auto restart = [&](Chunk& chunk) {
    chunk.at = chunk.first;
    chunk.solving = false;
    chunk.sum.reset(n, geometry_.dim);
    chunk.evaluated = 0;
    chunk.iterations = 0;
    chunk.converged = true;
  };
  restart(first_);
  for (Chunk& chunk : chunks_) restart(chunk);
}

Result<bool> Evaluation::self(Workspace& workspace, bool fresh, size_t& entries) {
  if (fresh) {
    const double* start = self_f_.empty() ? nullptr : self_f_.data();
    Status status = workspace.self.start(state_->measure(), geometry_, options_.solve, start, /*means=*/true);
    if (!status.ok()) return status;
  }
  Result<bool> solved = workspace.self.advance(entries);
  if (!solved.ok() || !solved.value()) return solved;
  self_ = workspace.self.solution();
  self_f_ = workspace.self.f();
  self_means_ = workspace.self.means();
  first_.iterations += self_.iterations;
  first_.converged = self_.converged;
  return true;
}

// S_k >= this when OT(mu, nu_k) >= cross.
double Evaluation::lower_bound_of(size_t k, double cross) const {
  const Solution& own = terms_.solution(k);
  return cross - (self_upper() + own.value + own.bound) / 2;
}

// All clouds that are left out together may weigh `prune` of what the nearest weighs.
bool Evaluation::negligible(size_t k, double lower_bound) const {
  if (options_.prune <= 0) return false;
  const double allowed = std::log(options_.prune / static_cast<double>(memos_.size()));
  return exponent(k, lower_bound) <= allowed + nearest_exponent_;
}

// S(mu, nu) = cost_scale |m_mu - m_nu|^2 + S of the centred measures.
double Evaluation::mean_bound(size_t k) const {
  return geometry_.cost_scale * square_distance(mean_.data(), terms_.mean(k).data(), geometry_.dim);
}

// Where the points have moved from x to x' since f was computed, with R the radius of the cloud around its
// mean m,
//   f(x') >= f(x) + cost_scale (|x' - m|^2 - |x - m|^2 - 2 R |x' - x|),
// since softmin, less the square, is Lipschitz with the constant 2 cost_scale R.
double Evaluation::moved_bound(size_t k) const {
  const Memo& memo = memos_[k];
  if (memo.f.empty()) return -kInfinity;
  const double* mean = terms_.mean(k).data();
  double cross = memo.mean_potential;
  for (size_t i = 0; i < memo.f.size(); ++i) {
    const double* x = memo.points->data() + i * geometry_.dim;
    const double* moved = state_->points.data() + i * geometry_.dim;
    const double squares =
        square_distance(moved, mean, geometry_.dim) - square_distance(x, mean, geometry_.dim);
    const double way = 2 * terms_.radius(k) * std::sqrt(square_distance(moved, x, geometry_.dim));
    cross += state_->weights[i] * (memo.f[i] + geometry_.cost_scale * (squares - way));
  }
  return lower_bound_of(k, cross);
}

Status Evaluation::start(size_t k, Workspace& workspace) {
  const Measure nu = to_float64(memory_.clouds()[k], geometry_.dim, workspace.y);
  SolveOptions options = options_.solve;
  options.max_iterations -= std::exchange(memos_[k].device_iterations, 0);
  return workspace.cross.start(state_->measure(), nu, geometry_, options, /*means=*/true);
}

// The larger dual value of two potentials: the tilted self potential, which is exact for a translate, and the
// one of the last solution. The solver goes on from the better.
double Evaluation::dual_bound(size_t k, Workspace& workspace, size_t& entries) {
  CrossSolver& solver = workspace.cross;
  Memo& memo = memos_[k];
  const Cloud cloud = memory_.clouds()[k];
  const Measure nu{workspace.y.data(), cloud.weights, cloud.size};
  tilted_potential(terms_, k, nu, mean_.data(), geometry_, workspace.potential);
  solver.begin_with(workspace.potential.data());
  double best = solver.lower_bound(entries);
  memo.f = solver.f();
  const std::vector<double>* chosen = &workspace.potential;
  if (!memo.g.empty()) {
    solver.begin_with(memo.g.data());
    const double again = solver.lower_bound(entries);
    if (again >= best) {
      best = again;
      memo.f = solver.f();
      chosen = &memo.g;
    } else {
      solver.begin_with(workspace.potential.data());
    }
  }
  memo.mean_potential = 0;
  for (size_t j = 0; j < nu.size; ++j) memo.mean_potential += nu.weights[j] * (*chosen)[j];
  memo.points = points_;
  return lower_bound_of(k, best);
}

// Takes the solution for cloud k in.
void Evaluation::take(size_t k, const CrossSolver& solver, Chunk& chunk) {
  take(k, {solver.solution(), solver.f(), solver.g(), solver.means()}, chunk);
}

void Evaluation::take(size_t k, const Solved& solved, Chunk& chunk) {
  const Debiased divergence = debias(solved.solution, self_, terms_.solution(k));
  divergences_[k] = divergence.value;
  memos_[k].g.assign(solved.g.begin(), solved.g.end());
  chunk.sum.add(exponent(k, divergence.value), divergence.bound, solved.f, solved.means);
  ++chunk.evaluated;
  chunk.iterations += solved.solution.iterations;
  chunk.converged = chunk.converged && solved.solution.converged;
  if (&chunk == &first_) nearest_exponent_ = exponent(k, divergence.value + divergence.bound);
}

Result<bool> Evaluation::survey(size_t index, Workspace& workspace, bool fresh, size_t& entries) {
  Chunk& chunk = chunks_[index];
  if (fresh) chunk.at = chunk.first;
  for (; chunk.at < chunk.end && entries > 0; ++chunk.at) {
    Status status = start(chunk.at, workspace);
    if (!status.ok()) return status;
    lower_[chunk.at] = dual_bound(chunk.at, workspace, entries);
  }
  if (chunk.at < chunk.end) return false;
  chunk.at = chunk.first;
  return true;
}

Result<bool> Evaluation::nearest_first(Workspace& workspace, bool fresh, size_t& entries) {
  if (fresh) {
    if (needs_survey()) {
      const auto better = [this](size_t k, size_t l) {
        return exponent(k, lower_[k]) < exponent(l, lower_[l]);
      };
      nearest_ = 0;
      for (size_t k = 1; k < lower_.size(); ++k) nearest_ = better(nearest_, k) ? k : nearest_;
      surveyed_ = true;
    } else {
      std::fill(lower_.begin(), lower_.end(), -kInfinity);
    }
    Status status = start(nearest_, workspace);
    if (!status.ok()) return status;
    dual_bound(nearest_, workspace, entries);
  }
  Result<bool> solved = workspace.cross.advance(entries);
  if (!solved.ok() || !solved.value()) return solved;
  take(nearest_, workspace.cross, first_);
  return true;
}

bool Evaluation::is_open(size_t k) const {
  return divergences_[k] == kInfinity && !negligible(k, mean_bound(k)) && !negligible(k, lower_[k]) &&
         !negligible(k, moved_bound(k));
}

std::span<const double> Evaluation::first_potential(size_t k, Workspace& workspace) const {
  if (!memos_[k].g.empty()) return memos_[k].g;
  const Measure nu = to_float64(memory_.clouds()[k], geometry_.dim, workspace.y);
  tilted_potential(terms_, k, nu, mean_.data(), geometry_, workspace.potential);
  return workspace.potential;
}

Status Evaluation::take(size_t k, const DeviceAnswer& answer) {
  const auto is_of = [k](const Chunk& chunk) { return k < chunk.end; };
  Chunk& chunk = *std::find_if(chunks_.begin(), chunks_.end(), is_of);
  Memo& memo = memos_[k];
  if (!is_final(answer.solution, options_.solve)) {  // others() goes on from there
    memo.g.assign(answer.potential.begin(), answer.potential.end());
    memo.device_iterations = answer.solution.iterations;
    chunk.iterations += answer.solution.iterations;
    return {};
  }
  const Result<Solution> solution = solution_of(answer.solution, geometry_);
  if (!solution.ok()) return solution.status();
  take(k, {solution.value(), answer.transform, answer.potential, answer.projections}, chunk);
  memo.f.assign(answer.transform.begin(), answer.transform.end());
  const Cloud cloud = memory_.clouds()[k];
  memo.mean_potential = std::inner_product(memo.g.begin(), memo.g.end(), cloud.weights, 0.0);
  memo.points = points_;
  return {};
}

Result<bool> Evaluation::others(size_t index, Workspace& workspace, size_t& entries) {
  Chunk& chunk = chunks_[index];
  while (chunk.at < chunk.end && entries > 0) {
    const size_t k = chunk.at;
    if (!chunk.solving) {
      const size_t look = geometry_.dim * state_->weights.size();
      entries -= std::min(entries, look);
      if (!is_open(k)) {
        ++chunk.at;
        continue;
      }
      Status status = start(k, workspace);
      if (!status.ok()) return status;
      const double bound = dual_bound(k, workspace, entries);
      if (negligible(k, bound)) {
        ++chunk.at;
        continue;
      }
      chunk.solving = true;
    }
    Result<bool> solved = workspace.cross.advance(entries);
    if (!solved.ok()) return solved;
    if (!solved.value()) return false;
    take(k, workspace.cross, chunk);
    chunk.solving = false;
    ++chunk.at;
  }
  return chunk.at == chunk.end;
}

void Evaluation::end(Energetics& found) {
  found.evaluated = first_.evaluated;
  found.iterations = first_.iterations;
  found.converged = first_.converged;
  for (const Chunk& chunk : chunks_) {
    first_.sum.add(chunk.sum);
    found.evaluated += chunk.evaluated;
    found.iterations += chunk.iterations;
    found.converged = found.converged && chunk.converged;
  }
  const GibbsSum& sum = first_.sum;
  found.energy = -sum.log_total() / options_.beta;
  found.slack = 2 * (sum.bound() + options_.prune / options_.beta);
  found.divergences = divergences_;
  found.nearest =
      static_cast<size_t>(std::min_element(divergences_.begin(), divergences_.end()) - divergences_.begin());
  nearest_ = found.nearest;

  const size_t n = state_->weights.size();
  found.variation.resize(n);
  found.gradient.resize(n * geometry_.dim);
  double average = 0;
  for (size_t i = 0; i < n; ++i) {
    found.variation[i] = sum.f(i) - self_f_[i];
    average += state_->weights[i] * found.variation[i];
  }
  found.gradient_points = 0;
  found.gradient_weights = 0;
  for (size_t i = 0; i < n; ++i) {
    found.variation[i] -= average;
    double square = 0;
    for (size_t at = i * geometry_.dim; at < (i + 1) * geometry_.dim; ++at) {
      found.gradient[at] = 2 * geometry_.cost_scale * (self_means_[at] - sum.mean(at));
      square += found.gradient[at] * found.gradient[at];
    }
    found.gradient_points += state_->weights[i] * square;
    found.gradient_weights += state_->weights[i] * found.variation[i] * found.variation[i];
  }
}

}  // namespace engram::transport
