#include "device/judge.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace engram::device_test {
namespace {

// A Float32 sum of n terms is off by at most 6 sqrt(n) units but for a chance of 1e-7 n (Higham and Mary
// 2019).
double sum_error(double terms) { return 6 * std::sqrt(terms) * kFloatUnit; }

// The scores of one query in double precision, over rows as they are stored.
struct Exact {
  std::vector<double> score;  // 2^score is the weight; -inf where removed
  std::vector<double> error;  // how far a device's may lie off
  double largest_square = 0;
};

Exact exact_scores(const Problem& problem, uint64_t query) {
  const auto& [shape, format, term, fold, k, removals, sharpness] = problem.asked;
  const float* q = &problem.queries[query * shape.dim];
  const double scale = problem.scale[query];
  const double rounding =
      2 * sum_error(shape.dim) + 8 * kFloatUnit + format.query_rounding + format.key_rounding;
  Exact exact;
  for (uint64_t item = 0; item < shape.count; ++item) {
    double dot = 0;
    double sizes = 0;  // of the products
    double square = 0;
    for (uint32_t d = 0; d < shape.dim; ++d) {
      const double x = stored(format, problem.keys[item * shape.dim + d]);
      dot += q[d] * x;
      sizes += std::abs(q[d] * x);
      square += x * x;
    }
    double score = dot;
    double error = rounding * sizes;
    if (term == Term::kHalfSquareNorm) {
      score -= 0.5 * square;
      error += (2 * sum_error(shape.dim) + 4 * kFloatUnit) * square;
    } else if (term == Term::kReciprocalNorm) {
      const double norm = std::sqrt(square);
      score = norm > 0 ? score / norm : 0;
      error = norm > 0 ? error / norm + (sum_error(shape.dim) + 4 * kFloatUnit) * std::abs(score) : 0;
    }
    const bool gone = problem.is_removed(item);
    exact.score.push_back(gone ? -INFINITY : scale * score);
    exact.error.push_back(scale * (error + 4 * kFloatUnit * std::abs(score)));
    if (!gone) exact.largest_square = std::max(exact.largest_square, square);
  }
  return exact;
}

std::string off(const std::string& what, double actual, double expected, double allowed) {
  // Written so that NaN is found wrong.
  if (std::abs(actual - expected) <= allowed) return {};
  return what + " is " + std::to_string(actual) + ", expected " + std::to_string(expected) + " +- " +
         std::to_string(allowed);
}

struct Weights {
  std::vector<double> p;      // sum 1
  std::vector<double> error;  // relative, of each
  double lse = 0;             // base 2
  double lse_error = 0;
};

Weights weights_of(const Exact& exact) {
  const double most = *std::max_element(exact.score.begin(), exact.score.end());
  Weights weights;
  double sum = 0;
  for (const double score : exact.score) {
    weights.p.push_back(std::exp2(score - most));
    sum += weights.p.back();
  }
  weights.lse = most + std::log2(sum);
  const double n = static_cast<double>(exact.score.size());
  for (size_t j = 0; j < weights.p.size(); ++j) {
    weights.p[j] /= sum;
    // An exponent is rounded with the size of the scores; 2^x is good to some units.
    const double exponent = exact.error[j] + 4 * kFloatUnit * (std::abs(most) + 1);
    weights.error.push_back(std::expm1(exponent * std::numbers::ln2) + 16 * kFloatUnit + sum_error(n));
    weights.lse_error += weights.p[j] * weights.error[j] / std::numbers::ln2;
  }
  return weights;
}

std::string judge_lse(const Weights& weights, double actual) {
  return off("lse", actual, weights.lse * std::numbers::ln2,
             1.1 * weights.lse_error * std::numbers::ln2 + 4 * kFloatUnit * (1 + std::abs(weights.lse)));
}

std::string judge_readout(const Problem& problem, const Weights& weights, const float* actual) {
  const uint32_t width = problem.width();
  const Format& format = problem.asked.format;
  const float* matrix = problem.read_out();
  std::vector<double> mean(width);
  for (size_t j = 0; j < weights.p.size(); ++j) {
    for (uint32_t d = 0; d < width; ++d) mean[d] += weights.p[j] * stored(format, matrix[j * width + d]);
  }
  // How far errors of the weights move each component, their sum being the same; and the roundings on the
  // way.
  std::vector<double> allowed(width);
  const double largest = *std::max_element(weights.p.begin(), weights.p.end());
  const double summing = 2 * sum_error(static_cast<double>(weights.p.size())) + 8 * kFloatUnit;
  for (size_t j = 0; j < weights.p.size(); ++j) {
    const double p = weights.p[j];
    for (uint32_t d = 0; d < width; ++d) {
      const double v = stored(format, matrix[j * width + d]);
      allowed[d] += p * (weights.error[j] + weights.lse_error) * std::abs(v - mean[d]);
      allowed[d] += p * std::abs(v) * (format.weight_rounding + format.key_rounding + summing);
      // The smallest weight that half precision holds, beside a largest of 1.
      if (format.element == ENGRAM_ELEMENT_F16) allowed[d] += 0x1p-24 * largest * std::abs(v);
    }
  }
  for (uint32_t d = 0; d < width; ++d) {
    std::string wrong =
        off("readout[" + std::to_string(d) + "]", actual[d], mean[d], 1.1 * allowed[d] + kFloatUnit);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::string judge_score(const Exact& exact, const EngramCandidate& candidate) {
  if (candidate.index >= exact.score.size()) return "item " + std::to_string(candidate.index) + " is none";
  if (std::isinf(exact.score[candidate.index])) {
    return "item " + std::to_string(candidate.index) + " has been removed";
  }
  return off("score of item " + std::to_string(candidate.index), candidate.score,
             exact.score[candidate.index], exact.error[candidate.index]);
}

std::string judge_top(const Exact& exact, const EngramCandidate* top, uint32_t k) {
  std::vector<bool> taken(exact.score.size());
  for (uint32_t r = 0; r < k; ++r) {
    std::string wrong = judge_score(exact, top[r]);
    if (!wrong.empty()) return "rank " + std::to_string(r) + ": " + wrong;
    if (taken[top[r].index]) return "item " + std::to_string(top[r].index) + " comes twice";
    taken[top[r].index] = true;
    if (r == 0) continue;
    const bool in_order = top[r - 1].score > top[r].score ||
                          (top[r - 1].score == top[r].score && top[r - 1].index < top[r].index);
    if (!in_order) return "rank " + std::to_string(r) + " is out of order";
  }
  const EngramCandidate& last = top[k - 1];
  for (size_t j = 0; j < taken.size(); ++j) {
    if (!taken[j] && exact.score[j] - exact.error[j] > last.score) {
      return "item " + std::to_string(j) + " of score " + std::to_string(exact.score[j]) + " is missing";
    }
  }
  return {};
}

std::string judge_hits(const Exact& exact, const std::vector<EngramCandidate>& hits, float threshold) {
  std::vector<bool> taken(exact.score.size());
  for (size_t i = 0; i < hits.size(); ++i) {
    std::string wrong = judge_score(exact, hits[i]);
    if (!wrong.empty()) return wrong;
    if (i > 0 && hits[i - 1].index >= hits[i].index) return "hits are out of order";
    if (!(hits[i].score > threshold)) return "a hit lies below the threshold";
    taken[hits[i].index] = true;
  }
  for (size_t j = 0; j < taken.size(); ++j) {
    if (!taken[j] && exact.score[j] - exact.error[j] > threshold) {
      return "item " + std::to_string(j) + " lies above the threshold and is missing";
    }
  }
  return {};
}

std::string judge_query(const Problem& problem, const Answer& answer, uint64_t i) {
  const Exact exact = exact_scores(problem, i);
  const double square = exact.largest_square;
  if (answer.max_square_norm < square * (1 - sum_error(problem.asked.shape.dim) - 4 * kFloatUnit)) {
    return "largest square norm is " + std::to_string(answer.max_square_norm) + ", expected " +
           std::to_string(square);
  }
  switch (problem.asked.fold) {
    case Fold::kTopK: return judge_top(exact, &answer.top[i * problem.asked.k], problem.asked.k);
    case Fold::kCandidates: return judge_hits(exact, answer.hits[i], problem.threshold[i]);
    default: break;
  }
  const Weights weights = weights_of(exact);
  std::string wrong = judge_lse(weights, answer.lse[i]);
  if (!wrong.empty() || problem.asked.fold == Fold::kLogSumExp) return wrong;
  return judge_readout(problem, weights, &answer.readout[i * problem.width()]);
}

}  // namespace

std::string judge(const Problem& problem, const Answer& answer, uint64_t compared) {
  const uint64_t queries = problem.asked.shape.queries;
  if (answer.scores != queries * problem.asked.shape.count) {
    return "steps accounted for " + std::to_string(answer.scores) + " scores, expected " +
           std::to_string(queries * problem.asked.shape.count);
  }
  compared = std::min(compared, queries);
  for (uint64_t c = 0; c < compared; ++c) {
    const uint64_t i = compared == 1 ? 0 : c * (queries - 1) / (compared - 1);
    const std::string wrong = judge_query(problem, answer, i);
    if (!wrong.empty()) return "query " + std::to_string(i) + ": " + wrong;
  }
  return {};
}

}  // namespace engram::device_test
