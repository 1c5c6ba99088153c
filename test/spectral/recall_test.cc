#include "spectral/recall.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/archetypes.h"

namespace engram::spectral {
namespace {

using support::patterns;
using support::random_archetypes;

const KeepGoing kAlways = [] { return true; };

struct Recalled {
  std::vector<int8_t> states;
  std::vector<int32_t> index;
  std::vector<double> overlap;
  std::vector<uint8_t> converged;
  std::vector<uint32_t> steps;
};

Recalled recalled(const std::vector<int8_t>& xi, size_t dim, const std::vector<float>& cues,
                  const RecallOptions& options = {}) {
  const size_t count = cues.size() / dim;
  Recalled r{std::vector<int8_t>(cues.size()), std::vector<int32_t>(count), std::vector<double>(count),
             std::vector<uint8_t>(count), std::vector<uint32_t>(count)};
  const RecallOutputs out{r.states.data(), r.index.data(), r.overlap.data(), r.converged.data(),
                          r.steps.data()};
  REQUIRE(recall(patterns(xi, dim), FloatRows(cues.data(), count, dim), options, out, kAlways).ok());
  return r;
}

// Archetype mu with an overlap of about `overlap` left.
std::vector<float> damaged(const std::vector<int8_t>& xi, size_t dim, size_t mu, double overlap,
                           uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> cue;
  for (size_t n = 0; n < dim; ++n) {
    const bool flipped = static_cast<double>(random() >> 11) * 0x1p-53 >= (1 + overlap) / 2;
    cue.push_back(static_cast<float>(flipped ? -xi[mu * dim + n] : xi[mu * dim + n]));
  }
  return cue;
}

// 32 cues of overlap 0.3, at most 30 updates: the authors' check.
TEST_CASE("all dynamics complete cues of overlap 0.3") {
  constexpr size_t kDim = 1000;
  constexpr size_t kCount = 8;
  const std::vector<int8_t> xi = random_archetypes(kCount, kDim, 1);
  std::vector<float> cues;
  for (size_t i = 0; i < 32; ++i) {
    const std::vector<float> cue = damaged(xi, kDim, i % kCount, 0.3, 100 + i);
    cues.insert(cues.end(), cue.begin(), cue.end());
  }
  for (const Coupling coupling : {Coupling::kHebbian, Coupling::kPseudoInverse}) {
    for (const double beta : {std::numeric_limits<double>::infinity(), 3.0}) {
      RecallOptions options;
      options.coupling = coupling;
      options.beta = beta;
      const Recalled r = recalled(xi, kDim, cues, options);
      for (size_t i = 0; i < 32; ++i) {
        CHECK(r.index[i] == static_cast<int32_t>(i % kCount));
        // At beta = 3 an entry of field 1 stands wrong with probability 1 / (1 + e^6) = 0.0025.
        CHECK(r.overlap[i] > 0.95);
        if (std::isinf(beta)) {
          CHECK(r.converged[i] == 1);
          CHECK(r.steps[i] < 30);
        } else {
          CHECK(r.steps[i] == 30);
        }
      }
    }
  }
}

TEST_CASE("Hebbian updates are sign(J s) of the N x N matrix, ties unchanged") {
  constexpr size_t kDim = 60;
  constexpr size_t kCount = 4;  // even: fields are often zero
  const std::vector<int8_t> xi = random_archetypes(kCount, kDim, 2);
  std::vector<int> j(kDim * kDim);
  for (size_t p = 0; p < kDim; ++p) {
    for (size_t q = 0; q < kDim; ++q) {
      for (size_t k = 0; k < kCount; ++k) j[p * kDim + q] += xi[k * kDim + p] * xi[k * kDim + q];
    }
  }
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<float> cue = damaged(xi, kDim, seed % kCount, 0.2, 200 + seed);
    std::vector<int> s(cue.begin(), cue.end());
    bool changed = true;
    uint32_t steps = 0;
    for (; changed; ++steps) {
      const std::vector<int> before = s;
      for (size_t p = 0; p < kDim; ++p) {
        int h = 0;
        for (size_t q = 0; q < kDim; ++q) h += j[p * kDim + q] * before[q];
        if (h != 0) s[p] = h < 0 ? -1 : 1;
      }
      changed = s != before;
    }
    const Recalled r = recalled(xi, kDim, cue);
    CHECK(std::vector<int>(r.states.begin(), r.states.end()) == s);
    CHECK(r.steps[0] == steps);
    CHECK(r.converged[0] == 1);
  }
}

TEST_CASE("correlated archetypes are fixed points of the projector, not of Hebbian couplings") {
  constexpr size_t kDim = 500;
  constexpr size_t kCount = 6;
  // All resemble one pattern: pairs overlap by about 0.36.
  const std::vector<int8_t> common = random_archetypes(1, kDim, 3);
  std::vector<int8_t> xi;
  std::vector<float> cues;
  for (size_t k = 0; k < kCount; ++k) {
    for (const float s : damaged(common, kDim, 0, 0.6, 300 + k)) xi.push_back(static_cast<int8_t>(s));
  }
  cues.assign(xi.begin(), xi.end());
  RecallOptions options;
  CHECK(recalled(xi, kDim, cues, options).states != xi);
  options.coupling = Coupling::kPseudoInverse;
  const Recalled r = recalled(xi, kDim, cues, options);
  CHECK(r.states == xi);
  for (size_t k = 0; k < kCount; ++k) {
    CHECK(r.index[k] == static_cast<int32_t>(k));
    CHECK(r.overlap[k] == 1);
    CHECK(r.steps[k] == 1);
    CHECK(r.converged[k] == 1);
  }
}

TEST_CASE("archetypes that depend on each other leave the projector as it is") {
  const std::vector<int8_t> xi = random_archetypes(3, 300, 4);
  std::vector<int8_t> twice = xi;
  for (size_t n = 0; n < 300; ++n) twice.push_back(static_cast<int8_t>(-xi[n]));
  RecallOptions options;
  options.coupling = Coupling::kPseudoInverse;
  std::vector<float> cues;
  for (size_t k = 0; k < 3; ++k) {
    const std::vector<float> cue = damaged(xi, 300, k, 0.5, 400 + k);
    cues.insert(cues.end(), cue.begin(), cue.end());
  }
  const Recalled r = recalled(twice, 300, cues, options);
  CHECK(r.states == recalled(xi, 300, cues, options).states);
  CHECK(r.index == std::vector<int32_t>{0, 1, 2});  // the first of equals
}

TEST_CASE("an opposite cue recalls the opposite state") {
  const std::vector<int8_t> xi = random_archetypes(3, 200, 5);
  std::vector<float> cue = damaged(xi, 200, 1, 0.7, 500);
  for (float& c : cue) c = -c;
  const Recalled r = recalled(xi, 200, cue);
  CHECK(r.index[0] == 1);
  CHECK(r.overlap[0] == -1);
}

TEST_CASE("erased entries say nothing and are filled in") {
  const std::vector<int8_t> xi = random_archetypes(4, 400, 6);
  std::vector<float> cue(xi.begin() + 800, xi.begin() + 1200);
  for (size_t n = 100; n < 400; ++n) cue[n] = 0;
  const Recalled r = recalled(xi, 400, cue);
  CHECK(r.index[0] == 2);
  CHECK(r.overlap[0] == 1);
  // Nothing at all: its signs, plus.
  const Recalled empty = recalled(xi, 400, std::vector<float>(400, 0));
  for (const int8_t s : empty.states) CHECK(s == 1);
}

TEST_CASE("without archetypes or updates a cue ends as its own signs") {
  const std::vector<float> cue{0.5F, -2, 0, -0.1F};
  for (const Coupling coupling : {Coupling::kHebbian, Coupling::kPseudoInverse}) {
    RecallOptions options;
    options.coupling = coupling;
    const Recalled none = recalled({}, 4, cue, options);
    CHECK(none.states == std::vector<int8_t>{1, -1, 1, -1});
    CHECK(none.index[0] == -1);
    CHECK(none.overlap[0] == 0);
    CHECK(none.converged[0] == 1);
  }
  RecallOptions still;
  still.steps = 0;
  const Recalled r = recalled({-1, -1, -1, -1}, 4, cue, still);
  CHECK(r.states == std::vector<int8_t>{1, -1, 1, -1});
  CHECK(r.index[0] == 0);
  CHECK(r.overlap[0] == 0);
  CHECK(r.converged[0] == 0);
}

TEST_CASE("Glauber dynamics follow their law and their seed") {
  // One archetype: every field is the overlap m, so that from m = 1 one step leaves m = tanh(beta) on
  // average.
  constexpr size_t kDim = 20'000;
  const std::vector<int8_t> xi = random_archetypes(1, kDim, 7);
  const std::vector<float> cue(xi.begin(), xi.end());
  RecallOptions options;
  options.steps = 1;
  for (const double beta : {0.3, 1.0, 2.0}) {
    options.beta = beta;
    options.seed = 1;
    const Recalled r = recalled(xi, kDim, cue, options);
    CHECK(std::abs(r.overlap[0] - std::tanh(beta)) < 5 / std::sqrt(kDim));
    CHECK(r.converged[0] == 0);
    CHECK(recalled(xi, kDim, cue, options).states == r.states);
    options.seed = 2;
    CHECK(recalled(xi, kDim, cue, options).states != r.states);
  }
}

TEST_CASE("what cannot be recalled is refused") {
  const std::vector<int8_t> xi = random_archetypes(2, 50, 8);
  const std::vector<float> cues(100, 1);
  std::vector<int8_t> states(100);
  const RecallOutputs out{states.data()};
  const auto code = [&](const FloatRows& given, const RecallOptions& options, const KeepGoing& keep_going) {
    return recall(patterns(xi, 50), given, options, out, keep_going).code();
  };
  const FloatRows good(cues.data(), 2, 50);
  CHECK(code(good, {}, kAlways) == StatusCode::kOk);
  CHECK(code(FloatRows(cues.data(), 2, 49), {}, kAlways) == StatusCode::kShape);
  CHECK(code(good, {}, [] { return false; }) == StatusCode::kAborted);
  for (const double beta : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    RecallOptions options;
    options.beta = beta;
    CHECK(code(good, options, kAlways) == StatusCode::kRange);
  }
  std::vector<float> bad = cues;
  bad[60] = std::numeric_limits<float>::infinity();
  CHECK(code(FloatRows(bad.data(), 2, 50), {}, kAlways) == StatusCode::kNonFinite);
}

}  // namespace
}  // namespace engram::spectral
