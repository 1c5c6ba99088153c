// Rows folded for few queries on the simulated device against float64.
#include "cuda/row_fold.h"

#include <doctest/doctest.h>

#include <cfloat>
#include <set>
#include <utility>

#include "device_arrays.h"

namespace engram::cuda {
namespace {

using testing::DeviceArray;
using testing::DeviceMemory;
using testing::kElements;
using testing::MemoryShape;

struct Softmax {
  std::vector<float> max, sum, readout;  // of all splits
  uint32_t splits = 0;

  bool operator==(const Softmax&) const = default;
};

Softmax softmax_of(const DeviceMemory& memory, uint32_t multiprocessors) {
  Softmax answer;
  memory.on_device([&](const Rows& rows, const Queries& queries) {
    REQUIRE(queries.count <= most_row_queries(rows));
    answer.splits = row_fold_splits(rows, multiprocessors);
    const size_t partials = size_t{answer.splits} * queries.count;
    const DeviceArray<float> max(partials);
    const DeviceArray<float> sum(partials);
    const DeviceArray<float> readout(partials * rows.width);
    const SoftmaxPartials out{max.get(), sum.get(), rows.width > 0 ? readout.get() : nullptr};
    REQUIRE(row_softmax(rows, queries, answer.splits, out, nullptr) == cudaSuccess);
    answer.max = max.read();
    answer.sum = sum.read();
    answer.readout = readout.read();
  });
  return answer;
}

void check_softmax(const DeviceMemory& memory, uint32_t multiprocessors = 2) {
  const MemoryShape& shape = memory.shape;
  CAPTURE(shape.count);
  CAPTURE(shape.dim);
  CAPTURE(shape.width);
  CAPTURE(shape.queries);
  CAPTURE(static_cast<int>(memory.element));
  const Softmax answer = softmax_of(memory, multiprocessors);
  const uint32_t width = memory.width();
  for (uint32_t i = 0; i < shape.queries; ++i) {
    double most = -DBL_MAX;
    double error = 0;  // of a score
    std::vector<double> scores(shape.count);
    for (uint32_t j = 0; j < shape.count; ++j) {
      double one = 0;
      scores[j] = memory.score(i, j, &one);
      most = std::max(most, scores[j]);
      error = std::max(error, one);
    }
    double sum = 0;
    std::vector<double> readout(width, 0.0);
    std::vector<double> size(width, 0.0);
    for (uint32_t j = 0; j < shape.count && most > -DBL_MAX; ++j) {
      const double weight = std::exp2(scores[j] - most);
      sum += weight;
      for (uint32_t d = 0; d < width; ++d) {
        const double value = memory.values[size_t{j} * width + d];
        readout[d] += weight * value;
        size[d] += weight * std::abs(value);
      }
    }
    double found_sum = 0;
    std::vector<double> found(width, 0.0);
    for (uint32_t s = 0; s < answer.splits; ++s) {
      const size_t at = size_t{s} * shape.queries + i;
      REQUIRE(std::isfinite(answer.max[at]));
      REQUIRE(std::isfinite(answer.sum[at]));
      if (answer.max[at] == -FLT_MAX) CHECK(answer.sum[at] == 0.0F);
      const double factor = most == -DBL_MAX ? 1.0 : std::exp2(double{answer.max[at]} - most);
      found_sum += factor * answer.sum[at];
      for (uint32_t d = 0; d < width; ++d) found[d] += factor * answer.readout[at * width + d];
    }
    const double allowed = std::exp2(error) - 1 + 0x1p-19;
    CHECK(std::abs(found_sum - sum) <= sum * allowed);
    double worst = 0;
    for (uint32_t d = 0; d < width; ++d) {
      const double off = std::abs(found[d] - readout[d]);
      REQUIRE(std::isfinite(off));
      worst = std::max(worst, off / (size[d] * allowed + 1e-30));
    }
    CHECK(worst <= 1);
  }
}

uint32_t most_queries(const DeviceMemory& memory) {
  uint32_t most = 0;
  memory.on_device([&](const Rows& rows, const Queries&) { most = most_row_queries(rows); });
  return most;
}

// Best of all splits, best first; each split's are sorted, with nothing but 0 behind.
std::vector<std::vector<Ranked>> top_of(const DeviceMemory& memory, uint32_t k,
                                        const std::vector<float>& floor = {}) {
  std::vector<std::vector<Ranked>> found(memory.shape.queries);
  memory.on_device([&](const Rows& rows, const Queries& queries) {
    const uint32_t splits = row_fold_splits(rows, 2);
    const DeviceArray<Ranked> best(size_t{splits} * queries.count * k);
    const DeviceArray<float> device_floor(floor);
    const TopPartials out{.best = best.get(), .floor = floor.empty() ? nullptr : device_floor.get(), .k = k};
    REQUIRE(row_top(rows, queries, splits, out, nullptr) == cudaSuccess);
    const std::vector<Ranked> all = best.read();
    for (size_t list = 0; list < all.size() / k; ++list) {
      const auto first = all.begin() + static_cast<ptrdiff_t>(list * k);
      CHECK(std::is_sorted(first, first + k, std::greater<>()));
      std::vector<Ranked>& to = found[list % queries.count];
      to.insert(to.end(), first, first + k);
    }
  });
  for (std::vector<Ranked>& best : found) {
    std::sort(best.begin(), best.end(), std::greater<>());
    best.resize(std::min<size_t>(k, std::find(best.begin(), best.end(), Ranked{0}) - best.begin()));
  }
  return found;
}

void check_top(const DeviceMemory& memory, uint32_t k) {
  const MemoryShape& shape = memory.shape;
  CAPTURE(shape.count);
  CAPTURE(shape.dim);
  CAPTURE(k);
  CAPTURE(static_cast<int>(memory.element));
  const std::vector<std::vector<Ranked>> found = top_of(memory, k);
  for (uint32_t i = 0; i < shape.queries; ++i) {
    std::vector<double> scores;
    double error = 0;
    for (uint32_t j = 0; j < shape.count; ++j) {
      double one = 0;
      const double score = memory.score(i, j, &one);
      error = std::max(error, one);
      if (std::isfinite(score)) scores.push_back(score);
    }
    std::sort(scores.begin(), scores.end(), std::greater<>());
    REQUIRE(found[i].size() == std::min<size_t>(k, scores.size()));
    std::set<uint64_t> seen;
    for (size_t r = 0; r < found[i].size(); ++r) {
      const uint64_t row = uint64_t{item_of(found[i][r])} - shape.first;
      REQUIRE(row < shape.count);
      CHECK(seen.insert(row).second);
      const double score = memory.score(i, static_cast<uint32_t>(row));
      CHECK(std::abs(score - score_of(found[i][r])) <= error);
      CHECK(score >= scores[r] - 2 * error);
    }
  }
}

void check_hits(const DeviceMemory& memory, float threshold, uint64_t capacity) {
  const MemoryShape& shape = memory.shape;
  CAPTURE(shape.count);
  CAPTURE(shape.dim);
  CAPTURE(static_cast<int>(memory.element));
  std::vector<Hit> hits;
  unsigned long long found = 0;
  memory.on_device([&](const Rows& rows, const Queries& queries) {
    const DeviceArray<Hit> list(capacity + 1);
    const DeviceArray<unsigned long long> count(std::vector<unsigned long long>{0});
    const DeviceArray<float> thresholds(std::vector<float>(queries.count, threshold));
    const HitList out{
        .hits = list.get(), .found = count.get(), .capacity = capacity, .threshold = thresholds.get()};
    REQUIRE(row_hits(rows, queries, row_fold_splits(rows, 2), out, nullptr) == cudaSuccess);
    hits = list.read();
    found = count.read()[0];
  });
  CHECK(hits[capacity].query == 0xFFFFFFFFU);  // nothing behind the capacity
  hits.resize(std::min<uint64_t>(found, capacity));
  std::set<std::pair<uint32_t, uint64_t>> seen;
  for (const Hit& hit : hits) {
    REQUIRE(hit.query < shape.queries);
    const uint64_t row = uint64_t{hit.item} - shape.first;
    REQUIRE(row < shape.count);
    double error = 0;
    const double score = memory.score(hit.query, static_cast<uint32_t>(row), &error);
    CHECK(std::abs(score - hit.score) <= error);
    CHECK(hit.score > threshold);
    CHECK(seen.insert({hit.query, row}).second);
  }
  for (uint32_t i = 0; i < shape.queries && found <= capacity; ++i) {
    for (uint32_t j = 0; j < shape.count; ++j) {
      double error = 0;
      if (memory.score(i, j, &error) > threshold + error) CHECK(seen.contains({i, j}));
    }
  }
}

}  // namespace

TEST_CASE("row kernels fold softmax for every kind of row") {
  const MemoryShape shapes[] = {
      {.count = 1, .dim = 1},
      {.count = 1, .dim = 1, .width = 1},
      {.count = 70, .dim = 3, .reads_keys = true},
      {.count = 300, .dim = 16, .width = 7, .term = KeyTerm::kHalfSquareNorm, .removed_each = 3},
      {.count = 257, .dim = 40, .reads_keys = true, .term = KeyTerm::kReciprocalNorm},
      {.count = 700, .dim = 128, .reads_keys = true, .removed_each = 7, .first = 37},
      {.count = 530, .dim = 100, .width = 128, .term = KeyTerm::kHalfSquareNorm},
      {.count = 90, .dim = 64, .term = KeyTerm::kReciprocalNorm, .removed_each = 2, .first = 64},
      {.count = 40, .dim = 200, .reads_keys = true},
      {.count = 30, .dim = 17, .width = 500},
      {.count = 33, .dim = 1000, .reads_keys = true, .removed_each = 5},
      {.count = 20, .dim = 1024, .width = 3},
      {.count = 9000, .dim = 32, .reads_keys = true, .term = KeyTerm::kHalfSquareNorm},
  };
  for (const Element element : kElements) {
    for (const MemoryShape& shape : shapes) check_softmax(DeviceMemory(shape, element));
  }
}

TEST_CASE("row kernels fold softmax for as many queries as they take") {
  for (const Element element : kElements) {
    for (const uint32_t dim : {9U, 128U, 256U, 300U}) {
      const MemoryShape shape{.count = 60, .dim = dim, .reads_keys = true};
      const uint32_t most = most_queries(DeviceMemory(shape, element));
      CHECK(most >= 1);
      for (uint32_t queries = 1; queries <= most; ++queries) {
        for (const bool reads_keys : {true, false}) {
          const MemoryShape asked{.count = 60,
                                  .dim = dim,
                                  .queries = queries,
                                  .width = reads_keys ? 0 : dim / 2,
                                  .reads_keys = reads_keys,
                                  .removed_each = 11};
          check_softmax(DeviceMemory(asked, element, queries));
        }
      }
    }
  }
}

TEST_CASE("row kernels fold rows that are too long for registers") {
  const MemoryShape shapes[] = {
      {.count = 37, .dim = 1030, .reads_keys = true, .term = KeyTerm::kHalfSquareNorm, .removed_each = 4},
      {.count = 300, .dim = 8, .width = 1500},
      {.count = 5, .dim = 4100, .reads_keys = true, .term = KeyTerm::kReciprocalNorm},
      {.count = 9, .dim = 5, .width = 9001},
      {.count = 18, .dim = 2000},
      {.count = 18, .dim = 2001, .width = 2},
  };
  for (const Element element : kElements) {
    for (const MemoryShape& shape : shapes) {
      DeviceMemory memory(shape, element);
      CHECK(most_queries(memory) == 1);
      check_softmax(memory);
    }
  }
}

TEST_CASE("row kernels fold extreme scores, and splits without items") {
  for (const Element element : kElements) {
    DeviceMemory large({.count = 300, .dim = 24, .reads_keys = true, .magnitude = 30}, element);
    check_softmax(large);
    for (float& q : large.query) q *= 100;  // all weight on few rows
    for (float& x : large.scale) x = 1e-3F;
    check_softmax(large);

    // The first of two splits has nothing but removed items; then all items are.
    DeviceMemory hollow({.count = 520, .dim = 20, .reads_keys = true}, element);
    for (uint32_t j = 0; j < 260; ++j) hollow.remove(j);
    check_softmax(hollow, 1);
    for (uint32_t j = 260; j < 520; ++j) hollow.remove(j);
    check_softmax(hollow, 1);
    CHECK(top_of(hollow, 5)[0].empty());
  }
}

TEST_CASE("row kernels give the same bits for the same rows") {
  const DeviceMemory memory({.count = 600, .dim = 96, .queries = 2, .reads_keys = true}, Element::kFloat32);
  CHECK(softmax_of(memory, 2) == softmax_of(memory, 2));
}

TEST_CASE("row kernels find the best items") {
  const MemoryShape shapes[] = {
      {.count = 1, .dim = 1},
      {.count = 700, .dim = 12, .queries = 3, .removed_each = 3, .first = 1000},
      {.count = 1500, .dim = 128, .term = KeyTerm::kHalfSquareNorm},
      {.count = 60, .dim = 300, .queries = 1, .term = KeyTerm::kReciprocalNorm},
      {.count = 50, .dim = 1040, .removed_each = 2, .first = 5},
  };
  for (const Element element : kElements) {
    for (const MemoryShape& shape : shapes) {
      for (const uint32_t k : {1U, 10U, 100U}) check_top(DeviceMemory(shape, element), k);
    }
  }
  check_top(DeviceMemory({.count = 20000, .dim = 9, .queries = 2}, Element::kBfloat16), kMostFoldK);
  check_top(DeviceMemory({.count = 1100, .dim = 4, .queries = 8}, Element::kFloat32), 1000);
  check_top(DeviceMemory({.count = 30, .dim = 1100}, Element::kFloat32), kMostFoldK);
}

TEST_CASE("equal scores are ranked by their item, lower first") {
  DeviceMemory memory({.count = 900, .dim = 16, .first = 3}, Element::kFloat32);
  for (uint32_t j = 0; j < 900; ++j) {
    for (uint32_t d = 0; d < 16; ++d) memory.keys[size_t{j} * 16 + d] = static_cast<float>(j % 2);
  }
  for (float& q : memory.query) q = 1;
  const std::vector<Ranked> best = top_of(memory, 20)[0];
  REQUIRE(best.size() == 20);
  for (uint32_t r = 0; r < 20; ++r) {
    CHECK(item_of(best[r]) == 3 + 1 + 2 * r);
    CHECK(score_of(best[r]) == 16.0F);
  }
  // A floor may be equalled.
  CHECK(top_of(memory, 20, {16.0F})[0] == best);
  CHECK(top_of(memory, 20, {16.5F})[0].empty());
}

TEST_CASE("row kernels list the items above a threshold") {
  const MemoryShape shapes[] = {
      {.count = 1, .dim = 1},
      {.count = 700, .dim = 12, .queries = 3, .removed_each = 3, .first = 1000},
      {.count = 300, .dim = 128, .term = KeyTerm::kHalfSquareNorm},
      {.count = 50, .dim = 1040, .removed_each = 2, .first = 5},
  };
  for (const Element element : kElements) {
    for (const MemoryShape& shape : shapes) {
      const DeviceMemory memory(shape, element);
      check_hits(memory, 0.25F, 4096);
      check_hits(memory, -1e30F, 4096);
      check_hits(memory, -1e30F, 7);
    }
  }
}

TEST_CASE("row kernels fold memories of random shapes") {
  std::mt19937 random(20);
  const auto up_to = [&](uint32_t most) { return static_cast<uint32_t>(random() % most) + 1; };
  for (int round = 0; round < 60; ++round) {
    const Element element = kElements[round % 3];
    MemoryShape shape{.count = up_to(round % 2 == 0 ? 90 : 1500), .dim = up_to(round % 2 == 0 ? 1200 : 140)};
    shape.width = random() % 2 == 0 ? 0 : up_to(300);
    shape.reads_keys = shape.width == 0 && random() % 2 == 0;
    shape.term = static_cast<KeyTerm>(random() % 3);
    shape.removed_each = static_cast<uint32_t>(random() % 5);
    shape.first = random() % 1000;
    shape.queries = up_to(most_queries(DeviceMemory(shape, element)));
    const DeviceMemory memory(shape, element, static_cast<uint32_t>(round));
    check_softmax(memory, up_to(3));
    MemoryShape searched = shape;  // without readout there may be room for more queries
    searched.width = 0;
    searched.reads_keys = false;
    const DeviceMemory keys(searched, element, static_cast<uint32_t>(round));
    check_top(keys, up_to(200));
    check_hits(keys, 0.5F, 5000);
  }
}

TEST_CASE("splits are two to a multiprocessor, of no fewer than 64 KiB") {
  Rows rows;
  rows.dim = rows.width = rows.key_pitch = rows.value_pitch = 128;
  rows.count = 4194304;
  CHECK(row_fold_splits(rows, 132) == 264);
  rows.count = 1;
  CHECK(row_fold_splits(rows, 132) == 1);
  rows.count = 257;  // rows of 512 bytes
  CHECK(row_fold_splits(rows, 132) == 3);
  rows.element = Element::kBfloat16;
  CHECK(row_fold_splits(rows, 132) == 2);
  rows.dim = rows.width = rows.key_pitch = rows.value_pitch = 1 << 20;
  CHECK(row_fold_splits(rows, 132) == 257);
}

}  // namespace engram::cuda
