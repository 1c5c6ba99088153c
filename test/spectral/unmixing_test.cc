#include "spectral/unmixing.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "spectral/metrics.h"
#include "support/archetypes.h"
#include "support/second_moment.h"

namespace engram::spectral {
namespace {

using support::estimated_subspace;
using support::patterns;
using support::random_archetypes;

const KeepGoing kAlways = [] { return true; };

struct Case {
  Case(size_t count, size_t dim, double gamma_, uint64_t seed)
      : xi(random_archetypes(count, dim, seed)),
        rows(estimated_subspace(xi, dim, gamma_, seed + 1000)),
        v(rows.data(), count, dim),
        gamma{gamma_} {}
  std::vector<int8_t> xi;
  std::vector<float> rows;
  FloatRows v;
  std::vector<double> gamma;

  Unmixing unmixed(const UnmixingOptions& options = {}) const {
    Result<Unmixing> result = unmix(v, gamma, options, kAlways);
    REQUIRE(result.ok());
    return result.value();
  }
  // The fraction of archetypes found, m > 0.95.
  double found(const Unmixing& unmixing) const {
    double count = 0;
    for (const double m : best_overlaps(unmixing.archetypes.view(), patterns(xi, v.cols))) count += m > 0.95;
    return count / static_cast<double>(v.rows);
  }
};

UnmixingOptions with(UnmixingMethod method) {
  UnmixingOptions options;
  options.method = method;
  return options;
}

TEST_CASE("independent components find all of 10 and 20 archetypes of 784 entries and of 40 of 2000") {
  for (const auto& [count, dim] : {std::pair<size_t, size_t>{10, 784}, {20, 784}, {40, 2000}}) {
    for (const double gamma : {1.0, 0.9}) {
      const Case given(count, dim, gamma, count);
      const Unmixing unmixing = given.unmixed();
      CHECK(given.found(unmixing) == 1);
      CHECK(unmixing.archetypes.count() == count);
      CHECK(unmixing.ica_converged);
      CHECK(unmixing.starts == 0);
    }
  }
}

// The prototype's components fail there (m = 0.24 at quality 0.3); its sign projection reached 0.97.
TEST_CASE("40 archetypes of 784 entries, too many for components, are all found by sign projection") {
  for (const UnmixingMethod method : {UnmixingMethod::kIca, UnmixingMethod::kSignProjection}) {
    for (const double gamma : {1.0, 0.9}) {
      const Case given(40, 784, gamma, 3);
      const Unmixing unmixing = given.unmixed(with(method));
      CHECK(given.found(unmixing) >= 0.97);
      CHECK(unmixing.archetypes.count() == 40);
      CHECK(unmixing.starts > 0);
      CHECK((unmixing.sweeps > 0) == (method == UnmixingMethod::kIca));  // for the last ones, at most 28
    }
  }
}

TEST_CASE("layered dynamics find all of 10 and of 20 archetypes from 60 mixtures or the paper's number") {
  UnmixingOptions options = with(UnmixingMethod::kLam);
  for (const LamNoise noise : {LamNoise::kAnnealed, LamNoise::kFull}) {
    options.lam.noise = noise;
    const Case ten(10, 784, 0.95, 5);
    options.lam.blocks = 60;
    CHECK(ten.found(ten.unmixed(options)) == 1);
    const Case twenty(20, 784, 0.95, 6);
    // The prototype: 0.55 annealed, 1.00 with the draft's noise.
    CHECK(twenty.found(twenty.unmixed(options)) >= (noise == LamNoise::kFull ? 1 : 0.9));
    options.lam.blocks = 0;
    const Unmixing unmixing = twenty.unmixed(options);
    CHECK(twenty.found(unmixing) == 1);
    CHECK(unmixing.starts == 500);
  }
}

// Equal exposures, one quality r: kappa = N r^2 pi / (1 - r^2), gamma = (1 - q/kappa^2) / (1 + q/kappa), and
// m = erf(sqrt(gamma / (2 (1 - gamma)))). Prototype, N = M = 1000, K = 4: .890 .971 .996 1.000.
TEST_CASE("archetypes of real second moments have the predicted overlap") {
  constexpr size_t kDim = 1000;
  constexpr size_t kCount = 4;
  struct Row {
    double quality;
    double target;
  };
  for (const Row& row : {Row{0.12, 0.890}, Row{0.15, 0.971}, Row{0.2, 0.996}, Row{0.3, 1.0}}) {
    const double square = row.quality * row.quality;
    const double kappa = kDim * square / kCount / (1 - square);
    const double gamma = (1 - 1 / (kappa * kappa)) / (1 + 1 / kappa);
    const double predicted = std::erf(std::sqrt(gamma / (2 * (1 - gamma))));
    const std::vector<int8_t> xi = random_archetypes(kCount, kDim, 7);
    const std::vector<int8_t> examples = support::noisy_examples(xi, kDim, kDim, row.quality, 8);
    const std::vector<float> rows = support::leading_subspace(examples, kDim, kCount, 40, 9);
    const Result<Unmixing> result = unmix(FloatRows(rows.data(), kCount, kDim), {&gamma, 1}, {}, kAlways);
    REQUIRE(result.ok());
    CHECK(result.value().archetypes.count() == kCount);
    const double m = assigned_overlap(result.value().archetypes.view(), patterns(xi, kDim));
    // Four archetypes of 1000 entries, and fluctuations of gamma itself: about 0.01 at m = 0.89.
    CHECK(std::abs(m - predicted) < 0.025);
    CHECK(std::abs(m - row.target) < 0.025);
    for (size_t k = 0; k < kCount; ++k) {
      CHECK(std::abs(result.value().archetypes.scores[k] - result.value().archetypes.predicted[k]) < 0.05);
    }
  }
}

TEST_CASE("directions of unequal overlap are judged each by its own") {
  constexpr size_t kDim = 1000;
  const std::vector<int8_t> xi = random_archetypes(3, kDim, 10);
  // As with unequal exposures, each archetype has nearly a direction of its own.
  std::vector<double> exact(xi.begin(), xi.end());
  support::orthonormalise(exact, kDim, 0);
  const std::vector<float> noise = estimated_subspace(xi, kDim, 0.0, 11);
  const std::vector<double> gamma{0.98, 0.9, 0.75};
  std::vector<float> rows(noise.size());
  for (size_t at = 0; at < rows.size(); ++at) {
    const double g = gamma[at / kDim];
    rows[at] =
        static_cast<float>(std::sqrt(g) * exact[at] + std::sqrt(1 - g) * static_cast<double>(noise[at]));
  }
  const Result<Unmixing> result = unmix(FloatRows(rows.data(), 3, kDim), gamma, {}, kAlways);
  REQUIRE(result.ok());
  const Archetypes& found = result.value().archetypes;
  REQUIRE(found.count() == 3);
  for (size_t k = 0; k < 3; ++k) {
    CHECK(std::abs(found.predicted[k] - predicted_score(gamma[k])) < 0.02);
    CHECK(std::abs(found.scores[k] - found.predicted[k]) < 0.03);
    const double m = std::erf(std::sqrt(gamma[k] / (2 * (1 - gamma[k]))));
    CHECK(std::abs(std::abs(overlap(found.view().row(k), xi.data() + k * kDim, kDim)) - m) < 0.03);
  }
}

TEST_CASE("the same question has the same answer, and seeds change nothing that matters") {
  for (const UnmixingMethod method :
       {UnmixingMethod::kIca, UnmixingMethod::kSignProjection, UnmixingMethod::kLam}) {
    const Case given(8, 400, 0.95, 12);
    UnmixingOptions options = with(method);
    const Unmixing first = given.unmixed(options);
    const Unmixing again = given.unmixed(options);
    CHECK(first.archetypes.states == again.archetypes.states);
    CHECK(first.archetypes.scores == again.archetypes.scores);
    CHECK(first.starts == again.starts);
    options.seed = 2;
    CHECK(given.found(given.unmixed(options)) == 1);
    CHECK(given.found(first) == 1);
  }
}

TEST_CASE("no direction has no archetypes, one direction has one") {
  const Case one(1, 300, 0.9, 13);
  for (const UnmixingMethod method :
       {UnmixingMethod::kIca, UnmixingMethod::kSignProjection, UnmixingMethod::kLam}) {
    CHECK(one.found(one.unmixed(with(method))) == 1);
    CHECK(one.unmixed(with(method)).archetypes.count() == 1);
    const Result<Unmixing> none = unmix(FloatRows(one.rows.data(), 0, 300), {}, with(method), kAlways);
    REQUIRE(none.ok());
    CHECK(none.value().archetypes.count() == 0);
    CHECK(none.value().archetypes.dim == 300);
  }
}

TEST_CASE("two equal archetypes are one, and the direction detected in vain is none") {
  const std::vector<int8_t> xi = random_archetypes(1, 500, 14);
  std::vector<int8_t> twice = xi;
  twice.insert(twice.end(), xi.begin(), xi.end());
  const std::vector<int8_t> examples = support::noisy_examples(twice, 500, 1000, 0.5, 15);
  const std::vector<float> rows = support::leading_subspace(examples, 500, 2, 60, 16);
  const double gamma = 0.95;
  for (const UnmixingMethod method :
       {UnmixingMethod::kIca, UnmixingMethod::kSignProjection, UnmixingMethod::kLam}) {
    const Result<Unmixing> result = unmix(FloatRows(rows.data(), 2, 500), {&gamma, 1}, with(method), kAlways);
    REQUIRE(result.ok());
    REQUIRE(result.value().archetypes.count() == 1);
    CHECK(std::abs(overlap(result.value().archetypes.states.data(), xi.data(), 500)) > 0.95);
    CHECK(result.value().archetypes.rejected + result.value().archetypes.merged > 0);
  }
}

// From here components start at a saddle: sources are sums and differences of two archetypes, half of them
// zero.
TEST_CASE("even numbers of archetypes that balance exactly are found") {
  constexpr size_t kDim = 256;
  std::vector<int8_t> xi;
  for (const size_t mask : {1, 2, 4, 8}) {  // Walsh functions: orthogonal
    for (size_t n = 0; n < kDim; ++n) xi.push_back((n & mask) != 0 ? -1 : 1);
  }
  std::vector<float> rows(4 * kDim);
  const float unit = 1.0F / std::sqrt(2.0F * kDim);
  for (size_t n = 0; n < kDim; ++n) {
    for (const size_t pair : {0, 2}) {
      rows[pair * kDim + n] = unit * static_cast<float>(xi[pair * kDim + n] + xi[(pair + 1) * kDim + n]);
      rows[(pair + 1) * kDim + n] =
          unit * static_cast<float>(xi[pair * kDim + n] - xi[(pair + 1) * kDim + n]);
    }
  }
  const double gamma = 1;
  const Result<Unmixing> result = unmix(FloatRows(rows.data(), 4, kDim), {&gamma, 1}, {}, kAlways);
  REQUIRE(result.ok());
  CHECK(result.value().archetypes.count() == 4);
  CHECK(assigned_overlap(result.value().archetypes.view(), patterns(xi, kDim)) == 1);
}

TEST_CASE("what cannot be asked is refused") {
  const Case given(3, 100, 0.9, 17);
  const auto code = [&](const FloatRows& v, const std::vector<double>& gamma) {
    return unmix(v, gamma, {}, kAlways).status().code();
  };
  CHECK(code(given.v, {0.9, 0.9}) == StatusCode::kShape);
  CHECK(code(given.v, {}) == StatusCode::kShape);
  CHECK(code(given.v, {0}) == StatusCode::kRange);
  CHECK(code(given.v, {1.1}) == StatusCode::kRange);
  CHECK(code(given.v, {0.9, std::numeric_limits<double>::quiet_NaN(), 0.9}) == StatusCode::kRange);
  CHECK(code(FloatRows(given.rows.data(), 3, 2, 100), {0.9}) == StatusCode::kShape);
  std::vector<float> rows = given.rows;
  rows[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK(code(FloatRows(rows.data(), 3, 100), {0.9}) == StatusCode::kNonFinite);
  rows[5] = 3;
  CHECK(code(FloatRows(rows.data(), 3, 100), {0.9}) == StatusCode::kRange);
  for (const UnmixingMethod method :
       {UnmixingMethod::kIca, UnmixingMethod::kSignProjection, UnmixingMethod::kLam}) {
    CHECK(unmix(given.v, given.gamma, with(method), [] { return false; }).status().code() ==
          StatusCode::kAborted);
  }
}

}  // namespace
}  // namespace engram::spectral
