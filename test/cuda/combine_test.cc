// Partial answers brought together on the simulated device, against float64.
#include "cuda/combine.h"

#include <doctest/doctest.h>

#include <cfloat>
#include <functional>

#include "device_arrays.h"

namespace engram::cuda {
namespace {

using testing::DeviceArray;

// Random partial answers of one launch.
struct Partials {
  uint32_t splits;
  std::vector<float> max, sum, readout;

  Partials(uint32_t splits_, uint32_t queries, uint32_t width, std::mt19937& random) : splits(splits_) {
    std::uniform_real_distribution<float> score(-60, 60);
    std::uniform_real_distribution<float> weight(1, 100);
    std::uniform_real_distribution<float> value(-1, 1);
    for (uint32_t i = 0; i < splits * queries; ++i) {
      const bool empty = random() % 5 == 0;
      max.push_back(empty ? -FLT_MAX : score(random));
      sum.push_back(empty ? 0.0F : weight(random));
      for (uint32_t d = 0; d < width; ++d) readout.push_back(empty ? 0.0F : sum[i] * value(random));
    }
  }
};

// The exact answer of a query.
struct Exact {
  double max = -DBL_MAX;
  double sum = 0;
  std::vector<double> readout, size;
};
Exact exact_answer(const std::vector<Partials>& launches, uint32_t query, uint32_t queries, uint32_t width) {
  Exact exact;
  exact.readout.resize(width);
  exact.size.resize(width);
  for (const Partials& p : launches) {
    for (uint32_t s = 0; s < p.splits; ++s) {
      if (p.sum[s * queries + query] > 0) exact.max = std::max<double>(exact.max, p.max[s * queries + query]);
    }
  }
  for (const Partials& p : launches) {
    for (uint32_t s = 0; s < p.splits; ++s) {
      const uint32_t at = s * queries + query;
      if (p.sum[at] == 0) continue;
      const double factor = std::exp2(p.max[at] - exact.max);
      exact.sum += factor * p.sum[at];
      for (uint32_t d = 0; d < width; ++d) {
        exact.readout[d] += factor * p.readout[size_t{at} * width + d];
        exact.size[d] += factor * std::abs(p.readout[size_t{at} * width + d]);
      }
    }
  }
  return exact;
}

void check_softmax(uint32_t queries, uint32_t width, const std::vector<uint32_t>& splits) {
  CAPTURE(queries);
  CAPTURE(width);
  std::mt19937 random(queries + 7 * width + splits[0]);
  const DeviceArray<float> max(queries);
  const DeviceArray<double> sum(queries);
  const DeviceArray<float> readout(size_t{queries} * width);
  const SoftmaxState state{max.get(), sum.get(), width > 0 ? readout.get() : nullptr};
  REQUIRE(begin_softmax(state, queries, width, nullptr) == cudaSuccess);
  std::vector<Partials> launches;
  for (const uint32_t s : splits) {
    const Partials& p = launches.emplace_back(s, queries, width, random);
    const DeviceArray<float> device_max(p.max);
    const DeviceArray<float> device_sum(p.sum);
    const DeviceArray<float> device_readout(p.readout);
    const SoftmaxPartials partials{device_max.get(), device_sum.get(),
                                   width > 0 ? device_readout.get() : nullptr};
    REQUIRE(combine_softmax(state, partials, s, queries, width, nullptr) == cudaSuccess);
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
  }
  if (width > 0) REQUIRE(finish_softmax(state, queries, width, nullptr) == cudaSuccess);
  const std::vector<float> maxima = max.read();
  const std::vector<double> sums = sum.read();
  const std::vector<float> answers = readout.read();
  for (uint32_t i = 0; i < queries; ++i) {
    const Exact exact = exact_answer(launches, i, queries, width);
    if (exact.sum == 0) {
      CHECK(maxima[i] == -FLT_MAX);
      CHECK(sums[i] == 0);
    } else {
      CHECK(maxima[i] == exact.max);
      CHECK(std::abs(sums[i] - exact.sum) <= 0x1p-20 * exact.sum);
    }
    double worst = 0;
    for (uint32_t d = 0; d < width; ++d) {
      const double expected = exact.sum == 0 ? 0 : exact.readout[d] / exact.sum;
      const double off = std::abs(answers[size_t{i} * width + d] - expected);
      REQUIRE(std::isfinite(off));
      worst = std::max(worst, exact.sum == 0 ? off : off / (exact.size[d] / exact.sum * 0x1p-20 + 1e-30));
    }
    CHECK(worst <= 1);
  }
}

void check_top(uint32_t queries, uint32_t k, const std::vector<uint32_t>& splits, uint32_t fill) {
  CAPTURE(queries);
  CAPTURE(k);
  CAPTURE(fill);
  std::mt19937 random(queries + 3 * k);
  std::uniform_int_distribution<int> score(-500, 500);
  const DeviceArray<Ranked> state(size_t{queries} * k);
  const DeviceArray<float> floor(queries);
  REQUIRE(begin_top(state.get(), floor.get(), queries, k, nullptr) == cudaSuccess);
  std::vector<std::vector<Ranked>> all(queries);
  uint32_t item = 0;
  for (const uint32_t s : splits) {
    std::vector<Ranked> partials;
    for (uint32_t list = 0; list < s * queries; ++list) {
      std::vector<Ranked> best(k, 0);
      for (uint32_t r = 0; r < std::min(k, fill); ++r) {
        best[r] = rank(static_cast<float>(score(random)), item++);
      }
      std::sort(best.begin(), best.end(), std::greater<>());
      partials.insert(partials.end(), best.begin(), best.end());
      all[list % queries].insert(all[list % queries].end(), best.begin(), best.end());
    }
    const DeviceArray<Ranked> device_partials(partials);
    REQUIRE(combine_top(state.get(), floor.get(), {.best = device_partials.get(), .k = k}, s, queries,
                        nullptr) == cudaSuccess);
    const std::vector<Ranked> found = state.read();
    const std::vector<float> floors = floor.read();
    for (uint32_t i = 0; i < queries; ++i) {
      std::vector<Ranked> expected = all[i];
      std::sort(expected.begin(), expected.end(), std::greater<>());
      expected.resize(k);
      CHECK(std::equal(expected.begin(), expected.end(), found.begin() + i * k));
      CHECK(floors[i] == (expected[k - 1] == 0 ? -INFINITY : score_of(expected[k - 1])));
    }
  }
}

}  // namespace

TEST_CASE("partial answers of softmax are combined over splits and launches") {
  check_softmax(1, 0, {1});
  check_softmax(1, 1, {1, 1});
  check_softmax(3, 128, {264});
  check_softmax(2, 33, {7, 1, 300});
  check_softmax(300, 5, {2, 3});
  check_softmax(5, 0, {40, 8});
}

TEST_CASE("no items, then some, give a finite answer") {
  for (const bool with_items : {false, true}) {
    const DeviceArray<float> max(std::vector<float>{-FLT_MAX, with_items ? 100.0F : -FLT_MAX});
    const DeviceArray<float> sum(std::vector<float>{0, with_items ? 2.0F : 0.0F});
    const DeviceArray<float> readout(std::vector<float>{0, with_items ? 3.0F : 0.0F});
    const DeviceArray<float> state_max(size_t{1});
    const DeviceArray<double> state_sum(size_t{1});
    const DeviceArray<float> state_readout(size_t{1});
    const SoftmaxState state{state_max.get(), state_sum.get(), state_readout.get()};
    const SoftmaxPartials partials{max.get(), sum.get(), readout.get()};
    REQUIRE(begin_softmax(state, 1, 1, nullptr) == cudaSuccess);
    REQUIRE(combine_softmax(state, partials, 1, 1, 1, nullptr) == cudaSuccess);
    REQUIRE(combine_softmax(state, partials, 2, 1, 1, nullptr) == cudaSuccess);
    REQUIRE(finish_softmax(state, 1, 1, nullptr) == cudaSuccess);
    CHECK(state_max.read()[0] == (with_items ? 100.0F : -FLT_MAX));
    CHECK(state_sum.read()[0] == (with_items ? 2.0 : 0.0));
    CHECK(state_readout.read()[0] == (with_items ? 1.5F : 0.0F));
  }
}

TEST_CASE("the best items are kept over splits and launches") {
  check_top(1, 1, {1, 1, 5}, 1);
  check_top(3, 10, {264, 3}, 10);
  check_top(2, 100, {4, 1, 30}, 60);
  check_top(1, kMostFoldK, {9, 2}, kMostFoldK);
  check_top(2, 1000, {1, 3}, 300);
  check_top(40, 7, {2}, 0);
}

}  // namespace engram::cuda
