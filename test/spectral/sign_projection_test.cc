#include "spectral/sign_projection.h"

#include <doctest/doctest.h>

#include <vector>

#include "spectral/deflation.h"
#include "spectral/metrics.h"
#include "support/archetypes.h"

namespace engram::spectral {
namespace {

using support::estimated_subspace;
using support::patterns;
using support::random_archetypes;

const KeepGoing kAlways = [] { return true; };
constexpr size_t kDim = 784;

struct Case {
  Case(size_t count, double gamma, uint64_t seed)
      : xi(random_archetypes(count, kDim, seed)),
        rows(estimated_subspace(xi, kDim, gamma, seed + 1)),
        v(rows.data(), count, kDim) {}
  std::vector<int8_t> xi;
  std::vector<float> rows;
  FloatRows v;
};

std::vector<int8_t> project(const FloatRows& v, uint64_t first, size_t count, uint64_t seed = 1) {
  SignProjectionOptions options;
  options.seed = seed;
  Result<std::vector<int8_t>> states = sign_projection(v, first, count, options, kAlways);
  REQUIRE(states.ok());
  return states.value();
}

TEST_CASE("starts end in archetypes, and in all of them") {
  const Case given(10, 0.95, 1);
  const std::vector<int8_t> states = project(given.v, 0, 100);
  for (const double m : best_overlaps(patterns(states, kDim), patterns(given.xi, kDim))) CHECK(m > 0.95);
  // And most in nothing else.
  int good = 0;
  for (const double m : best_overlaps(patterns(given.xi, kDim), patterns(states, kDim))) good += m > 0.95;
  CHECK(good >= 90);
}

TEST_CASE("what a start leads to does not depend on the others") {
  const Case given(10, 0.9, 3);
  const std::vector<int8_t> together = project(given.v, 0, 6);
  std::vector<int8_t> apart = project(given.v, 0, 2);
  for (const auto& [first, count] : {std::pair<uint64_t, size_t>{2, 3}, {5, 1}}) {
    const std::vector<int8_t> part = project(given.v, first, count);
    apart.insert(apart.end(), part.begin(), part.end());
  }
  CHECK(together == apart);
  CHECK(project(given.v, 0, 6, 2) != together);
}

TEST_CASE("settling repairs damaged archetypes and leaves fixed points as they are") {
  const Case given(5, 1.0, 5);
  std::vector<int8_t> states = given.xi;
  for (size_t at = 0; at < states.size(); at += 10) states[at] = static_cast<int8_t>(-states[at]);
  REQUIRE(settle(given.v, 50, states, kAlways).ok());
  CHECK(states == given.xi);
  REQUIRE(settle(given.v, 50, states, kAlways).ok());
  CHECK(states == given.xi);
}

TEST_CASE("what is left of a subspace is orthogonal to what was taken out") {
  const Case given(6, 0.9, 7);
  Archetypes known;
  known.dim = kDim;
  known.states.assign(given.xi.begin(), given.xi.begin() + 2 * kDim);
  known.scores = {1, 1};
  const std::vector<float> left = remaining_subspace(given.v, known);
  REQUIRE(left.size() == 4 * kDim);
  const FloatRows rest(left.data(), 4, kDim);
  CHECK(check_orthonormal(rest).ok());
  std::vector<double> along(4);
  for (size_t mu = 0; mu < 2; ++mu) {
    const std::vector<float> x(given.xi.begin() + static_cast<std::ptrdiff_t>(mu * kDim),
                               given.xi.begin() + static_cast<std::ptrdiff_t>((mu + 1) * kDim));
    multiply(rest, x.data(), along.data());
    // Float32 rows of length 1 against a state of length 28.
    for (const double c : along) CHECK(std::abs(c) < 28 * 1e-5);
  }
  // The others are found there.
  std::vector<int8_t> states = project(rest, 0, 40);
  REQUIRE(settle(given.v, 50, states, kAlways).ok());
  const std::vector<double> m = best_overlaps(patterns(states, kDim), patterns(given.xi, kDim));
  for (size_t mu = 2; mu < 6; ++mu) CHECK(m[mu] > 0.95);
}

TEST_CASE("nothing known leaves the subspace, everything known leaves nothing") {
  const Case given(3, 1.0, 9);
  Archetypes known;
  known.dim = kDim;
  CHECK(remaining_subspace(given.v, known).size() == 3 * kDim);
  known.states = given.xi;
  known.scores = {1, 1, 1};
  CHECK(remaining_subspace(given.v, known).empty());
}

TEST_CASE("it can be stopped among noisy and among quiet steps") {
  const Case given(3, 1.0, 11);
  SignProjectionOptions options;
  int asked = 0;
  const KeepGoing twice = [&] { return ++asked < 3; };
  CHECK(sign_projection(given.v, 0, 5, options, twice).status().code() == StatusCode::kAborted);
  options.noisy_steps = 0;
  asked = 0;
  CHECK(sign_projection(given.v, 0, 5, options, twice).status().code() == StatusCode::kAborted);
  std::vector<int8_t> states = project(given.v, 0, 5);
  asked = 0;
  CHECK(settle(given.v, 50, states, twice).code() == StatusCode::kAborted);
}

}  // namespace
}  // namespace engram::spectral
