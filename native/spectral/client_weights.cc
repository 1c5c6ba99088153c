#include "spectral/client_weights.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "spectral/outlier.h"

namespace engram::spectral {
namespace {

using Signals = std::vector<std::vector<double>>;

constexpr double kSharpness[] = {10, 100,
                                 1000};  // of the soft minimum: it is within log(K) / sharpness of it
constexpr int kStepsOfStage = 150;
constexpr double kFirstStep = 0.5;   // in the logarithm of the weight that changes most
constexpr double kLeastStep = 1e-6;  // a stage ends when no longer step gains
constexpr double kLeastGain = 1e-9;  // or when a step gains less

// The score of one archetype and its derivative by each weight.
struct Score {
  double value = 0;
  std::vector<double> gradient;
};

NoiseEdge edge_of(const std::vector<double>& weights, std::vector<ClientModel> clients, double dim) {
  for (size_t c = 0; c < clients.size(); ++c) clients[c].weight = weights[c];
  return {std::move(clients), dim};
}

double score_of(const Outlier& outlier) {
  return outlier.detectable() ? outlier.overlap : outlier.margin - 1;
}

// Derivatives at w in the terms of outlier.h and edge.h, with x_c = w - g_c and dg_c/da_c = N s_c / M_c:
//   dT/da_c = N b_c w / x_c^2,  dphi/da_c = 2 w s_c (g_c / x_c) / x_c^2,
//   slope = -dT/dw = N sum a b / x^2,  dslope/da_c = N b_c (1 + 2 g_c / x_c) / x_c^2.
class Derivatives {
 public:
  Derivatives(const NoiseEdge& noise, const std::vector<double>& signal, double w)
      : noise_(noise), signal_(signal), w_(w) {
    for (size_t c = 0; c < signal.size(); ++c) {
      const double x = w - noise.poles()[c];
      const double share = noise.poles()[c] / x;
      const double strength = noise.dim() * noise.clients()[c].weight * signal[c];
      slope_ += strength / (x * x);
      slope_fall_ += 2 * strength / (x * x * x);
      phi_fall_ += 2 * noise.clients()[c].samples / noise.dim() * share * share / x;
    }
  }

  // Of T(w*), where phi(w*) = 1 moves w*.
  double margin(size_t c) const { return transfer(c) - slope_ * phi(c) / phi_fall_; }

  // Of the squared overlap (1 - phi) / (w slope), where T(w) = 1 moves w.
  double overlap(size_t c, double value) const {
    const double moved = transfer(c) / slope_;
    const double x = w_ - noise_.poles()[c];
    const double slope =
        noise_.dim() * signal_[c] * (1 + 2 * noise_.poles()[c] / x) / (x * x) - slope_fall_ * moved;
    return (phi_fall_ * moved - phi(c)) / (w_ * slope_) - value * (moved / w_ + slope / slope_);
  }

 private:
  double transfer(size_t c) const {
    const double x = w_ - noise_.poles()[c];
    return noise_.dim() * signal_[c] * w_ / (x * x);
  }
  double phi(size_t c) const {
    const double x = w_ - noise_.poles()[c];
    return 2 * w_ * noise_.clients()[c].noise_variance * noise_.poles()[c] / (x * x * x);
  }

  const NoiseEdge& noise_;
  const std::vector<double>& signal_;
  const double w_;
  double slope_ = 0;
  double slope_fall_ = 0;  // -dslope/dw
  double phi_fall_ = 0;    // -dphi/dw
};

Score score_with_gradient(const NoiseEdge& noise, const std::vector<double>& signal) {
  const Outlier outlier = predict_outlier(noise, signal);
  Score score{score_of(outlier), std::vector<double>(signal.size())};
  const Derivatives derivatives(noise, signal, outlier.at);
  for (size_t c = 0; c < signal.size(); ++c) {
    score.gradient[c] =
        outlier.detectable() ? derivatives.overlap(c, outlier.overlap) : derivatives.margin(c);
  }
  return score;
}

// -log(sum_mu exp(-sharpness value_mu)) / sharpness, and its gradient.
Score soft_minimum(const NoiseEdge& noise, const Signals& signals, double sharpness) {
  std::vector<Score> scores;
  double least = std::numeric_limits<double>::infinity();
  for (const std::vector<double>& signal : signals) {
    scores.push_back(score_with_gradient(noise, signal));
    least = std::min(least, scores.back().value);
  }
  Score soft{0, std::vector<double>(noise.clients().size())};
  double sum = 0;
  for (const Score& score : scores) {
    const double share = std::exp(-sharpness * (score.value - least));
    sum += share;
    for (size_t c = 0; c < soft.gradient.size(); ++c) soft.gradient[c] += share * score.gradient[c];
  }
  for (double& g : soft.gradient) g /= sum;
  soft.value = least - std::log(sum) / sharpness;
  return soft;
}

// Multiplies the weights by exp(step gradient / max |gradient|): they stay positive, and since scores do not
// depend on the sum of the weights this climbs for a short enough step.
std::vector<double> stepped(const std::vector<double>& weights, const std::vector<double>& gradient,
                            double step) {
  double most = 0;
  for (const double g : gradient) most = std::max(most, std::abs(g));
  std::vector<double> next(weights.size());
  for (size_t c = 0; c < next.size(); ++c) next[c] = weights[c] * std::exp(step * gradient[c] / most);
  normalise_weights(next);
  return next;
}

// The weights met on the way that are best for the worst archetype.
class Ascent {
 public:
  Ascent(const std::vector<ClientModel>& clients, double dim, const Signals& signals,
         const std::function<bool()>& keep_going)
      : clients_(clients), dim_(dim), signals_(signals), keep_going_(keep_going) {}

  // False: aborted.
  bool climb(std::vector<double> weights) {
    normalise_weights(weights);
    for (const double sharpness : kSharpness) {
      consider(weights);
      if (!climb_stage(weights, sharpness)) return false;
    }
    consider(weights);
    return true;
  }
  std::vector<double> best() && { return std::move(best_); }

 private:
  void consider(const std::vector<double>& weights) {
    const double value = worst_overlap(weights, clients_, dim_, signals_);
    if (best_.empty() || value > best_value_) {
      best_value_ = value;
      best_ = weights;
    }
  }

  bool climb_stage(std::vector<double>& weights, double sharpness) {
    Score here = soft_minimum(edge_of(weights, clients_, dim_), signals_, sharpness);
    double step = kFirstStep;
    for (int taken = 0; taken < kStepsOfStage && is_finite_slope(here.gradient);) {
      if (!keep_going_()) return false;
      std::vector<double> next = stepped(weights, here.gradient, step);
      Score there = soft_minimum(edge_of(next, clients_, dim_), signals_, sharpness);
      const double gain = there.value - here.value;
      if (gain > 0) {
        weights = std::move(next);
        here = std::move(there);
        step *= 1.5;
        ++taken;
        if (gain < kLeastGain) break;
      } else {
        step /= 4;
        if (step < kLeastStep) break;
      }
    }
    return true;
  }

  static bool is_finite_slope(const std::vector<double>& gradient) {
    double sum = 0;
    for (const double g : gradient) sum += std::abs(g);
    return std::isfinite(sum) && sum > 0;
  }

  const std::vector<ClientModel>& clients_;
  const double dim_;
  const Signals& signals_;
  const std::function<bool()>& keep_going_;
  std::vector<double> best_;
  double best_value_ = 0;
};

bool is_seen(const std::vector<double>& signal) {
  return std::any_of(signal.begin(), signal.end(), [](double b) { return b > 0; });
}

Signals only_seen(const Signals& signals) {
  Signals seen;
  std::copy_if(signals.begin(), signals.end(), std::back_inserter(seen), is_seen);
  return seen;
}

}  // namespace

void normalise_weights(std::vector<double>& weights) {
  double sum = 0;
  for (const double a : weights) sum += a;
  for (double& a : weights) a /= sum;
}

double worst_overlap(const std::vector<double>& weights, const std::vector<ClientModel>& clients, double dim,
                     const Signals& signals) {
  const NoiseEdge noise = edge_of(weights, clients, dim);
  double worst = std::numeric_limits<double>::infinity();
  for (const std::vector<double>& signal : signals) {
    if (is_seen(signal)) worst = std::min(worst, score_of(predict_outlier(noise, signal)));
  }
  return worst;
}

Result<std::vector<double>> client_weights(WeightRule rule, const std::vector<ClientModel>& clients,
                                           double dim, const Signals& signals,
                                           const std::function<bool()>& keep_going) {
  const std::vector<double> equal(clients.size(), 1 / static_cast<double>(clients.size()));
  std::vector<double> size;
  std::vector<double> strength;  // samples x quality^2, where there is quality
  for (const ClientModel& client : clients) {
    size.push_back(client.samples);
    strength.push_back(client.samples * std::max(1 - client.noise_variance, 1e-3));
  }
  normalise_weights(size);
  if (rule == WeightRule::kEqual) return equal;
  const Signals seen = only_seen(signals);
  if (rule == WeightRule::kSize || seen.empty()) return size;
  Ascent ascent(clients, dim, seen, keep_going);
  for (const std::vector<double>& start : {equal, size, strength}) {
    if (!ascent.climb(start)) return Status(StatusCode::kAborted, "the choice of client weights was aborted");
  }
  return std::move(ascent).best();
}

}  // namespace engram::spectral
