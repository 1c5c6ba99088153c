// Tiles of queries and rows on the simulated device against float64.
#include "cuda/tile_fold.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "faults.h"
#include "tile_checks.h"

namespace engram::cuda {
namespace {

using testing::Case;
using testing::check_hits;
using testing::check_softmax;
using testing::check_top;
using testing::Kind;
using testing::kKinds;
using testing::merged;
using testing::Problem;
using testing::softmax_of;
using testing::SoftmaxAnswer;
using testing::top_of;
using testing::TopAnswer;

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

}  // namespace
}  // namespace engram::cuda
