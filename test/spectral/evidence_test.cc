#include "spectral/evidence.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "spectral/random_stream.h"
#include "support/archetypes.h"
#include "support/federation.h"

namespace engram::spectral {
namespace {

using support::patterns;
using support::random_archetypes;

// sqrt(gamma) xi + sqrt(1 - gamma) z.
std::vector<float> noisy_direction(const std::vector<int8_t>& xi, double gamma, RandomStream& random) {
  std::vector<float> y;
  for (const int8_t sign : xi) {
    y.push_back(static_cast<float>(std::sqrt(gamma) * sign + std::sqrt(1 - gamma) * random.gaussian()));
  }
  return y;
}

double overlap_with(const std::vector<int8_t>& xi, std::span<const float> evidence) {
  double sum = 0;
  for (size_t n = 0; n < xi.size(); ++n) sum += evidence[n] > 0 ? xi[n] : -xi[n];
  return sum / static_cast<double>(xi.size());
}

// Numbers whose log odds were said to be near e are +1 as often as that means.
void check_calibrated(const std::vector<int8_t>& xi, std::span<const float> evidence) {
  for (double low = 0; low < 4; low += 0.5) {
    double said = 0;
    double right = 0;
    double count = 0;
    for (size_t n = 0; n < xi.size(); ++n) {
      const double e = std::abs(static_cast<double>(evidence[n]));
      if (e < low || e >= low + 0.5) continue;
      said += 1 / (1 + std::exp(-e));
      right += (evidence[n] > 0) == (xi[n] > 0) ? 1 : 0;
      ++count;
    }
    if (count < 500) continue;
    CHECK(std::abs(right - said) / count < 4 * 0.5 / std::sqrt(count));
  }
}

TEST_CASE("the first evidence is calibrated, and expects the overlap of section 1.5") {
  constexpr size_t kDim = 40000;
  const std::vector<int8_t> xi = random_archetypes(1, kDim, 1);
  RandomStream random(1, 1);
  for (const double gamma : {0.05, 0.3, 0.7, 0.95}) {
    const std::vector<float> evidence = first_evidence(noisy_direction(xi, gamma, random), gamma);
    const double predicted = std::erf(std::sqrt(gamma / (2 * (1 - gamma))));
    CHECK(std::abs(expected_overlap(evidence) - predicted) < 0.01);
    CHECK(std::abs(overlap_with(xi, evidence) - predicted) < 0.015);
    check_calibrated(xi, evidence);
  }
}

TEST_CASE("the scale of a direction does not count, and no gamma makes anything infinite") {
  const std::vector<float> y = {2, -1, 0, 3};
  const std::vector<float> twice = {4, -2, 0, 6};
  CHECK(first_evidence(y, 0.5) == first_evidence(twice, 0.5));
  const std::vector<float> certain = first_evidence(y, 1);
  CHECK(certain == std::vector<float>{kMostEvidence, -kMostEvidence, 0, kMostEvidence});
  CHECK(first_evidence(y, 0) == std::vector<float>{0, 0, 0, 0});
  CHECK(expected_overlap(first_evidence(y, 0)) == 0);
}

TEST_CASE("signs follow the evidence and stay where there is none") {
  const std::vector<float> evidence = {1, -1, 0, -0.0F, 1e-30F};
  std::vector<int8_t> signs = {-1, 1, -1, 1, -1};
  take_signs(evidence, signs);
  CHECK(signs == std::vector<int8_t>{1, -1, -1, 1, 1});
}

TEST_CASE("evidence adds up, forgets by the plasticity, and is bounded") {
  std::vector<float> evidence = {4, -8, 49};
  take_evidence(std::vector<double>{1, 2, 100}, 0.25, evidence);
  CHECK(evidence == std::vector<float>{4, -4, kMostEvidence});
  take_evidence(std::vector<double>{-1, 0, -1e300}, 1, evidence);
  CHECK(evidence == std::vector<float>{-1, 0, -kMostEvidence});
}

// Fresh examples of archetypes, one of which is not among them; estimates of the known ones.
struct Fresh {
  Fresh(size_t dim, size_t samples, double quality, double overlap, uint64_t seed)
      : xi(random_archetypes(3, dim, seed)),
        estimates(xi.begin(), xi.begin() + 2 * static_cast<ptrdiff_t>(dim)) {
    RandomStream random(seed, 2);
    for (int8_t& sign : estimates) {
      if (random.uniform() < (1 - overlap) / 2) sign = static_cast<int8_t>(-sign);
    }
    // The first archetype is seen in a tenth of the examples, the second never, a third one nearly always.
    const support::Device device{samples, quality, {0.1, 0, 0.9}, ""};
    examples = support::seen_by(device, xi, dim, random);
  }
  std::vector<int8_t> xi;
  std::vector<int8_t> estimates;
  std::vector<int8_t> examples;
};

TEST_CASE("fresh data tells a known archetype that it shows from one that it does not, calibrated") {
  constexpr size_t kDim = 3000;
  const Fresh given(kDim, 300, 0.35, 0.8, 5);
  const engine::Rows rows = support::as_rows(given.examples, kDim);
  const FactorOperator moments(rows, 1 / 300.0);
  const std::vector<double> overlaps = {0.8, 0.8};
  const Result<std::vector<FreshEvidence>> result =
      fresh_evidence(patterns(given.estimates, kDim), overlaps, moments, 1 - 0.35 * 0.35, {});
  REQUIRE(result.ok());
  const FreshEvidence& shown = result.value()[0];
  CHECK(shown.seen);
  // r^2 pi N, of as many examples as were drawn of it: 30 within 2 standard deviations.
  CHECK(shown.strength == doctest::Approx(0.35 * 0.35 * 0.1 * kDim).epsilon(0.4));
  const std::vector<float> evidence(shown.ratio.begin(), shown.ratio.end());
  const std::vector<int8_t> truth(given.xi.begin(), given.xi.begin() + kDim);
  check_calibrated(truth, evidence);
  CHECK(std::abs(expected_overlap(evidence) - overlap_with(truth, evidence)) < 0.05);
  const FreshEvidence& hidden = result.value()[1];
  CHECK_FALSE(hidden.seen);
  CHECK(hidden.strength == 0);
  CHECK(hidden.ratio.empty());
}

TEST_CASE("known archetypes that overlap do not count as each other's evidence") {
  constexpr size_t kDim = 2000;
  std::vector<int8_t> xi = random_archetypes(2, kDim, 6);
  for (size_t n = 0; n < kDim * 3 / 10; ++n) xi[kDim + n] = xi[n];  // overlap 0.3 and more
  RandomStream random(6, 1);
  const support::Device device{100, 0.6, {1, 0}, ""};  // only the first
  const std::vector<int8_t> examples = support::seen_by(device, xi, kDim, random);
  const FactorOperator moments(support::as_rows(examples, kDim), 0.01);
  const std::vector<double> overlaps = {1, 1};
  const Result<std::vector<FreshEvidence>> result =
      fresh_evidence(patterns(xi, kDim), overlaps, moments, 0.64, {});
  REQUIRE(result.ok());
  CHECK(result.value()[0].seen);
  CHECK_FALSE(result.value()[1].seen);
}

TEST_CASE("noise shows no archetype, and neither does data without noise that has none of it") {
  constexpr size_t kDim = 500;
  const std::vector<double> overlaps = {1, 1};
  int seen = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<int8_t> xi = random_archetypes(2, kDim, seed);
    const std::vector<int8_t> noise = random_archetypes(40, kDim, seed + 1000);
    const FactorOperator moments(support::as_rows(noise, kDim), 1 / 40.0);
    const auto result = fresh_evidence(patterns(xi, kDim), overlaps, moments, 1, {});
    REQUIRE(result.ok());
    for (const FreshEvidence& fresh : result.value()) seen += fresh.seen ? 1 : 0;
  }
  CHECK(seen <= 3);  // of 100, at three standard deviations
  const std::vector<double> zero(kDim * kDim, 0);
  const std::vector<int8_t> xi = random_archetypes(2, kDim, 1);
  const auto none = fresh_evidence(patterns(xi, kDim), overlaps, DenseOperator(zero.data(), kDim), 0, {});
  REQUIRE(none.ok());
  CHECK_FALSE(none.value()[0].seen);
  CHECK(fresh_evidence({nullptr, 0, kDim}, {}, DenseOperator(zero.data(), kDim), 0, {}).value().empty());
}

TEST_CASE("a product that is not finite is refused") {
  const std::vector<int8_t> xi = random_archetypes(1, 4, 1);
  std::vector<double> dense(16, 1);
  dense[5] = std::numeric_limits<double>::infinity();
  const std::vector<double> overlaps = {1};
  CHECK(fresh_evidence(patterns(xi, 4), overlaps, DenseOperator(dense.data(), 4), 0, {}).status().code() ==
        StatusCode::kNonFinite);
}

}  // namespace
}  // namespace engram::spectral
