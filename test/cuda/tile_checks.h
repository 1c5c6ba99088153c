// A memory on the simulated device, and what tiles find in it against float64.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cuda/tile_fold.h"
#include "device_arrays.h"

namespace engram::cuda::testing {

struct Kind {
  std::string name;
  Element element;
  Arithmetic arithmetic;
  double product;  // relative error of a product, queries in Float32
  double weight;   // relative error of a weight times a value
};
inline const Kind kKinds[] = {
    {"compensated", Element::kFloat32, Arithmetic::kCompensated, 0x1p-20, 0x1p-20},
    {"tf32", Element::kFloat32, Arithmetic::kTf32, 0x1p-10, 0x1p-10},
    {"rounded", Element::kFloat32, Arithmetic::kBfloat16, 0x1p-7, 0x1p-7},
    {"f16", Element::kFloat16, Arithmetic::kCompensated, 0x1p-11, 0x1p-11},
    {"bf16", Element::kBfloat16, Arithmetic::kCompensated, 0x1p-8, 0x1p-8},
};

struct Case {
  uint32_t count;
  uint32_t dim;
  uint32_t queries;
  uint32_t width = 0;       // of separate values
  bool reads_keys = false;  // instead
  KeyTerm term = KeyTerm::kNone;
  uint32_t removed_each = 0;  // every so many-th item
  uint64_t first = 0;
  float scale = 1.0F;
  uint32_t multiprocessors = 4;
};

// A memory and queries, on the host and on the device, and the scores in float64.
class Problem {
 public:
  Problem(const Case& c, const Kind& kind, uint32_t seed = 1, float low = -1.0F, float high = 1.0F)
      : shape(c), kind_(kind), random_(seed), low_(low), high_(high) {
    keys = numbers(size_t{c.count} * c.dim, kind.element);
    values = c.reads_keys ? keys : numbers(size_t{c.count} * c.width, kind.element);
    queries = numbers(size_t{c.queries} * c.dim, Element::kFloat32);
    removed.assign((c.first + c.count + 63) / 64, 0);
    for (uint32_t j = 0; c.removed_each > 0 && j < c.count; j += c.removed_each) remove(j);
  }

  uint32_t width() const { return shape.reads_keys ? shape.dim : shape.width; }
  void remove(uint32_t row) {
    removed[(shape.first + row) / 64] |= uint64_t{1} << ((shape.first + row) % 64);
  }
  bool is_removed(uint32_t row) const {
    return (removed[(shape.first + row) / 64] >> ((shape.first + row) % 64) & 1) != 0;
  }

  // Calls run(rows, queries, splits).
  template <typename Run>
  void on_device(const Run& run) const {
    const uint32_t pitch = pitch_for(shape.dim, Element::kFloat32);
    std::vector<float> padded_queries(size_t{shape.queries} * pitch, 0.0F);
    for (uint32_t i = 0; i < shape.queries; ++i) {
      std::copy_n(&queries[size_t{i} * shape.dim], shape.dim, &padded_queries[size_t{i} * pitch]);
    }
    std::vector<float> norms(shape.count);
    for (uint32_t j = 0; j < shape.count; ++j) norms[j] = static_cast<float>(square_norm(j));
    const DeviceArray<uint8_t> device_keys(as_stored(keys, shape.dim, kind_.element));
    const DeviceArray<uint8_t> device_values(as_stored(values, width(), kind_.element));
    const DeviceArray<float> device_norms(norms);
    const DeviceArray<uint64_t> device_removed(removed);
    const DeviceArray<float> device_queries(padded_queries);
    const DeviceArray<float> device_scale(std::vector<float>(shape.queries, shape.scale));
    Rows rows;
    rows.keys = device_keys.get();
    rows.values = shape.reads_keys ? device_keys.get() : device_values.get();
    rows.square_norms = device_norms.get();
    rows.removed = device_removed.get();
    rows.removed_bits = removed.size() * 64;
    rows.first = shape.first;
    rows.count = shape.count;
    rows.dim = shape.dim;
    rows.key_pitch = pitch_for(shape.dim, kind_.element);
    rows.width = width();
    rows.value_pitch = pitch_for(width(), kind_.element);
    rows.element = kind_.element;
    rows.arithmetic = kind_.arithmetic;
    rows.term = shape.term;
    const Queries asked{device_queries.get(), device_scale.get(), shape.queries, pitch};
    run(rows, asked, tile_fold_splits(rows, shape.queries, shape.multiprocessors));
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
  }

  // -inf of removed items. `error`: how far a device may be off.
  double score(uint32_t query, uint32_t row, double* error = nullptr) const {
    double dot = 0;
    double size = 0;
    for (uint32_t d = 0; d < shape.dim; ++d) {
      const double product =
          double{queries[size_t{query} * shape.dim + d]} * keys[size_t{row} * shape.dim + d];
      dot += product;
      size += std::abs(product);
    }
    double multiplier = 1;
    double bias = 0;
    if (shape.term == KeyTerm::kHalfSquareNorm) bias = -0.5 * square_norm(row);
    if (shape.term == KeyTerm::kReciprocalNorm) {
      multiplier = square_norm(row) > 0 ? 1 / std::sqrt(square_norm(row)) : 0;
    }
    if (error != nullptr) {
      *error = shape.scale * (multiplier * size * kind_.product + std::abs(bias) * 0x1p-22);
    }
    if (is_removed(row)) return -std::numeric_limits<double>::infinity();
    return shape.scale * (multiplier * dot + bias);
  }

  const Case shape;
  std::vector<float> keys;
  std::vector<float> values;
  std::vector<float> queries;
  std::vector<uint64_t> removed;

 private:
  std::vector<float> numbers(size_t count, Element element) {
    std::uniform_real_distribution<float> uniform(low_, high_);
    std::vector<float> x(count);
    for (float& number : x) number = stored(uniform(random_), element);
    return x;
  }
  double square_norm(uint32_t row) const {
    double sum = 0;
    for (uint32_t d = 0; d < shape.dim; ++d) {
      const double x = keys[size_t{row} * shape.dim + d];
      sum += x * x;
    }
    return sum;
  }

  const Kind& kind_;
  std::mt19937 random_;
  const float low_;
  const float high_;
};

struct SoftmaxAnswer {
  std::vector<float> max;
  std::vector<float> sum;
  std::vector<float> readout;
  uint32_t splits = 0;
};

inline SoftmaxAnswer softmax_of(const Problem& problem) {
  SoftmaxAnswer answer;
  problem.on_device([&](const Rows& rows, const Queries& queries, uint32_t splits) {
    const size_t partials = size_t{splits} * queries.count;
    const DeviceArray<float> max(partials);
    const DeviceArray<float> sum(partials);
    const DeviceArray<float> readout(partials * rows.width);
    const SoftmaxPartials out{max.get(), sum.get(), rows.width > 0 ? readout.get() : nullptr};
    REQUIRE(tile_softmax(rows, queries, splits, out, nullptr) == cudaSuccess);
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
    answer = {max.read(), sum.read(), readout.read(), splits};
  });
  return answer;
}

inline void check_softmax(const Problem& problem, const Kind& kind) {
  const SoftmaxAnswer answer = softmax_of(problem);
  const uint32_t queries = problem.shape.queries;
  const uint32_t width = problem.width();
  for (uint32_t i = 0; i < queries; ++i) {
    double most = -FLT_MAX;
    double error = 0;
    std::vector<double> scores(problem.shape.count);
    for (uint32_t j = 0; j < problem.shape.count; ++j) {
      double of_score = 0;
      scores[j] = problem.score(i, j, &of_score);
      most = std::max(most, scores[j]);
      error = std::max(error, of_score);
    }
    double found_sum = 0;
    std::vector<double> found(width, 0.0);
    for (uint32_t s = 0; s < answer.splits; ++s) {
      const size_t at = size_t{s} * queries + i;
      REQUIRE(std::isfinite(answer.max[at]));
      REQUIRE(std::isfinite(answer.sum[at]));
      if (answer.max[at] == -FLT_MAX) CHECK(answer.sum[at] == 0.0F);
      const double factor = std::exp2(static_cast<double>(answer.max[at]) - most);
      found_sum += factor * answer.sum[at];
      for (uint32_t d = 0; d < width; ++d) found[d] += factor * answer.readout[at * width + d];
    }
    if (most == -FLT_MAX) {
      CHECK(found_sum == 0.0);
      continue;
    }
    double sum = 0;
    std::vector<double> readout(width, 0.0);
    std::vector<double> size(width, 0.0);
    for (uint32_t j = 0; j < problem.shape.count; ++j) {
      const double weight = std::exp2(scores[j] - most);
      sum += weight;
      for (uint32_t d = 0; d < width; ++d) {
        const double value = problem.values[size_t{j} * width + d];
        readout[d] += weight * value;
        size[d] += weight * std::abs(value);
      }
    }
    const double of_scores = std::exp2(error) - 1 + 0x1p-20;
    CHECK_MESSAGE(std::abs(found_sum - sum) <= sum * of_scores,
                  kind.name << " sum of query " << i << ": " << found_sum << " for " << sum);
    double worst = 0;
    for (uint32_t d = 0; d < width; ++d) {
      worst =
          std::max(worst, std::abs(found[d] - readout[d]) / (size[d] * (of_scores + kind.weight) + 1e-30));
    }
    CHECK_MESSAGE(worst <= 1,
                  kind.name << " readout of query " << i << ": " << worst << " of what is allowed");
  }
}

struct TopAnswer {
  std::vector<Ranked> best;  // of all splits
  uint32_t splits = 0;
};

inline TopAnswer top_of(const Problem& problem, uint32_t k, const std::vector<float>& floor) {
  TopAnswer answer;
  problem.on_device([&](const Rows& rows, const Queries& queries, uint32_t splits) {
    const DeviceArray<Ranked> best(size_t{splits} * queries.count * k);
    const DeviceArray<float> device_floor(floor);
    const TopPartials out{best.get(), floor.empty() ? nullptr : device_floor.get(), k};
    REQUIRE(tile_top(rows, queries, splits, out, nullptr) == cudaSuccess);
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
    answer = {best.read(), splits};
  });
  return answer;
}

// The best of a query over all splits, best first; checks that each list is sorted.
inline std::vector<Ranked> merged(const TopAnswer& answer, uint32_t query, uint32_t queries, uint32_t k) {
  std::vector<Ranked> all;
  for (uint32_t s = 0; s < answer.splits; ++s) {
    const auto first = answer.best.begin() + static_cast<ptrdiff_t>((size_t{s} * queries + query) * k);
    CHECK(std::is_sorted(first, first + k, std::greater<>()));
    all.insert(all.end(), first, first + k);
  }
  std::sort(all.begin(), all.end(), std::greater<>());
  all.resize(k);
  while (!all.empty() && all.back() == 0) all.pop_back();
  return all;
}

inline void check_top(const Problem& problem, const Kind& kind, uint32_t k,
                      const std::vector<float>& floor = {}) {
  const TopAnswer answer = top_of(problem, k, floor);
  for (uint32_t i = 0; i < problem.shape.queries; ++i) {
    double error = 0;
    std::vector<double> scores;
    for (uint32_t j = 0; j < problem.shape.count; ++j) {
      double of_score = 0;
      const double score = problem.score(i, j, &of_score);
      error = std::max(error, of_score);
      if (std::isfinite(score) && (floor.empty() || score > floor[i] + of_score)) scores.push_back(score);
    }
    std::sort(scores.begin(), scores.end(), std::greater<>());
    const std::vector<Ranked> best = merged(answer, i, problem.shape.queries, k);
    REQUIRE(best.size() >= std::min<size_t>(k, scores.size()));
    if (floor.empty()) CHECK(best.size() == std::min<size_t>(k, scores.size()));
    std::set<uint32_t> items;
    for (size_t r = 0; r < best.size(); ++r) {
      const uint64_t row = uint64_t{item_of(best[r])} - problem.shape.first;
      REQUIRE(row < problem.shape.count);
      CHECK(items.insert(static_cast<uint32_t>(row)).second);
      const double score = problem.score(i, static_cast<uint32_t>(row));
      CHECK_MESSAGE(std::abs(score - score_of(best[r])) <= error, kind.name);
      if (r < scores.size()) CHECK_MESSAGE(score >= scores[r] - 2 * error, kind.name << " rank " << r);
    }
  }
}

inline void check_hits(const Problem& problem, const Kind& kind, float threshold, uint64_t capacity) {
  std::vector<Hit> hits;
  unsigned long long found = 0;
  problem.on_device([&](const Rows& rows, const Queries& queries, uint32_t splits) {
    const DeviceArray<Hit> list(capacity + 1);
    const DeviceArray<unsigned long long> count(std::vector<unsigned long long>{0});
    const DeviceArray<float> thresholds(std::vector<float>(queries.count, threshold));
    REQUIRE(tile_hits(rows, queries, splits, {list.get(), count.get(), capacity, thresholds.get()},
                      nullptr) == cudaSuccess);
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
    hits = list.read();
    found = count.read()[0];
  });
  CHECK(hits[capacity].query == 0xFFFFFFFFU);  // nothing behind the capacity
  hits.resize(std::min<uint64_t>(found, capacity));
  std::set<std::pair<uint32_t, uint32_t>> seen;
  for (const Hit& hit : hits) {
    REQUIRE(hit.query < problem.shape.queries);
    const uint64_t row = uint64_t{hit.item} - problem.shape.first;
    REQUIRE(row < problem.shape.count);
    double error = 0;
    const double score = problem.score(hit.query, static_cast<uint32_t>(row), &error);
    CHECK_MESSAGE(std::abs(score - hit.score) <= error, kind.name);
    CHECK(hit.score > threshold);
    CHECK(seen.insert({hit.query, static_cast<uint32_t>(row)}).second);
  }
  uint64_t certain = 0;
  for (uint32_t i = 0; i < problem.shape.queries; ++i) {
    for (uint32_t j = 0; j < problem.shape.count; ++j) {
      double error = 0;
      if (!(problem.score(i, j, &error) > threshold + error)) continue;
      ++certain;
      if (found <= capacity) CHECK(seen.contains({i, j}));
    }
  }
  CHECK(found >= certain);
}

}  // namespace engram::cuda::testing
