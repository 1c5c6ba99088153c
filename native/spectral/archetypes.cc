#include "spectral/archetypes.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>
#include <numeric>

namespace engram::spectral {
namespace {

// Descending by score; the earlier candidate first where scores are equal.
std::vector<size_t> best_first(const std::vector<Score>& scores) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t i, size_t j) {
    return scores[i].score != scores[j].score ? scores[i].score > scores[j].score : i < j;
  });
  return order;
}

int64_t dot(const int8_t* x, const int8_t* y, size_t dim) {
  constexpr size_t kRun = size_t{1} << 20;  // that an int32 holds for sure
  int64_t sum = 0;
  for (size_t at = 0; at < dim; at += kRun) {
    int32_t part = 0;
    const size_t end = std::min(dim, at + kRun);
    for (size_t n = at; n < end; ++n) part += static_cast<int32_t>(x[n]) * y[n];
    sum += part;
  }
  return sum;
}

double threshold(double gamma, double chance, const Acceptance& acceptance) {
  const double beyond_chance = chance + acceptance.margin * (predicted_score(gamma) - chance);
  return std::max(acceptance.share * gamma, beyond_chance);
}

bool is_kept(const Archetypes& kept, const int8_t* x, double distinct) {
  for (size_t k = 0; k < kept.count(); ++k) {
    if (std::abs(overlap(kept.states.data() + k * kept.dim, x, kept.dim)) >= distinct) return true;
  }
  return false;
}

// Appends x with the sign that makes most entries +1.
void keep(Archetypes& kept, const int8_t* x, const Score& judged) {
  const int64_t sum = std::accumulate(x, x + kept.dim, int64_t{0});
  const int flip = (sum != 0 ? sum < 0 : x[0] < 0) ? -1 : 1;
  for (size_t n = 0; n < kept.dim; ++n) kept.states.push_back(static_cast<int8_t>(flip * x[n]));
  kept.scores.push_back(judged.score);
  kept.predicted.push_back(predicted_score(judged.gamma));
}

}  // namespace

double predicted_score(double gamma) {
  if (gamma >= 1) return 1;
  const double exponent = gamma / (2 * (1 - gamma));
  const double mean = std::sqrt(gamma) * std::erf(std::sqrt(exponent)) +
                      std::sqrt(2 * (1 - gamma) / std::numbers::pi) * std::exp(-exponent);
  return mean * mean;
}

double chance_score(size_t rows, size_t dim) {
  if (rows == 0) return 0;
  const double load = static_cast<double>(rows - 1) / static_cast<double>(dim);
  return std::min(2 / std::numbers::pi + 0.52 * std::sqrt(load), 1.0);
}

double overlap(const int8_t* x, const int8_t* y, size_t dim) {
  return static_cast<double>(dot(x, y, dim)) / static_cast<double>(dim);
}

Score score(const FloatRows& v, std::span<const double> gamma, const int8_t* x) {
  assert(gamma.size() == 1 || gamma.size() == v.rows);
  const std::vector<float> state(x, x + v.cols);
  std::vector<double> coordinates(v.rows);
  multiply(v, state.data(), coordinates.data());
  double kept = 0;
  double shares = 0;
  for (size_t k = 0; k < v.rows; ++k) {
    const double square = coordinates[k] * coordinates[k];
    kept += square;
    shares += square / gamma[gamma.size() == 1 ? 0 : k];
  }
  return {kept / static_cast<double>(v.cols), shares > 0 ? kept / shares : 1};
}

Result<Archetypes> select(const FloatRows& v, std::span<const double> gamma,
                          MatrixView<const int8_t> candidates, const Acceptance& acceptance,
                          const KeepGoing& keep_going) {
  std::vector<Score> scores;
  scores.reserve(candidates.rows);
  for (size_t i = 0; i < candidates.rows; ++i) {
    if (!keep_going()) return Status(StatusCode::kAborted, "unmixing was cancelled");
    scores.push_back(score(v, gamma, candidates.row(i)));
  }
  Archetypes kept;
  kept.dim = v.cols;
  const double chance = chance_score(v.rows, v.cols);
  for (const size_t i : best_first(scores)) {
    const int8_t* const x = candidates.row(i);
    const bool passes = scores[i].score >= threshold(scores[i].gamma, chance, acceptance);
    if (passes && is_kept(kept, x, acceptance.distinct)) {
      ++kept.merged;
    } else if (passes && kept.count() < v.rows) {
      keep(kept, x, scores[i]);
    } else {
      ++kept.rejected;
    }
  }
  return kept;
}

}  // namespace engram::spectral
