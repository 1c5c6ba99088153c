// The whole way from the engine's operation through the table, lanes, uploads and kernels, on the simulated
// device, against float64: every fold x term x storage x shape, resident or passing through.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "on_device.h"
#include "support/problem.h"
#include "support/reference.h"

namespace engram::engine {
namespace {

using testing::OnDevice;

using reference::Problem;

const Backend& device() { return OnDevice::device(); }

Status run_pass(const ScoreFold& op) {
  Result<std::unique_ptr<Pass>> pass = device().plan(op);
  if (!pass.ok()) return pass.status();
  uint64_t work = 0;
  for (;;) {
    const Pass::Slice slice = pass.value()->run_slice(0);
    if (!slice.status.ok()) return slice.status;
    work += slice.work;
    if (slice.ended) break;
  }
  CHECK(work == op.count * op.query_count);
  return {};
}

// A problem whose blocks are on the device, or are to pass through it.
struct Placed {
  Problem problem;
  std::vector<std::shared_ptr<Resident>> places;

  Placed(const Problem& p, const DeviceOptions& options, bool resident) : problem(p) {
    problem.op.blocks = problem.blocks;  // the copy's own
    problem.op.queries = problem.queries.data();
    problem.op.scale = problem.scale.data();
    problem.op.removed = problem.removed;
    for (KeyBlock& block : problem.blocks) {
      block.keys = problem.keys.data() + block.first * problem.op.dim;
      block.values = problem.values.data() + block.first * problem.op.value_dim;
    }
    problem.op.device = options;
    if (!resident) return;
    for (KeyBlock& block : problem.blocks) {
      places.push_back(std::move(device().reserve({.capacity = block.rows + 3,
                                                   .dim = problem.op.dim,
                                                   .value_dim = problem.op.value_dim,
                                                   .storage = options.storage}))
                           .value());
      REQUIRE(places.back() != nullptr);
      block.resident = places.back().get();
    }
  }
};

// How far scores and what follows from them may be off, for elements within [-1, 1] and scales up to 3.
double allowed(const Problem& p) {
  const Rounding rounding = rounding_of(p.op.device);
  return reference::tolerance(p) * 4 +
         6 * 2.25 * (rounding.relative + rounding.absolute) * static_cast<double>(p.op.dim);
}

const DeviceOptions kOptions[] = {
    {.storage = Storage::kFloat32, .arithmetic = Arithmetic::kTf32x3},
    {.storage = Storage::kFloat32, .arithmetic = Arithmetic::kTf32},
    {.storage = Storage::kFloat32, .arithmetic = Arithmetic::kBfloat16},
    {.storage = Storage::kFloat16},
    {.storage = Storage::kBfloat16},
};

void for_each_placed(const std::function<void(Problem&)>& check) {
  struct Shape {
    uint64_t count;
    size_t dim;
    size_t value_dim;
    uint64_t queries;
  };
  constexpr Shape kShapes[] = {{1, 1, 1, 1},     {5, 19, 3, 2},       {130, 64, 21, 1}, {257, 33, 40, 4},
                               {300, 16, 8, 20}, {129, 100, 130, 33}, {70, 130, 5, 70}, {90, 3, 300, 40}};
  int round = 0;
  for (const DeviceOptions& options : kOptions) {
    for (const Shape& shape : kShapes) {
      for (const bool resident : {true, false}) {
        // What is not the shape's takes turns: every term meets every storage.
        const auto term = static_cast<KeyTerm>(round % 3);
        const bool with_removed = round % 2 == 1;
        ++round;
        CAPTURE(static_cast<int>(options.storage));
        CAPTURE(static_cast<int>(options.arithmetic));
        CAPTURE(shape.count);
        CAPTURE(shape.dim);
        CAPTURE(shape.queries);
        CAPTURE(resident);
        CAPTURE(static_cast<int>(term));
        Placed placed(Problem(shape.count, shape.dim, shape.value_dim, shape.queries, term, with_removed),
                      options, resident);
        check(placed.problem);
      }
    }
  }
}

constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();

void check_softmax(Problem& p) {
  for (const bool read_keys : {true, false}) {
    const size_t width = read_keys ? p.op.dim : p.op.value_dim;
    std::vector<double> lse(p.op.query_count, kPoison);
    std::vector<float> readout(p.op.query_count * width, kPoison);
    p.op.fold = Fold::kReadout;
    p.op.read_keys = read_keys;
    p.op.lse = lse.data();
    p.op.readout = readout.data();
    const Status status = run_pass(p.op);
    CAPTURE(status.message());
    REQUIRE(status.ok());
    for (uint64_t i = 0; i < p.op.query_count; ++i) {
      CHECK(std::abs(lse[i] - reference::lse(reference::scores(p.op, i))) <= allowed(p));
      const std::vector<double> exact = reference::readout(p.op, i);
      for (size_t d = 0; d < width; ++d) CHECK(std::abs(readout[i * width + d] - exact[d]) <= allowed(p));
    }
    std::vector<double> alone(p.op.query_count, kPoison);
    p.op.fold = Fold::kLogSumExp;
    p.op.lse = alone.data();
    REQUIRE(run_pass(p.op).ok());
    for (uint64_t i = 0; i < p.op.query_count; ++i) CHECK(std::abs(alone[i] - lse[i]) <= allowed(p));
  }
}

TEST_CASE_FIXTURE(OnDevice, "log-sum-exp and readout on the device equal float64") {
  for_each_placed(check_softmax);
}

// As many queries as the Hopper kernels want. Tiles of keys and of wide values differ in height.
TEST_CASE_FIXTURE(OnDevice, "softmax of many queries over rows of 16 bits, resident or passing through") {
  for (const Storage storage : {Storage::kFloat16, Storage::kBfloat16}) {
    for (const bool resident : {true, false}) {
      CAPTURE(static_cast<int>(storage));
      CAPTURE(resident);
      Placed placed(Problem(1500, 20, 140, 100, KeyTerm::kNone, /*with_removed=*/true), {.storage = storage},
                    resident);
      check_softmax(placed.problem);
    }
  }
}

TEST_CASE_FIXTURE(OnDevice, "top-k, candidates and the largest norm on the device agree with float64") {
  for_each_placed([](Problem& p) {
    uint64_t live = 0;
    for (uint64_t j = 0; j < p.op.count; ++j) live += reference::removed(p.op, j) ? 0 : 1;
    const auto k = static_cast<uint32_t>(std::min<uint64_t>(live, 7));
    std::vector<Candidate> top(p.op.query_count * k, {~uint64_t{0}, kPoison});
    p.op.fold = Fold::kTopK;
    p.op.k = k;
    p.op.top = top.data();
    float max_square_norm = 0;
    p.op.max_square_norm = &max_square_norm;
    REQUIRE(run_pass(p.op).ok());
    p.op.max_square_norm = nullptr;

    std::vector<float> threshold(p.op.query_count);
    std::vector<std::vector<Candidate>> found(p.op.query_count);
    for (uint64_t i = 0; i < p.op.query_count; ++i) threshold[i] = top[i * k + k - 1].score;
    p.op.fold = Fold::kCandidates;
    p.op.threshold = threshold.data();
    p.op.candidates = found.data();
    REQUIRE(run_pass(p.op).ok());

    double largest = 0;
    for (uint64_t j = 0; j < p.op.count; ++j) {
      const float* x = reference::key(p.op, j);
      if (!reference::removed(p.op, j)) largest = std::max(largest, reference::dot(x, x, p.op.dim));
    }
    CHECK(std::abs(max_square_norm - largest) <= allowed(p));

    for (uint64_t i = 0; i < p.op.query_count; ++i) {
      std::vector<double> sorted = reference::scores(p.op, i);
      std::sort(sorted.begin(), sorted.end(), std::greater<>());
      for (uint32_t r = 0; r < k; ++r) {
        const Candidate& c = top[i * k + r];
        REQUIRE(c.index < p.op.count);
        CHECK_FALSE(reference::removed(p.op, c.index));
        CHECK(std::abs(c.score - sorted[r]) <= allowed(p));
        CHECK(std::abs(c.score - reference::score(p.op, i, c.index)) <= allowed(p));
      }
      CHECK(found[i].size() <= k - 1);
      for (const Candidate& c : found[i]) {
        CHECK(std::any_of(&top[i * k], &top[i * k] + k,
                          [&](const Candidate& t) { return t.index == c.index; }));
      }
      CHECK(std::is_sorted(found[i].begin(), found[i].end(),
                           [](const Candidate& a, const Candidate& b) { return a.index < b.index; }));
    }
  });
}

TEST_CASE_FIXTURE(OnDevice, "the same input gives the same bits, resident or passing through, twice") {
  for (const uint64_t queries : {1, 40}) {
    const Problem problem(400, 40, 1, queries, KeyTerm::kHalfSquareNorm, false);
    std::vector<std::vector<float>> readouts;
    for (const bool resident : {true, true, false}) {
      Placed placed(problem, {}, resident);
      std::vector<float> readout(queries * 40);
      std::vector<double> lse(queries);
      placed.problem.op.fold = Fold::kReadout;
      placed.problem.op.readout = readout.data();
      placed.problem.op.lse = lse.data();
      REQUIRE(run_pass(placed.problem.op).ok());
      readouts.push_back(readout);
    }
    CHECK(readouts[0] == readouts[1]);
    CHECK(readouts[0] == readouts[2]);
  }
}

TEST_CASE_FIXTURE(OnDevice, "equal keys rank by item number on the device") {
  for (const uint64_t queries : {1, 40}) {
    Problem problem(300, 30, 1, queries, KeyTerm::kHalfSquareNorm, false);
    for (uint64_t j = 1; j < 300; ++j) {
      std::copy_n(problem.keys.begin(), 30, problem.keys.begin() + static_cast<int64_t>(j * 30));
    }
    Placed placed(problem, {}, true);
    std::vector<Candidate> top(queries * 9);
    placed.problem.op.fold = Fold::kTopK;
    placed.problem.op.k = 9;
    placed.problem.op.top = top.data();
    REQUIRE(run_pass(placed.problem.op).ok());
    for (size_t r = 0; r < top.size(); ++r) CHECK(top[r].index == r % 9);
  }
}

TEST_CASE_FIXTURE(OnDevice, "a k beyond what the device selects is the CPU's, with the same answer") {
  Problem problem(1500, 8, 1, 2, KeyTerm::kNone, false);
  Placed placed(problem, {}, true);
  std::vector<Candidate> top(size_t{2} * 1200);
  placed.problem.op.fold = Fold::kTopK;
  placed.problem.op.k = 1200;
  placed.problem.op.top = top.data();
  const std::unique_ptr<Pass> pass = std::move(device().plan(placed.problem.op)).value();
  for (size_t s = 0; s < pass->strands(); ++s) {
    while (!pass->run_slice(s).ended) {
    }
  }
  for (size_t m = 0; m < pass->merges(); ++m) REQUIRE(pass->merge(m).ok());
  CHECK(std::is_sorted(top.begin(), top.begin() + 1200,
                       [](const Candidate& a, const Candidate& b) { return a.score > b.score; }));
}

TEST_CASE_FIXTURE(OnDevice, "a bad stored element is named on the device, too; an overflow is told apart") {
  for (const bool resident : {true, false}) {
    for (const uint64_t queries : {1, 40}) {
      Problem problem(200, 30, 1, queries, KeyTerm::kHalfSquareNorm, false);
      std::vector<double> lse(queries);
      problem.op.fold = Fold::kLogSumExp;
      problem.op.lse = lse.data();
      problem.keys[121 * 30 + 7] = std::numeric_limits<float>::quiet_NaN();
      {
        Placed placed(problem, {}, resident);
        const Status status = run_pass(placed.problem.op);
        CHECK(status.code() == StatusCode::kNonFinite);
        CHECK(status.message().find("stored pattern 121") != std::string::npos);
        CHECK(status.message().find("position 7") != std::string::npos);
      }
      problem.keys[121 * 30 + 7] = 3e38F;
      Placed placed(problem, {}, resident);
      CHECK(run_pass(placed.problem.op).code() == StatusCode::kRange);
    }
  }
}

TEST_CASE_FIXTURE(OnDevice, "numbers too large for 16-bit floats are refused, and named") {
  Problem problem(50, 10, 1, 2, KeyTerm::kNone, false);
  std::vector<double> lse(2);
  problem.op.fold = Fold::kLogSumExp;
  problem.op.lse = lse.data();
  problem.keys[33 * 10 + 4] = 7e4F;
  {
    Placed placed(problem, {.storage = Storage::kFloat16}, true);
    const Status status = run_pass(placed.problem.op);
    CHECK(status.code() == StatusCode::kRange);
    CHECK(status.message().find("stored pattern 33") != std::string::npos);
  }
  problem.keys[33 * 10 + 4] = 1;
  problem.queries[15] = -7e4F;
  Placed placed(problem, {.storage = Storage::kFloat16}, true);
  const Status status = run_pass(placed.problem.op);
  CHECK(status.code() == StatusCode::kRange);
  CHECK(status.message().find("query 1") != std::string::npos);
}

TEST_CASE_FIXTURE(OnDevice,
                  "numbers too large are refused with the limits of their storage, values and rows too") {
  struct Bad {
    Storage storage;
    float x;
    bool value;
    StatusCode code;
    const char* says;
  };
  const Bad kBad[] = {
      {Storage::kFloat16, 7e4F, false, StatusCode::kRange, "stored as f16 takes numbers up to 65504"},
      {Storage::kFloat16, -7e4F, true, StatusCode::kRange, "stored as f16 takes numbers up to 65504"},
      {Storage::kBfloat16, 3.4e38F, true, StatusCode::kRange, "stored as bf16 takes numbers up to 3.39e38"},
      {Storage::kBfloat16, 1e30F, false, StatusCode::kRange, "norms below 9.2e18"},
      {Storage::kFloat32, 1e30F, false, StatusCode::kRange, "norms below 9.2e18"},
      {Storage::kFloat32, std::numeric_limits<float>::infinity(), true, StatusCode::kNonFinite, "finite"},
      {Storage::kFloat16, std::numeric_limits<float>::quiet_NaN(), false, StatusCode::kNonFinite, "finite"},
  };
  for (const Bad& bad : kBad) {
    for (const bool resident : {true, false}) {
      CAPTURE(static_cast<int>(bad.storage));
      CAPTURE(bad.x);
      CAPTURE(resident);
      Problem problem(200, 10, 6, 2, KeyTerm::kNone, false);
      (bad.value ? problem.values[133 * 6 + 4] : problem.keys[133 * 10 + 4]) = bad.x;
      std::vector<double> lse(2);
      std::vector<float> readout(size_t{2} * 6);
      problem.op.fold = Fold::kReadout;
      problem.op.read_keys = false;
      problem.op.lse = lse.data();
      problem.op.readout = readout.data();
      Placed placed(problem, {.storage = bad.storage}, resident);
      const Status status = run_pass(placed.problem.op);
      CAPTURE(status.message());
      CHECK(status.code() == bad.code);
      const char* const row = bad.value ? "stored value 133 has" : "stored pattern 133 has";
      CHECK(status.message().find(row) != std::string::npos);
      CHECK(status.message().find("position 4") != std::string::npos);
      CHECK(status.message().find(bad.says) != std::string::npos);
    }
  }
}

// The answers of `op` with its item 133 removed, and with nothing of the item's that could be met.
void check_without_133(const Placed& placed, const Problem& good) {
  std::vector<uint64_t> removed(3, 0);
  removed[133 / 64] |= uint64_t{1} << (133 % 64);
  ScoreFold expected = good.op;
  expected.removed = removed;
  expected.blocks = good.blocks;
  expected.queries = good.queries.data();
  expected.scale = good.scale.data();
  ScoreFold op = placed.problem.op;
  op.removed = removed;
  const uint64_t queries = op.query_count;
  std::vector<double> lse(queries);
  std::vector<float> readout(queries * op.value_dim);
  op.fold = Fold::kReadout;
  op.read_keys = expected.read_keys = false;
  op.lse = lse.data();
  op.readout = readout.data();
  float largest = 0;
  op.max_square_norm = &largest;
  const Status status = run_pass(op);
  CAPTURE(status.message());
  REQUIRE(status.ok());
  CHECK(largest <= static_cast<float>(op.dim) * 1.02F);
  for (uint64_t i = 0; i < queries; ++i) {
    CHECK(std::abs(lse[i] - reference::lse(reference::scores(expected, i))) <= allowed(placed.problem));
    const std::vector<double> exact = reference::readout(expected, i);
    for (size_t d = 0; d < exact.size(); ++d) {
      CHECK(std::abs(readout[i * exact.size() + d] - exact[d]) <= allowed(placed.problem));
    }
  }
  std::vector<Candidate> top(queries * 199);
  op.fold = Fold::kTopK;
  op.k = 199;
  op.top = top.data();
  REQUIRE(run_pass(op).ok());
  CHECK(std::all_of(top.begin(), top.end(), [](const Candidate& candidate) {
    return candidate.index != 133 && std::isfinite(candidate.score);
  }));
}

TEST_CASE_FIXTURE(OnDevice, "a row that cannot be kept or scored is in nobody's way once it is removed") {
  struct Bad {
    float x;
    bool value;
  };
  const Bad kBad[] = {{7e4F, false},     {7e4F, true}, {1e30F, false}, {3.402e38F, false},
                      {3.402e38F, true}, {NAN, false}, {NAN, true},    {-INFINITY, false}};
  int round = 0;
  for (const DeviceOptions& options : kOptions) {
    for (const Bad& bad : kBad) {
      for (const bool resident : {true, false}) {
        for (const uint64_t queries : {1, 40}) {
          CAPTURE(static_cast<int>(options.storage));
          CAPTURE(bad.x);
          CAPTURE(bad.value);
          CAPTURE(resident);
          CAPTURE(queries);
          const auto term = static_cast<KeyTerm>(round++ % 3);
          const Problem good(200, 20, 12, queries, term, false);
          Problem problem = good;
          (bad.value ? problem.values[133 * 12 + 11] : problem.keys[133 * 20 + 19]) = bad.x;
          Placed placed(problem, options, resident);
          // Removed before the rows come to the device, then there again, as for a call that began before it
          // was removed, then removed.
          check_without_133(placed, good);
          std::vector<double> lse(queries);
          std::vector<float> readout(queries * 12);
          placed.problem.op.fold = Fold::kReadout;
          placed.problem.op.read_keys = false;  // values that pass through are looked at where they are read
          placed.problem.op.lse = lse.data();
          placed.problem.op.readout = readout.data();
          const StatusCode there = run_pass(placed.problem.op).code();
          const bool fits = bad.x == 7e4F && options.storage != Storage::kFloat16;
          CHECK((there == StatusCode::kOk) == fits);
          check_without_133(placed, good);
        }
      }
    }
  }
}

TEST_CASE_FIXTURE(OnDevice,
                  "removed rows leave no score that is not finite, however large they and a query are") {
  Problem problem(200, 20, 1, 1, KeyTerm::kHalfSquareNorm, true);
  std::fill_n(problem.keys.begin() + int64_t{33} * 20, 20, 1e18F);
  REQUIRE(reference::removed(problem.op, 33));
  std::vector<double> lse(1);
  problem.op.fold = Fold::kLogSumExp;
  problem.op.lse = lse.data();
  Placed placed(problem, {}, true);
  REQUIRE(run_pass(placed.problem.op).ok());
  std::fill(placed.problem.queries.begin(), placed.problem.queries.end(), 1e19F);
  const Status status = run_pass(placed.problem.op);  // 2e38 is the product of the two
  CHECK(status.code() == StatusCode::kRange);
  CHECK(status.message().find("scores of query 0") != std::string::npos);
}

TEST_CASE_FIXTURE(OnDevice, "rows of f32 are multiplied in Float32 on the device where that is asked") {
  CHECK(device().rounding({.arithmetic = Arithmetic::kBfloat16}, 8).none());
  CHECK_FALSE(device().rounding({.arithmetic = Arithmetic::kBfloat16}, 100).none());
  CHECK_FALSE(device().rounding({.storage = Storage::kFloat16}, 1).none());
  CHECK(device().rounding({}, 100).none());
  for (const uint64_t queries : {8, 100}) {
    for (const Arithmetic arithmetic : {Arithmetic::kTf32, Arithmetic::kBfloat16}) {
      CAPTURE(queries);
      Placed placed(Problem(300, 64, 1, queries, KeyTerm::kHalfSquareNorm, false), {.arithmetic = arithmetic},
                    true);
      ScoreFold& op = placed.problem.op;
      std::vector<double> lse(queries);
      op.fold = Fold::kLogSumExp;
      op.lse = lse.data();
      op.in_float32 = true;
      REQUIRE(run_pass(op).ok());
      for (uint64_t i = 0; i < queries; ++i) {
        CHECK(std::abs(lse[i] - reference::lse(reference::scores(op, i))) <=
              reference::tolerance(placed.problem));
      }
    }
  }
  // Rows of 16 bits are the CPU's then: its passes have no single strand that waits for a device.
  Placed placed(Problem(30000, 64, 1, 3, KeyTerm::kNone, false), {.storage = Storage::kBfloat16}, true);
  std::vector<double> lse(3);
  placed.problem.op.lse = lse.data();
  placed.problem.op.in_float32 = true;
  CHECK(std::move(device().plan(placed.problem.op)).value()->strands() > 1);
}

TEST_CASE_FIXTURE(OnDevice, "a memory larger than the device gets no place there") {
  const DeviceFacts facts = device().facts();
  const uint64_t rows = facts.memory_bytes / (64 * sizeof(float));
  const Result<std::shared_ptr<Resident>> place = device().reserve({.capacity = rows, .dim = 64});
  REQUIRE(place.ok());
  CHECK(place.value() == nullptr);
}

TEST_CASE_FIXTURE(OnDevice, "a device says what it is") {
  const DeviceFacts facts = device().facts();
  CHECK(facts.id == "cuda:0");
  CHECK(facts.available);
  CHECK(facts.memory_bytes > 0);
  CHECK(facts.instruction_set.rfind("sm_", 0) == 0);
  CHECK_FALSE(make_device_backend(*engram_device_table(), 99).ok());
}

}  // namespace
}  // namespace engram::engine
