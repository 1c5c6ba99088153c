#include "device/problem.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "device/random.h"

namespace engram::device_test {
namespace {

constexpr double kHitShare = 0.02;  // of the items, about, lie above a threshold

float square_norm(const float* x, uint32_t dim) {
  float sum = 0;
  for (uint32_t d = 0; d < dim; ++d) sum += x[d] * x[d];
  return sum;
}

// A score in rough arithmetic, before its scale.
float rough_score(const Problem& problem, uint64_t query, uint64_t item) {
  const uint32_t dim = problem.asked.shape.dim;
  const float* q = &problem.queries[query * dim];
  const float* x = &problem.keys[item * dim];
  float dot = 0;
  for (uint32_t d = 0; d < dim; ++d) dot += q[d] * x[d];
  switch (problem.asked.term) {
    case Term::kHalfSquareNorm: return dot - 0.5F * square_norm(x, dim);
    case Term::kReciprocalNorm: return dot / std::sqrt(square_norm(x, dim) + 1e-30F);
    case Term::kNone: break;
  }
  return dot;
}

// What some items, evenly spaced, are surpassed by.
float rough_threshold(const Problem& problem, uint64_t query) {
  const uint64_t count = problem.asked.shape.count;
  const uint64_t looked_at = std::min<uint64_t>(count, 100);
  std::vector<float> scores;
  for (uint64_t i = 0; i < looked_at; ++i) {
    scores.push_back(problem.scale[query] * rough_score(problem, query, i * count / looked_at));
  }
  std::sort(scores.begin(), scores.end());
  return scores[static_cast<size_t>(static_cast<double>(looked_at - 1) * (1 - kHitShare))];
}

std::vector<uint64_t> removals(uint64_t count) {
  std::vector<uint64_t> words((count + 63) / 64);
  for (uint64_t item = 0; item < count; ++item) {
    // A run that fills whole tiles, and single items; never the last.
    const bool removed = (item < count / 4 || item % 3 == 1) && item + 1 < count;
    if (removed) words[item / 64] |= uint64_t{1} << (item % 64);
  }
  return words;
}

void take(void* context, uint64_t query, EngramCandidate candidate) {
  (*static_cast<std::vector<std::vector<EngramCandidate>>*>(context))[query].push_back(candidate);
}

template <typename T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

bool same(const EngramCandidate& a, const EngramCandidate& b) {
  return a.index == b.index && std::memcmp(&a.score, &b.score, sizeof a.score) == 0;
}

bool same(const std::vector<EngramCandidate>& a, const std::vector<EngramCandidate>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const EngramCandidate& x, const EngramCandidate& y) { return same(x, y); });
}

}  // namespace

const char* name_of(Term term) {
  constexpr const char* kNames[] = {"dot", "euclidean", "cosine"};
  return kNames[static_cast<size_t>(term)];
}

const char* name_of(Fold fold) {
  constexpr const char* kNames[] = {"log-sum-exp", "readout", "top-k", "candidates"};
  return kNames[static_cast<size_t>(fold)];
}

std::string Case::name() const {
  std::string text = std::string(name_of(fold)) + " " + name_of(term) + " " + format.name + " " +
                     std::to_string(shape.count) + "x" + std::to_string(shape.dim) +
                     " Q=" + std::to_string(shape.queries);
  if (shape.width != 0) text += " values " + std::to_string(shape.width);
  if (fold == Fold::kTopK) text += " k=" + std::to_string(k);
  if (removals) text += " removals";
  return text;
}

bool Problem::is_removed(uint64_t item) const {
  return item / 64 < removed.size() && (removed[item / 64] >> (item % 64) & 1) != 0;
}

uint64_t Problem::live() const {
  uint64_t live = 0;
  for (uint64_t item = 0; item < asked.shape.count; ++item) live += is_removed(item) ? 0 : 1;
  return live;
}

Problem make_problem(const Case& asked, uint64_t seed) {
  const Shape& shape = asked.shape;
  Problem problem;
  problem.asked = asked;
  problem.keys.resize(shape.count * shape.dim);
  problem.values.resize(shape.count * shape.width);
  problem.queries.resize(shape.queries * shape.dim);
  fill_normal(problem.keys.data(), problem.keys.size(), seed);
  fill_normal(problem.values.data(), problem.values.size(), seed + 1);
  fill_normal(problem.queries.data(), problem.queries.size(), seed + 2);
  if (asked.removals) problem.removed = removals(shape.count);
  problem.asked.k = static_cast<uint32_t>(std::min<uint64_t>(asked.k, problem.live()));
  for (uint64_t i = 0; i < shape.queries; ++i) {
    const double norm = std::sqrt(square_norm(&problem.queries[i * shape.dim], shape.dim)) + 1e-3;
    // The standard deviation of a score is |q|, of a cosine score |q| / |x|.
    const double size = asked.term == Term::kReciprocalNorm ? norm / std::sqrt(shape.dim) : norm;
    problem.scale.push_back(static_cast<float>(asked.sharpness * std::numbers::log2e / size));
  }
  if (asked.fold == Fold::kCandidates) {
    for (uint64_t i = 0; i < shape.queries; ++i) problem.threshold.push_back(rough_threshold(problem, i));
  }
  return problem;
}

bool Answer::operator==(const Answer& other) const {
  return same_bits(lse, other.lse) && same_bits(readout, other.readout) && same(top, other.top) &&
         std::equal(hits.begin(), hits.end(), other.hits.begin(), other.hits.end(),
                    [](const auto& a, const auto& b) { return same(a, b); }) &&
         max_square_norm == other.max_square_norm;
}

std::unique_ptr<Rows> resident(const Device& device, Lane& lane, const Problem& problem) {
  const Shape& shape = problem.asked.shape;
  auto rows = std::make_unique<Rows>(device, EngramRowsLayout{.capacity = shape.count,
                                                              .dim = shape.dim,
                                                              .width = shape.width,
                                                              .element = problem.asked.format.element});
  lane.fill(*rows, 0, shape.count, problem.keys.data(), shape.width == 0 ? nullptr : problem.values.data());
  return rows;
}

Answer ask(Lane& lane, const Problem& problem, const std::vector<EngramFoldPart>& parts) {
  const Case& asked = problem.asked;
  const Shape& shape = asked.shape;
  Answer answer;
  const bool reads = asked.fold == Fold::kReadout;
  if (reads || asked.fold == Fold::kLogSumExp) answer.lse.assign(shape.queries, std::nan(""));
  if (reads) answer.readout.assign(shape.queries * problem.width(), std::nanf(""));
  if (asked.fold == Fold::kTopK) answer.top.assign(shape.queries * asked.k, {~uint64_t{0}, std::nanf("")});
  if (asked.fold == Fold::kCandidates) answer.hits.resize(shape.queries);
  EngramFold fold{};
  fold.parts = parts.data();
  fold.part_count = parts.size();
  fold.removed = problem.removed.data();
  fold.removed_words = problem.removed.size();
  fold.dim = shape.dim;
  fold.width = shape.width;
  fold.element = asked.format.element;
  fold.arithmetic = asked.format.arithmetic;
  fold.term = static_cast<uint32_t>(asked.term);
  fold.fold = static_cast<uint32_t>(asked.fold);
  fold.read_keys = shape.width == 0 ? 1 : 0;
  fold.k = asked.k;
  fold.queries = problem.queries.data();
  fold.scale = problem.scale.data();
  fold.query_count = shape.queries;
  fold.threshold = problem.threshold.data();
  fold.lse = answer.lse.data();
  fold.readout = answer.readout.data();
  fold.top = answer.top.data();
  fold.take = &take;
  fold.take_context = &answer.hits;
  fold.max_square_norm = &answer.max_square_norm;
  answer.scores = lane.fold(fold);
  return answer;
}

EngramFoldPart whole(const Problem& problem, const Rows& rows) {
  return {.rows = rows.get(),
          .keys = nullptr,
          .values = nullptr,
          .first_item = 0,
          .count = problem.asked.shape.count};
}

EngramFoldPart passing(const Problem& problem, uint64_t first, uint64_t count) {
  const Shape& shape = problem.asked.shape;
  return {.rows = nullptr,
          .keys = problem.keys.data() + first * shape.dim,
          .values = shape.width == 0 ? nullptr : problem.values.data() + first * shape.width,
          .first_item = first,
          .count = count};
}

}  // namespace engram::device_test
