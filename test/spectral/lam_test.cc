#include "spectral/lam.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "spectral/metrics.h"
#include "support/archetypes.h"

namespace engram::spectral {
namespace {

using support::estimated_subspace;
using support::patterns;
using support::random_archetypes;

const KeepGoing kAlways = [] { return true; };

std::vector<int8_t> run(const FloatRows& v, const LamOptions& options, uint64_t first, size_t count) {
  Result<std::vector<int8_t>> states = lam(v, first, count, options, kAlways);
  REQUIRE(states.ok());
  return states.value();
}

TEST_CASE("the number of blocks is that of the paper, with its cap") {
  LamOptions options;
  CHECK(lam_blocks(options, 10) == 230);  // 10 floor(10/3 ln 1000) = 10 * 23
  CHECK(lam_blocks(options, 4) == 70);    // 10 floor(4/3 ln 400) = 10 * 7
  CHECK(lam_blocks(options, 1) == 10);
  CHECK(lam_blocks(options, 100) == 500);
  options.blocks = 60;
  CHECK(lam_blocks(options, 10) == 60);
}

TEST_CASE("dreaming acts on eigenvalues as its Euler steps do") {
  for (const double x : {0.01, 0.1, 0.25, 0.5, 0.9}) {
    double euler = x;
    constexpr double kEpsilon = 0.001;
    for (int k = 0; k < 2000; ++k) euler += kEpsilon / (1 + kEpsilon * k) * (euler - euler * euler);
    CHECK(dreamt(x, 2) == doctest::Approx(euler).epsilon(1e-3));
  }
  CHECK(dreamt(0, 5) == 0);
  CHECK(dreamt(1, 5) == 1);
  CHECK(dreamt(0.25, 2) == doctest::Approx(0.5));
}

// One step without noise that could turn anything (beta is huge), with N x N couplings in Float64.
TEST_CASE("a step is that of the published field") {
  constexpr size_t kCount = 4;
  constexpr size_t kDim = 120;
  const std::vector<int8_t> xi = random_archetypes(kCount, kDim, 1);
  const std::vector<float> rows = estimated_subspace(xi, kDim, 0.9, 2);
  const FloatRows v(rows.data(), kCount, kDim);
  LamOptions options;
  options.noise = LamNoise::kFull;
  options.beta = 1e9;
  options.lambda = 0.7;
  options.field = 0.3;
  options.couplings = {1.0, 0.8, 0.6, 0.4};
  options.steps = 0;
  const std::vector<int8_t> mixture = run(v, options, 0, 1);  // all layers start from it
  for (size_t a = 1; a < 3; ++a) {
    for (size_t n = 0; n < kDim; ++n) REQUIRE(mixture[a * kDim + n] == mixture[n]);
  }
  std::vector<double> j(kDim * kDim);
  for (size_t p = 0; p < kDim; ++p) {
    for (size_t q = 0; q < kDim; ++q) {
      for (size_t k = 0; k < kCount; ++k) {
        j[p * kDim + q] += options.couplings[k] * static_cast<double>(rows[k * kDim + p]) *
                           static_cast<double>(rows[k * kDim + q]);
      }
    }
  }
  const auto field_of = [&](const std::vector<int8_t>& states, size_t a) {
    std::vector<std::vector<double>> js(3, std::vector<double>(kDim));
    for (size_t b = 0; b < 3; ++b) {
      for (size_t p = 0; p < kDim; ++p) {
        for (size_t q = 0; q < kDim; ++q) js[b][p] += j[p * kDim + q] * states[b * kDim + q];
      }
    }
    std::vector<double> h(kDim);
    for (size_t n = 0; n < kDim; ++n) h[n] = js[a][n] + options.field * mixture[n];
    for (size_t b = 0; b < 3; ++b) {
      if (b == a) continue;
      double g = 0;
      for (size_t n = 0; n < kDim; ++n) g += states[b * kDim + n] * js[a][n];
      for (size_t n = 0; n < kDim; ++n) h[n] -= options.lambda / kDim * g * js[b][n];
    }
    return h;
  };
  std::vector<int8_t> before = mixture;
  for (uint32_t step = 1; step <= 3; ++step) {
    options.steps = step;
    const std::vector<int8_t> after = run(v, options, 0, 1);
    for (size_t a = 0; a < 3; ++a) {
      const std::vector<double> h = field_of(before, a);
      for (size_t n = 0; n < kDim; ++n) {
        if (std::abs(h[n]) > 1e-5) CHECK(after[a * kDim + n] == (h[n] < 0 ? -1 : 1));
      }
    }
    before = after;
  }
}

TEST_CASE("layers that start as one fall apart into archetypes, under both noises") {
  constexpr size_t kDim = 784;
  const std::vector<int8_t> xi = random_archetypes(10, kDim, 3);
  const std::vector<float> rows = estimated_subspace(xi, kDim, 0.95, 4);
  const FloatRows v(rows.data(), 10, kDim);
  LamOptions options;
  for (const LamNoise noise : {LamNoise::kFull, LamNoise::kAnnealed}) {
    options.noise = noise;
    const std::vector<int8_t> states = run(v, options, 0, 60);
    for (const double m : best_overlaps(patterns(states, kDim), patterns(xi, kDim))) CHECK(m > 0.95);
  }
}

TEST_CASE("a block does not depend on the others") {
  const std::vector<int8_t> xi = random_archetypes(3, 200, 5);
  const std::vector<float> rows = estimated_subspace(xi, 200, 0.9, 6);
  const FloatRows v(rows.data(), 3, 200);
  const std::vector<int8_t> together = run(v, {}, 0, 4);
  std::vector<int8_t> apart = run(v, {}, 0, 1);
  const std::vector<int8_t> others = run(v, {}, 1, 3);
  apart.insert(apart.end(), others.begin(), others.end());
  CHECK(together == apart);
}

TEST_CASE("couplings fit the subspace, and it can be stopped") {
  const std::vector<float> rows = estimated_subspace(random_archetypes(3, 100, 7), 100, 1.0, 8);
  const FloatRows v(rows.data(), 3, 100);
  LamOptions options;
  options.couplings = {1, 1};
  CHECK(lam(v, 0, 1, options, kAlways).status().code() == StatusCode::kShape);
  options.couplings = {1, 1, 1};
  CHECK(run(v, options, 0, 2) == run(v, {}, 0, 2));
  CHECK(lam(v, 0, 1, options, [] { return false; }).status().code() == StatusCode::kAborted);
}

}  // namespace
}  // namespace engram::spectral
