#include "spectral/recall.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "spectral/correlations.h"
#include "spectral/random_stream.h"

namespace engram::spectral {
namespace {

Status check(const MatrixView<const int8_t>& archetypes, const FloatRows& cues,
             const RecallOptions& options) {
  if (cues.cols == 0 || (archetypes.rows > 0 && archetypes.cols != cues.cols)) {
    return {StatusCode::kShape, "cues of " + std::to_string(cues.cols) + " entries for archetypes of " +
                                    std::to_string(archetypes.cols)};
  }
  if (!(options.beta > 0)) {
    return {StatusCode::kRange, "beta is greater than 0, not " + std::to_string(options.beta)};
  }
  for (size_t i = 0; i < cues.rows; ++i) {
    if (!std::all_of(cues.row(i), cues.row(i) + cues.cols, [](float x) { return std::isfinite(x); })) {
      return {StatusCode::kNonFinite, "cue " + std::to_string(i) + " is not finite"};
    }
  }
  return {};
}

class Dynamics {
 public:
  Dynamics(const FloatRows& xi, const RecallOptions& options)
      : xi_(xi), options_(options), products_(xi.rows), weights_(xi.rows), state_(xi.cols), field_(xi.cols) {
    if (is_pseudo_inverse()) inverse_ = inverse_correlations(xi);
  }

  struct Outcome {
    bool converged = false;
    uint32_t steps = 0;
  };

  // False when asked to stop.
  bool run(const float* cue, uint64_t number, const KeepGoing& keep_going, Outcome& outcome) {
    std::copy(cue, cue + xi_.cols, state_.begin());
    RandomStream random(options_.seed, number);
    const bool is_glauber = std::isfinite(options_.beta);
    while (outcome.steps < options_.steps && (is_glauber || !outcome.converged)) {
      if (!keep_going()) return false;
      find_field();
      outcome.converged = is_glauber ? draw(random) : follow();
      ++outcome.steps;
    }
    for (float& s : state_) s = sign(s, 1);
    return true;
  }

  const std::vector<float>& state() const { return state_; }

  // The archetype with the largest |overlap|, the first one of equals; -1 where there are none.
  int32_t nearest(double& overlap) {
    multiply(xi_, state_.data(), products_.data());
    int32_t best = -1;
    overlap = 0;
    for (size_t k = 0; k < xi_.rows; ++k) {
      const double m = products_[k] / static_cast<double>(xi_.cols);
      if (best >= 0 && std::abs(m) <= std::abs(overlap)) continue;
      best = static_cast<int32_t>(k);
      overlap = m;
    }
    return best;
  }

 private:
  bool is_pseudo_inverse() const { return xi_.rows > 0 && options_.coupling == Coupling::kPseudoInverse; }

  // N h. Whole numbers for Hebbian couplings, so that ties are exact.
  void find_field() {
    multiply(xi_, state_.data(), products_.data());
    if (is_pseudo_inverse()) {
      const auto size = static_cast<Eigen::Index>(xi_.rows);
      Eigen::Map<Eigen::VectorXd>(weights_.data(), size).noalias() =
          inverse_ * Eigen::Map<const Eigen::VectorXd>(products_.data(), size);
    } else {
      weights_ = products_;
    }
    multiply_transposed(xi_, weights_.data(), field_.data());
  }

  // Both: whether nothing has changed.
  bool follow() {
    bool same = true;
    for (size_t n = 0; n < state_.size(); ++n) {
      const bool unknown = field_[n] == 0 && state_[n] == 0;
      same &= put(n, unknown ? 0 : sign(field_[n], state_[n]));
    }
    return same;
  }
  bool draw(RandomStream& random) {
    const double beta = options_.beta / static_cast<double>(xi_.cols);
    bool same = true;
    for (size_t n = 0; n < state_.size(); ++n) {
      const double up = (1 + std::tanh(beta * static_cast<double>(field_[n]))) / 2;
      same &= put(n, random.uniform() < up ? 1.0F : -1.0F);
    }
    return same;
  }
  bool put(size_t n, float next) {
    const bool same = next == state_[n];
    state_[n] = next;
    return same;
  }

  const FloatRows xi_;
  const RecallOptions options_;
  Eigen::MatrixXd inverse_;
  std::vector<double> products_;  // xi s
  std::vector<double> weights_;
  std::vector<float> state_;  // the cue before the first update; then +-1, and 0 while nothing is known
  std::vector<float> field_;
};

}  // namespace

Status recall(const MatrixView<const int8_t>& archetypes, const FloatRows& cues, const RecallOptions& options,
              const RecallOutputs& out, const KeepGoing& keep_going) {
  Status status = check(archetypes, cues, options);
  if (!status.ok()) return status;
  const std::vector<float> xi = as_floats(archetypes);
  Dynamics dynamics(FloatRows(xi.data(), archetypes.rows, cues.cols), options);
  for (size_t i = 0; i < cues.rows; ++i) {
    Dynamics::Outcome outcome;
    if (!dynamics.run(cues.row(i), i, keep_going, outcome)) {
      return {StatusCode::kAborted, "recall was cancelled"};
    }
    double overlap = 0;
    const int32_t index = dynamics.nearest(overlap);
    for (size_t n = 0; n < cues.cols; ++n)
      out.states[i * cues.cols + n] = static_cast<int8_t>(dynamics.state()[n]);
    if (out.index != nullptr) out.index[i] = index;
    if (out.overlap != nullptr) out.overlap[i] = overlap;
    if (out.converged != nullptr) out.converged[i] = outcome.converged ? 1 : 0;
    if (out.steps != nullptr) out.steps[i] = outcome.steps;
  }
  return {};
}

}  // namespace engram::spectral
