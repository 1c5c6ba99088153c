#include "transport/flow.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace engram::transport {
namespace {

constexpr double kArmijo = 1e-4;  // share of the promised fall of the energy that a step must bring
// The first step sizes are guesses of the scale: too long a step can fall, a little, into another cloud's
// basin.
constexpr double kFirstShare = 0.3;
constexpr double kGrowth = 1.1;  // of both step sizes, after a step
constexpr uint32_t kMostRefusals = 40;
constexpr double kNoDoubt = 1e-9;  // 1 - Gibbs weight at which a stored cloud is taken for the answer

// The range of V over points with mass.
double oscillation(const State& state, const std::vector<double>& variation) {
  double least = 0;  // V is centred: its range holds 0
  double most = 0;
  for (size_t i = 0; i < variation.size(); ++i) {
    if (state.weights[i] == 0) continue;
    least = std::min(least, variation[i]);
    most = std::max(most, variation[i]);
  }
  return most - least;
}

// The diagonal of the bounding box: no two points are further apart.
double diameter(const State& state, size_t dim) {
  double square = 0;
  for (size_t d = 0; d < dim; ++d) {
    double least = state.points[d];
    double most = least;
    for (size_t at = d; at < state.points.size(); at += dim) {
      least = std::min(least, state.points[at]);
      most = std::max(most, state.points[at]);
    }
    square += (most - least) * (most - least);
  }
  return std::sqrt(square);
}

// The largest norm of the rows.
double longest(const std::vector<double>& rows, size_t dim) {
  double most = 0;
  for (size_t first = 0; first < rows.size(); first += dim) {
    double square = 0;
    for (size_t at = first; at < first + dim; ++at) square += rows[at] * rows[at];
    most = std::max(most, square);
  }
  return std::sqrt(most);
}

State to_state(const Cloud& cloud, size_t dim) {
  return {{cloud.points, cloud.points + cloud.size * dim}, {cloud.weights, cloud.weights + cloud.size}};
}

}  // namespace

Flow::Flow(const MeasureMemory& memory, const Cloud& cue, const FlowOptions& options, size_t query)
    : memory_(memory),
      options_(options),
      query_(query),
      evaluation_(memory, options),
      trial_(to_state(cue, memory.clouds().dim())) {
  evaluation_.begin(trial_);
}

void Flow::begin_stage(Stage stage) noexcept {
  stage_ = stage;
  stage_is_fresh_ = true;
  need_ = Need::kOpen;
}

// Judges the evaluation that has ended, then opens the next one, as far as a single thread can.
Result<bool> Flow::work_open(Workspace& workspace, bool fresh, size_t& entries) {
  if (fresh) stage_is_fresh_ = true;
  while (need_ == Need::kOpen) {
    if (stage_ == Stage::kJudge) {
      Status status = judge();
      if (!status.ok()) return status;
      continue;
    }
    const bool beginning = std::exchange(stage_is_fresh_, false);
    const bool is_self = stage_ == Stage::kSelf;
    Result<bool> done = is_self ? evaluation_.self(workspace, beginning, entries)
                                : evaluation_.nearest_first(workspace, beginning, entries);
    if (!done.ok() || !done.value()) return done;
    if (!is_self) {
      need_ = Need::kOthers;
    } else if (evaluation_.needs_survey()) {
      need_ = Need::kSurvey;
    } else {
      begin_stage(Stage::kNearest);
    }
  }
  return true;
}

Result<bool> Flow::work_survey(size_t chunk, Workspace& workspace, bool fresh, size_t& entries) {
  return evaluation_.survey(chunk, workspace, fresh, entries);
}

Result<bool> Flow::work_others(size_t chunk, Workspace& workspace, size_t& entries) {
  return evaluation_.others(chunk, workspace, entries);
}

Status Flow::judge() {
  evaluation_.end(trial_found_);
  const size_t count = memory_.clouds().count();
  pairs_evaluated_ += trial_found_.evaluated;
  pairs_pruned_ += count - trial_found_.evaluated;
  iterations_ += trial_found_.iterations;
  if (options_.solve.strict && !trial_found_.converged) {
    return {StatusCode::kNotConverged, "a transport problem of query " + std::to_string(query_) +
                                           " has not reached the tolerance " +
                                           std::to_string(options_.solve.tolerance) + " within " +
                                           std::to_string(options_.solve.max_iterations) + " iterations"};
  }
  judge_step();
  return {};
}

void Flow::judge_step() {
  if (snapped_) {
    accept();
    need_ = Need::kNothing;
    return;
  }
  if (!begun_) {
    begun_ = true;
    accept();
    set_out();
  } else if (options_.step_rule == StepRule::kFixed || accepts()) {
    ++steps_;
    accept();
    lengthen();
  } else {
    // A promise below the error of the energy cannot be seen to be kept.
    const double promised = step_points_ * found_.gradient_points + step_weights_ * found_.gradient_weights;
    if (promised <= found_.slack + trial_found_.slack) return stop(true);
    if (++refusals_ > kMostRefusals) return stop(false);
    refuse();
    return propose();
  }
  refusals_ = 0;
  if (std::sqrt(found_.gradient_points + found_.gradient_weights) < options_.tolerance) return stop(true);
  if (steps_ >= options_.steps) return stop(false);
  propose();
}

bool Flow::accepts() const {
  const double promised = step_points_ * found_.gradient_points + step_weights_ * found_.gradient_weights;
  const double slack = found_.slack + trial_found_.slack;
  const double share = steps_ == 0 ? kFirstShare : kArmijo;
  return trial_found_.energy <= found_.energy &&
         trial_found_.energy <= found_.energy - share * promised + slack;
}

// The first step sizes: the curvature of S in the points is about 2 cost_scale, V has the unit of the cost.
void Flow::set_out() {
  const double range = oscillation(state_, found_.variation);
  step_points_ = 1 / (2 * memory_.cost_scale());
  step_weights_ = range > 0 ? 1 / range : 1;
  if (options_.step_rule == StepRule::kBound) step_points_ = bounded_step();
  if (options_.step_rule == StepRule::kFixed) {
    step_points_ = options_.step_points;
    step_weights_ = options_.step_weights;
  }
}

// The step sizes to try after one that was accepted.
void Flow::lengthen() {
  if (options_.step_rule == StepRule::kFixed) return;
  step_weights_ *= kGrowth;
  step_points_ = options_.step_rule == StepRule::kBound ? bounded_step() : step_points_ * kGrowth;
}

// No point moves further than the step that would be right for the cloud where it is takes it.
double Flow::bounded_step() const {
  const size_t dim = memory_.clouds().dim();
  const double kappa2 = 2 * memory_.cost_scale();
  const auto step = [&](double diameter) {
    return 1 / (kappa2 * (1 + kappa2 * diameter * diameter / memory_.epsilon()));
  };
  const double here = diameter(state_, dim);
  return step(here + 2 * step(here) * longest(found_.gradient, dim));
}

void Flow::accept() {
  std::swap(state_, trial_);
  std::swap(found_, trial_found_);
  note();
}

// Blames the half of the step that promised more: it was the longer one. The bounded step of the points is
// never to blame.
void Flow::refuse() {
  const double points = step_points_ * found_.gradient_points;
  const double weights = step_weights_ * found_.gradient_weights;
  const bool blame_points = points > weights && options_.step_rule != StepRule::kBound;
  (blame_points ? step_points_ : step_weights_) /= 2;
}

void Flow::propose() {
  const size_t n = state_.weights.size();
  trial_.points.resize(state_.points.size());
  trial_.weights.resize(n);
  for (size_t at = 0; at < state_.points.size(); ++at) {
    trial_.points[at] = state_.points[at] - step_points_ * found_.gradient[at];
  }
  // Exponents are at most 0, and 0 for some point with mass: the total cannot vanish.
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < n; ++i) {
    if (state_.weights[i] > 0) least = std::min(least, found_.variation[i]);
  }
  double total = 0;
  for (size_t i = 0; i < n; ++i) {
    const double a = state_.weights[i];
    trial_.weights[i] = a > 0 ? a * std::exp(-step_weights_ * (found_.variation[i] - least)) : 0;
    total += trial_.weights[i];
  }
  for (double& weight : trial_.weights) weight /= total;
  evaluation_.begin(trial_);
  begin_stage(Stage::kSelf);
}

void Flow::stop(bool settled) {
  settled_ = settled;
  if (options_.snap && snap()) return;
  need_ = Need::kNothing;
}

// Makes the likeliest stored cloud the trial when its Gibbs weight leaves no doubt.
bool Flow::snap() {
  const size_t likely = likeliest();
  if (1 - gibbs(likely) > kNoDoubt) return false;
  snapped_ = true;
  trial_ = to_state(memory_.clouds()[likely], memory_.clouds().dim());
  evaluation_.begin(trial_);
  begin_stage(Stage::kSelf);
  return true;
}

// Weights in terms of the energy: w_k = p_k exp(-beta (S_k - E)).
double Flow::gibbs(size_t k) const {
  if (std::isinf(found_.divergences[k])) return 0;
  const double prior = memory_.log_prior().empty() ? 0 : memory_.log_prior()[k];
  return std::exp(prior - options_.beta * (found_.divergences[k] - found_.energy));
}

size_t Flow::likeliest() const {
  size_t best = found_.nearest;
  for (size_t k = 0; k < found_.divergences.size(); ++k) best = gibbs(k) > gibbs(best) ? k : best;
  return best;
}

void Flow::note() {
  if (!options_.trace || snapped_) return;
  trace_.energy.push_back(found_.energy);
  trace_.gradient.push_back(std::sqrt(found_.gradient_points + found_.gradient_weights));
  trace_.step_points.push_back(steps_ == 0 ? 0 : step_points_);
  trace_.step_weights.push_back(steps_ == 0 ? 0 : step_weights_);
  trace_.nearest.push_back(static_cast<uint32_t>(likeliest()));
  trace_.evaluated.push_back(found_.evaluated);
  trace_.points.insert(trace_.points.end(), state_.points.begin(), state_.points.end());
  trace_.weights.insert(trace_.weights.end(), state_.weights.begin(), state_.weights.end());
}

}  // namespace engram::transport
