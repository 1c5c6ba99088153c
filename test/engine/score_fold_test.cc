// Every fold x key term x shape x instruction set against float64, and the promises of a pass: the same
// bits whatever order the strands run in, removed items take no part, blocks may be cut anywhere.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "engine/cpu_backend.h"
#include "kernels/dispatch.h"
#include "support/problem.h"
#include "support/reference.h"

namespace engram::engine {
namespace {

using reference::Problem;
using reference::tolerance;

// Runs a pass strand by strand in the given order.
Status run_pass(const ScoreFold& op, const kernels::KernelTable& kernels, uint64_t shuffle = 0) {
  std::unique_ptr<Pass> pass = std::move(plan_on_cpu(op, kernels)).value();
  std::vector<size_t> order(pass->strands());
  std::iota(order.begin(), order.end(), size_t{0});
  if (shuffle != 0) std::shuffle(order.begin(), order.end(), std::mt19937_64(shuffle));
  uint64_t work = 0;
  for (const size_t strand : order) {
    for (;;) {
      Pass::Slice slice = pass->run_slice(strand);
      if (!slice.status.ok()) return slice.status;
      work += slice.work;
      if (slice.ended) break;
    }
  }
  CHECK(work == op.count * op.query_count);
  for (size_t m = 0; m < pass->merges(); ++m) {
    Status status = pass->merge(m);
    if (!status.ok()) return status;
  }
  return {};
}

template <typename Check>
void for_each_problem(Check check) {
  for (const std::string& isa : kernels::available_isas()) {
    const kernels::KernelTable& table = *kernels::table_for(isa).value();
    for (const KeyTerm term : {KeyTerm::kNone, KeyTerm::kHalfSquareNorm, KeyTerm::kReciprocalNorm}) {
      for (const uint64_t count : {1, 5, 130, 1500}) {
        for (const size_t dim : {1, 19, 64}) {
          for (const uint64_t queries : {1, 3, 5, 33, 70}) {
            for (const bool with_removed : {false, true}) {
              CAPTURE(isa);
              CAPTURE(static_cast<int>(term));
              CAPTURE(count);
              CAPTURE(dim);
              CAPTURE(queries);
              Problem problem(count, dim, 21, queries, term, with_removed);
              check(problem, table);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("log-sum-exp and readout equal float64") {
  for_each_problem([](Problem& p, const kernels::KernelTable& table) {
    for (const bool read_keys : {true, false}) {
      const size_t width = read_keys ? p.op.dim : p.op.value_dim;
      std::vector<double> lse(p.op.query_count);
      std::vector<float> readout(p.op.query_count * width);
      p.op.fold = Fold::kReadout;
      p.op.read_keys = read_keys;
      p.op.lse = lse.data();
      p.op.readout = readout.data();
      REQUIRE(run_pass(p.op, table).ok());
      for (uint64_t i = 0; i < p.op.query_count; ++i) {
        CHECK(std::abs(lse[i] - reference::lse(reference::scores(p.op, i))) <= tolerance(p));
        const std::vector<double> exact = reference::readout(p.op, i);
        for (size_t d = 0; d < width; ++d) CHECK(std::abs(readout[i * width + d] - exact[d]) <= tolerance(p));
      }
      std::vector<double> alone(p.op.query_count);
      p.op.fold = Fold::kLogSumExp;
      p.op.lse = alone.data();
      REQUIRE(run_pass(p.op, table).ok());
      for (uint64_t i = 0; i < p.op.query_count; ++i) CHECK(std::abs(alone[i] - lse[i]) <= tolerance(p));
    }
  });
}

TEST_CASE("top-k, candidates and the largest norm agree with float64") {
  for_each_problem([](Problem& p, const kernels::KernelTable& table) {
    uint64_t live = 0;
    for (uint64_t j = 0; j < p.op.count; ++j) live += reference::removed(p.op, j) ? 0 : 1;
    const auto k = static_cast<uint32_t>(std::min<uint64_t>(live, 7));
    std::vector<Candidate> top(p.op.query_count * k);
    p.op.fold = Fold::kTopK;
    p.op.k = k;
    p.op.top = top.data();
    float max_square_norm = 0;
    p.op.max_square_norm = &max_square_norm;
    REQUIRE(run_pass(p.op, table).ok());
    p.op.max_square_norm = nullptr;

    std::vector<float> threshold(p.op.query_count);
    std::vector<std::vector<Candidate>> found(p.op.query_count);
    for (uint64_t i = 0; i < p.op.query_count; ++i) threshold[i] = top[i * k + k - 1].score;
    p.op.fold = Fold::kCandidates;
    p.op.threshold = threshold.data();
    p.op.candidates = found.data();
    REQUIRE(run_pass(p.op, table).ok());

    double largest = 0;
    for (uint64_t j = 0; j < p.op.count; ++j) {
      const float* x = reference::key(p.op, j);
      if (!reference::removed(p.op, j)) largest = std::max(largest, reference::dot(x, x, p.op.dim));
    }
    CHECK(std::abs(max_square_norm - largest) <= tolerance(p));

    for (uint64_t i = 0; i < p.op.query_count; ++i) {
      std::vector<double> sorted = reference::scores(p.op, i);
      std::sort(sorted.begin(), sorted.end(), std::greater<>());
      for (uint32_t r = 0; r < k; ++r) {
        const Candidate& c = top[i * k + r];
        CHECK_FALSE(reference::removed(p.op, c.index));
        CHECK(std::abs(c.score - sorted[r]) <= tolerance(p));
        CHECK(std::abs(c.score - reference::score(p.op, i, c.index)) <= tolerance(p));
      }
      // Strictly above the k-th best: at most k - 1 items, all of them among the k.
      CHECK(found[i].size() <= k - 1);
      for (const Candidate& c : found[i]) {
        CHECK(std::any_of(&top[i * k], &top[i * k] + k,
                          [&](const Candidate& t) { return t.index == c.index; }));
      }
    }
  });
}

TEST_CASE("equal keys rank by item number in every layout") {
  for (const std::string& isa : kernels::available_isas()) {
    const kernels::KernelTable& table = *kernels::table_for(isa).value();
    for (const uint64_t queries : {1, 40}) {
      Problem p(1000, 30, 1, queries, KeyTerm::kHalfSquareNorm, false);
      for (uint64_t j = 1; j < 1000; ++j)
        std::copy_n(p.keys.begin(), 30, p.keys.begin() + static_cast<int64_t>(j * 30));
      std::vector<Candidate> top(queries * 9);
      p.op.fold = Fold::kTopK;
      p.op.k = 9;
      p.op.top = top.data();
      for (const uint64_t shuffle : {0, 1, 2, 3}) {
        REQUIRE(run_pass(p.op, table, shuffle).ok());
        for (size_t r = 0; r < top.size(); ++r) CHECK(top[r].index == r % 9);
      }
    }
  }
}

TEST_CASE("the order in which strands run does not change a bit") {
  const kernels::KernelTable& table = kernels::active();
  for (const uint64_t queries : {1, 200}) {
    Problem p(20000, 40, 1, queries, KeyTerm::kHalfSquareNorm, false);
    std::vector<std::vector<float>> readouts;
    for (const uint64_t shuffle : {0, 1, 2}) {
      std::vector<float> readout(queries * 40);
      std::vector<double> lse(queries);
      p.op.fold = Fold::kReadout;
      p.op.readout = readout.data();
      p.op.lse = lse.data();
      REQUIRE(run_pass(p.op, table, shuffle).ok());
      readouts.push_back(readout);
    }
    CHECK(readouts[0] == readouts[1]);
    CHECK(readouts[0] == readouts[2]);
  }
}

TEST_CASE("a bad stored element is named, an overflow is told apart") {
  for (const uint64_t queries : {1, 40}) {
    for (const KeyTerm term : {KeyTerm::kNone, KeyTerm::kHalfSquareNorm, KeyTerm::kReciprocalNorm}) {
      Problem p(500, 30, 1, queries, term, false);
      std::vector<double> lse(queries);
      p.op.fold = Fold::kLogSumExp;
      p.op.lse = lse.data();
      p.keys[321 * 30 + 7] = std::numeric_limits<float>::quiet_NaN();
      Status status = run_pass(p.op, kernels::active());
      CHECK(status.code() == StatusCode::kNonFinite);
      CHECK(status.message().find("stored pattern 321") != std::string::npos);
      CHECK(status.message().find("position 7") != std::string::npos);
      p.keys[321 * 30 + 7] = 3e38F;
      p.keys[321 * 30 + 8] = 3e38F;
      std::fill(p.queries.begin(), p.queries.end(), 1e3F);
      CHECK(run_pass(p.op, kernels::active()).code() == StatusCode::kRange);
    }
  }
}

TEST_CASE("a removed row whose norm leaves Float32 is in nobody's way") {
  for (const uint64_t queries : {1, 40}) {
    for (const KeyTerm term : {KeyTerm::kNone, KeyTerm::kHalfSquareNorm, KeyTerm::kReciprocalNorm}) {
      Problem p(500, 30, 1, queries, term, true);
      for (size_t d = 0; d < 30; ++d) p.keys[321 * 30 + d] = 1e30F;
      REQUIRE(reference::removed(p.op, 321));
      std::vector<double> lse(queries);
      float largest = 0;
      p.op.fold = Fold::kLogSumExp;
      p.op.lse = lse.data();
      p.op.max_square_norm = &largest;
      REQUIRE(run_pass(p.op, kernels::active()).ok());
      CHECK(largest < 31);
      for (uint64_t i = 0; i < queries; ++i) {
        CHECK(std::abs(lse[i] - reference::lse(reference::scores(p.op, i))) <= tolerance(p));
      }
    }
  }
}

TEST_CASE("devices lists the CPU first and says why there is no GPU") {
  const std::vector<DeviceFacts> list = devices();
  REQUIRE(list.size() >= 2);
  CHECK(list[0].id == "cpu");
  CHECK(list[0].available);
  CHECK(list[0].instruction_set == kernels::isa_name());
  CHECK_FALSE(list[1].available);
  CHECK_FALSE(list[1].reason.empty());
  CHECK(find_backend("auto").ok());
  CHECK(find_backend("cuda:0").status().code() == StatusCode::kDevice);
  CHECK(find_backend("tpu").status().code() == StatusCode::kRange);
}

}  // namespace
}  // namespace engram::engine
