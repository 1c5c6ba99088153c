#include "spectral/ica.h"

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

IcaRotation analyse(const FloatRows& v, const IcaOptions& options = {}) {
  Result<IcaRotation> rotation = fast_ica(v, options, kAlways);
  REQUIRE(rotation.ok());
  return rotation.value();
}

TEST_CASE("exact rotations of archetypes are undone bit by bit") {
  for (const size_t count : {1, 2, 3, 5, 10, 20}) {
    const std::vector<int8_t> xi = random_archetypes(count, 784, count);
    const std::vector<float> rows = estimated_subspace(xi, 784, 1.0, 50 + count);
    const FloatRows v(rows.data(), count, 784);
    const IcaRotation rotation = analyse(v);
    CHECK(rotation.converged);
    CHECK(rotation.sweeps >= 1);
    const std::vector<int8_t> states = sign_sources(v, rotation.weights);
    CHECK(assigned_overlap(patterns(states, 784), patterns(xi, 784)) == 1);
  }
}

TEST_CASE("the rotation is orthonormal") {
  const std::vector<int8_t> xi = random_archetypes(7, 500, 1);
  const std::vector<float> rows = estimated_subspace(xi, 500, 0.8, 2);
  const IcaRotation rotation = analyse(FloatRows(rows.data(), 7, 500));
  for (size_t i = 0; i < 7; ++i) {
    for (size_t j = 0; j < 7; ++j) {
      double sum = 0;
      for (size_t k = 0; k < 7; ++k) sum += rotation.weights[i * 7 + k] * rotation.weights[j * 7 + k];
      CHECK(std::abs(sum - (i == j ? 1 : 0)) < 1e-10);
    }
  }
}

TEST_CASE("the sources are a fixed point of the update in Float64") {
  constexpr size_t kCount = 4;
  constexpr size_t kDim = 600;
  const std::vector<int8_t> xi = random_archetypes(kCount, kDim, 3);
  const std::vector<float> rows = estimated_subspace(xi, kDim, 0.85, 4);
  const IcaRotation rotation = analyse(FloatRows(rows.data(), kCount, kDim));
  REQUIRE(rotation.converged);
  std::vector<double> sources(kCount * kDim);
  for (size_t j = 0; j < kCount; ++j) {
    for (size_t k = 0; k < kCount; ++k) {
      for (size_t n = 0; n < kDim; ++n) {
        sources[j * kDim + n] +=
            std::sqrt(kDim) * rotation.weights[j * kCount + k] * static_cast<double>(rows[k * kDim + n]);
      }
    }
  }
  // A = E[y^3 y^T] is symmetric where (A A^T)^(-1/2) A = 1. The rows still turned by sqrt(2e-6) at most.
  for (size_t i = 0; i < kCount; ++i) {
    for (size_t j = 0; j < i; ++j) {
      double there = 0;
      double back = 0;
      for (size_t n = 0; n < kDim; ++n) {
        const double yi = sources[i * kDim + n];
        const double yj = sources[j * kDim + n];
        there += yi * yi * yi * yj / kDim;
        back += yj * yj * yj * yi / kDim;
      }
      CHECK(std::abs(there - back) < 5e-3);
    }
  }
}

TEST_CASE("where there are no sources to find it says so") {
  // 30 random directions of 200: too few columns to tell one rotation from another.
  const std::vector<float> rows = estimated_subspace(random_archetypes(30, 200, 1), 200, 0.0, 2);
  IcaOptions options;
  options.most_sweeps = 20;
  options.restarts = 1;
  const IcaRotation rotation = analyse(FloatRows(rows.data(), 30, 200), options);
  CHECK_FALSE(rotation.converged);
  CHECK(rotation.sweeps == 40);
}

TEST_CASE("sources of exactly zero are plus") {
  const std::vector<float> rows{0.6F, -0.8F, 0, 0};
  CHECK(sign_sources(FloatRows(rows.data(), 1, 4), {1}) == std::vector<int8_t>{1, -1, 1, 1});
  CHECK(sign_sources(FloatRows(rows.data(), 1, 4), {-1}) == std::vector<int8_t>{-1, 1, 1, 1});
}

TEST_CASE("it can be stopped") {
  const std::vector<float> rows = estimated_subspace(random_archetypes(3, 100, 1), 100, 1.0, 2);
  int asked = 0;
  const auto stopped = fast_ica(FloatRows(rows.data(), 3, 100), {}, [&] { return ++asked < 3; });
  CHECK(stopped.status().code() == StatusCode::kAborted);
  CHECK(asked == 3);
}

}  // namespace
}  // namespace engram::spectral
