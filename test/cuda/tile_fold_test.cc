// Tiles of queries and rows on the simulated device against float64.
#include "cuda/tile_fold.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "device_arrays.h"
#include "faults.h"

namespace engram::cuda {
namespace {

using testing::as_stored;
using testing::DeviceArray;
using testing::pitch_for;
using testing::stored;

struct Kind {
  std::string name;
  Element element;
  Arithmetic arithmetic;
  double product;  // relative error of a product, queries in Float32
  double weight;   // relative error of a weight times a value
};
const Kind kKinds[] = {
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

SoftmaxAnswer softmax_of(const Problem& problem) {
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

void check_softmax(const Problem& problem, const Kind& kind) {
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

TopAnswer top_of(const Problem& problem, uint32_t k, const std::vector<float>& floor) {
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
std::vector<Ranked> merged(const TopAnswer& answer, uint32_t query, uint32_t queries, uint32_t k) {
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

void check_top(const Problem& problem, const Kind& kind, uint32_t k, const std::vector<float>& floor = {}) {
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

void check_hits(const Problem& problem, const Kind& kind, float threshold, uint64_t capacity) {
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

}  // namespace

// 2^-26 is nothing to f16, but there are many of them.
TEST_CASE("small weights are not lost") {
  for (const Kind& kind : kKinds) {
    Problem problem({.count = 3000, .dim = 16, .queries = 64, .reads_keys = true, .multiprocessors = 1},
                    kind);
    std::fill(problem.keys.begin(), problem.keys.end(), 0.0F);
    std::fill(problem.queries.begin(), problem.queries.end(), 0.0F);
    problem.keys[0] = 1;
    for (uint32_t j = 1; j < 3000; ++j) problem.keys[j * 16 + 1] = 1;
    for (uint32_t i = 0; i < 64; ++i) problem.queries[i * 16] = 26;
    const SoftmaxAnswer answer = softmax_of(problem);
    for (uint32_t i = 0; i < 64; ++i) {
      double found = 0;
      double sum = 0;
      for (uint32_t s = 0; s < answer.splits; ++s) {
        const double factor = std::exp2(static_cast<double>(answer.max[s * 64 + i]) - 26);
        found += factor * answer.readout[(s * 64 + i) * 16 + 1];
        sum += factor * answer.sum[s * 64 + i];
      }
      CHECK_MESSAGE(std::abs(found / sum - 2999 * 0x1p-26) <= 0.01 * 2999 * 0x1p-26, kind.name);
    }
  }
}

TEST_CASE("tiles fold softmax for every kind of number and shape") {
  const Case cases[] = {
      {.count = 1, .dim = 1, .queries = 1},
      {.count = 70, .dim = 3, .queries = 17, .reads_keys = true},
      {.count = 200,
       .dim = 16,
       .queries = 65,
       .width = 7,
       .term = KeyTerm::kHalfSquareNorm,
       .removed_each = 3},
      {.count = 130, .dim = 100, .queries = 20, .reads_keys = true, .term = KeyTerm::kReciprocalNorm},
      {.count = 300,
       .dim = 128,
       .queries = 9,
       .reads_keys = true,
       .removed_each = 7,
       .first = 37,
       .scale = 4.0F},
      {.count = 65, .dim = 33, .queries = 3, .width = 130},
      {.count = 64, .dim = 200, .queries = 5, .reads_keys = true},
      {.count = 90, .dim = 64, .queries = 70, .term = KeyTerm::kHalfSquareNorm, .removed_each = 2},
  };
  for (const Kind& kind : kKinds) {
    for (const Case& c : cases) check_softmax(Problem(c, kind), kind);
  }
}

TEST_CASE("tiles fold long rows, whose queries do not fit into shared memory") {
  for (const Kind& kind : kKinds) {
    check_softmax(Problem({.count = 66, .dim = 1024, .queries = 2, .width = 5, .scale = 0.125F}, kind), kind);
    check_softmax(Problem({.count = 20, .dim = 1500, .queries = 1, .scale = 0.125F}, kind), kind);
  }
}

TEST_CASE("a split of removed items answers nothing, not NaN") {
  for (const Kind& kind : kKinds) {
    Problem problem({.count = 512, .dim = 8, .queries = 3, .reads_keys = true, .multiprocessors = 1}, kind);
    for (uint32_t j = 0; j < 256; ++j) problem.remove(j);
    const SoftmaxAnswer answer = softmax_of(problem);
    REQUIRE(answer.splits == 2);
    for (uint32_t i = 0; i < 3; ++i) {
      CHECK(answer.max[i] == -FLT_MAX);
      CHECK(answer.sum[i] == 0.0F);
      for (uint32_t d = 0; d < 8; ++d) CHECK(answer.readout[i * 8 + d] == 0.0F);
    }
    check_softmax(problem, kind);
    for (uint32_t j = 256; j < 512; ++j) problem.remove(j);
    check_softmax(problem, kind);
    check_top(problem, kind, 4);
    check_hits(problem, kind, -1e30F, 10);
  }
}

// Matrix units cut off what does not fit: a readout of like signs must not drift with the number of rows.
TEST_CASE("readouts over many rows are not biased") {
  const Kind& compensated = kKinds[0];
  const Problem problem(
      {.count = 8192, .dim = 4, .queries = 1, .width = 3, .scale = 0.25F, .multiprocessors = 1}, compensated,
      3, 0.5F, 1.0F);
  const SoftmaxAnswer answer = softmax_of(problem);
  double sum = 0;
  double readout = 0;
  double most = -1e30;
  for (uint32_t j = 0; j < 8192; ++j) most = std::max(most, problem.score(0, j));
  for (uint32_t j = 0; j < 8192; ++j) {
    const double weight = std::exp2(problem.score(0, j) - most);
    sum += weight;
    readout += weight * problem.values[size_t{j} * 3];
  }
  double found_sum = 0;
  double found = 0;
  for (uint32_t s = 0; s < answer.splits; ++s) {
    const double factor = std::exp2(answer.max[s] - most);
    found_sum += factor * answer.sum[s];
    found += factor * answer.readout[size_t{s} * 3];
  }
  const double error = std::abs(found / found_sum - readout / sum) / (readout / sum);
  CHECK(error <= 0x1p-20);
}

TEST_CASE("compensated scores are as exact as Float32") {
  const Kind& compensated = kKinds[0];
  for (const uint32_t dim : {32U, 128U, 1024U}) {
    for (const float low : {-1.0F, 0.5F}) {
      const Problem problem({.count = 64, .dim = dim, .queries = 16}, compensated, dim, low);
      const TopAnswer answer = top_of(problem, 64, {});
      double worst = 0;
      for (uint32_t i = 0; i < 16; ++i) {
        for (uint32_t r = 0; r < 64; ++r) {
          const Ranked ranked = answer.best[i * 64 + r];
          double error = 0;
          const double score = problem.score(i, item_of(ranked), &error);
          worst = std::max(worst, std::abs(score - score_of(ranked)) / error);
        }
      }
      INFO("dim ", dim, " from ", low, ": ", worst, " x 2^-20");
      CHECK(worst <= 0.75);  // 3 x 2^-22 of sum |q| |x|
    }
  }
}

TEST_CASE("tiles find the best k") {
  for (const Kind& kind : kKinds) {
    check_top(Problem({.count = 1, .dim = 1, .queries = 1}, kind), kind, 1);
    check_top(Problem({.count = 300, .dim = 20, .queries = 70, .removed_each = 5, .first = 1000}, kind), kind,
              10);
    check_top(Problem({.count = 700, .dim = 5, .queries = 2, .term = KeyTerm::kHalfSquareNorm}, kind), kind,
              64);
    check_top(Problem({.count = 300, .dim = 9, .queries = 3}, kind), kind, 1024);
  }
  check_top(Problem({.count = 3000, .dim = 3, .queries = 2, .multiprocessors = 1}, kKinds[0]), kKinds[0],
            1024);
}

TEST_CASE("tiles leave out what is below the floor") {
  const Kind& kind = kKinds[0];
  const Problem problem({.count = 300, .dim = 6, .queries = 3}, kind);
  std::vector<float> floor;
  for (uint32_t i = 0; i < 3; ++i) {
    std::vector<double> scores;
    for (uint32_t j = 0; j < 300; ++j) scores.push_back(problem.score(i, j));
    std::sort(scores.begin(), scores.end(), std::greater<>());
    floor.push_back(static_cast<float>((scores[6] + scores[7]) / 2));
  }
  check_top(problem, kind, 5, floor);
  check_top(problem, kind, 20, floor);
  for (uint32_t i = 0; i < 3; ++i) CHECK(merged(top_of(problem, 20, floor), i, 3, 20).size() == 7);
}

TEST_CASE("equal scores rank by item") {
  for (const Kind& kind : kKinds) {
    Problem problem({.count = 400, .dim = 4, .queries = 17, .multiprocessors = 1}, kind);
    for (uint32_t j = 0; j < 400; ++j) {
      std::copy_n(problem.keys.begin(), 4, problem.keys.begin() + static_cast<ptrdiff_t>(j) * 4);
    }
    const TopAnswer answer = top_of(problem, 40, {});
    for (uint32_t i = 0; i < 17; ++i) {
      const std::vector<Ranked> best = merged(answer, i, 17, 40);
      REQUIRE(best.size() == 40);
      for (uint32_t r = 0; r < 40; ++r) CHECK(item_of(best[r]) == r);
    }
  }
}

TEST_CASE("the best are exact whatever the order of the rows") {
  for (const uint32_t k : {1U, 10U, 31U, 32U, 33U, 128U, 129U, 500U}) {
    Problem problem({.count = 1200, .dim = 2, .queries = 18, .multiprocessors = 1}, kKinds[0], k);
    for (uint32_t j = 0; j < 1200; ++j) {
      problem.keys[2 * j] = 0.25F * static_cast<float>(j / 4);  // fours of equal ones
      problem.keys[2 * j + 1] = static_cast<float>(j % 97);
    }
    for (uint32_t i = 0; i < 18; ++i) {
      problem.queries[2 * i] = i % 3 == 0 ? 0.0F : (i % 3 == 1 ? 1.0F : -1.0F);
      problem.queries[2 * i + 1] = i % 3 == 0 ? 1.0F : 0.0F;
    }
    const TopAnswer answer = top_of(problem, k, {});
    for (uint32_t i = 0; i < 18; ++i) {
      std::vector<Ranked> expected;
      for (uint32_t j = 0; j < 1200; ++j) {
        expected.push_back(rank(static_cast<float>(problem.score(i, j)) + 0.0F, j));
      }
      std::sort(expected.begin(), expected.end(), std::greater<>());
      expected.resize(k);
      CHECK(merged(answer, i, 18, k) == expected);
    }
  }
}

TEST_CASE("a readout of sharp weights skips tiles and is exact") {
  for (const Kind& kind : kKinds) {
    check_softmax(
        Problem({.count = 400, .dim = 24, .queries = 20, .reads_keys = true, .scale = 100.0F}, kind), kind);
    Problem problem(
        {.count = 500, .dim = 8, .queries = 18, .width = 8, .scale = 128.0F, .multiprocessors = 1}, kind);
    for (float& x : problem.keys) x = x > 0 ? 1.0F : -1.0F;  // exact in every kind
    for (float& x : problem.queries) x = x > 0 ? 1.0F : -1.0F;
    check_softmax(problem, kind);
  }
}

TEST_CASE("a floor that is met is no bar") {
  Problem problem({.count = 100, .dim = 4, .queries = 2}, kKinds[0]);
  std::fill(problem.keys.begin(), problem.keys.end(), 0.0F);
  for (const float floor : {0.0F, -0.0F}) {
    const TopAnswer answer = top_of(problem, 3, {floor, floor});
    for (uint32_t i = 0; i < 2; ++i) CHECK(merged(answer, i, 2, 3).size() == 3);
  }
}

TEST_CASE("tiles list what is above a threshold") {
  for (const Kind& kind : kKinds) {
    check_hits(Problem({.count = 200, .dim = 12, .queries = 70, .removed_each = 4, .first = 5}, kind), kind,
               0.9F, 20000);
    check_hits(Problem({.count = 100, .dim = 3, .queries = 5}, kind), kind, -100.0F, 500);
    check_hits(Problem({.count = 100, .dim = 3, .queries = 5}, kind), kind, -0.5F, 50);
  }
}

TEST_CASE("tiles fold whatever shape there is") {
  std::mt19937 random(5);
  const auto below = [&](uint32_t end) { return static_cast<uint32_t>(random() % end); };
  for (uint32_t round = 0; round < 100; ++round) {
    const Kind& kind = kKinds[round % std::size(kKinds)];
    const bool reads_keys = below(2) == 0;
    const Case c{.count = 1 + below(600),
                 .dim = 1 + below(below(2) == 0 ? 40 : 300),
                 .queries = 1 + below(below(2) == 0 ? 20 : 140),
                 .width = reads_keys ? 0 : below(200),
                 .reads_keys = reads_keys,
                 .term = static_cast<KeyTerm>(below(3)),
                 .removed_each = below(5),
                 .first = below(1000),
                 .scale = 0.25F * static_cast<float>(1 + below(4)),
                 .multiprocessors = 1 + below(5)};
    const Problem problem(c, kind, round);
    switch (round / std::size(kKinds) % 3) {
      case 0: check_softmax(problem, kind); break;
      case 1: check_top(problem, kind, 1 + below(200)); break;
      default: check_hits(problem, kind, 0.1F, 1 + below(40000));
    }
  }
}

TEST_CASE("splits fill the device and are no more than that") {
  Rows rows;
  rows.count = 1 << 18;
  rows.width = 128;
  for (const uint32_t queries : {1U, 64U, 65U, 256U, 8192U, 30000U}) {
    const uint32_t splits = tile_fold_splits(rows, queries, 132);
    const uint32_t blocks = (queries + 63) / 64 * splits;
    const uint32_t waves = (blocks + 263) / 264;
    CHECK(blocks * 100 >= waves * 264 * 90);
    CHECK(splits <= 264);
  }
  rows.count = 1;
  CHECK(tile_fold_splits(rows, 1, 132) == 1);
}

// Where less fits into shared memory queries stream with the rows, and fewer chunks are fetched ahead.
TEST_CASE("devices with less shared memory give the same bits") {
  const Case cases[] = {
      {.count = 150, .dim = 64, .queries = 3, .reads_keys = true},
      {.count = 150, .dim = 128, .queries = 3, .reads_keys = true},
      {.count = 70, .dim = 256, .queries = 2, .width = 130},
      {.count = 70, .dim = 700, .queries = 2},
  };
  for (const Kind& kind : kKinds) {
    for (const Case& c : cases) {
      const Problem problem(c, kind);
      const auto run = [&](int major, int minor) {
        const simulator::MachineScope scope({.major = major, .minor = minor});
        return std::pair(softmax_of(problem), top_of(problem, 33, {}));
      };
      const auto [softmax, top] = run(9, 0);
      for (const int minor : {0, 6}) {
        const auto [other_softmax, other_top] = run(8, minor);
        CHECK(softmax.max == other_softmax.max);
        CHECK(softmax.sum == other_softmax.sum);
        CHECK(softmax.readout == other_softmax.readout);
        CHECK(top.best == other_top.best);
      }
    }
  }
}

TEST_CASE("the same bits every time") {
  for (const Kind& kind : kKinds) {
    const Problem problem({.count = 200, .dim = 40, .queries = 5, .reads_keys = true}, kind);
    const SoftmaxAnswer a = softmax_of(problem);
    const SoftmaxAnswer b = softmax_of(problem);
    CHECK(a.max == b.max);
    CHECK(a.sum == b.sum);
    CHECK(a.readout == b.readout);
  }
}

}  // namespace engram::cuda
