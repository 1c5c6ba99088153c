#include "spectral/archetypes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "spectral/sign_projection.h"
#include "support/archetypes.h"

namespace engram::spectral {
namespace {

using support::estimated_subspace;
using support::patterns;
using support::random_archetypes;

const KeepGoing kAlways = [] { return true; };

Archetypes select_all(const FloatRows& v, const std::vector<double>& gamma, const std::vector<int8_t>& states,
                      const Acceptance& acceptance = {}) {
  Result<Archetypes> selected = select(v, gamma, patterns(states, v.cols), acceptance, kAlways);
  REQUIRE(selected.ok());
  return selected.value();
}

// sign(+-x_i +- x_j +- x_k) for all triples and relative signs.
std::vector<int8_t> three_mixtures(const std::vector<int8_t>& xi, size_t dim) {
  std::vector<int8_t> mixtures;
  const size_t count = xi.size() / dim;
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < i; ++j) {
      for (size_t k = 0; k < j; ++k) {
        for (const auto& [b, c] :
             {std::array{1, 1}, std::array{1, -1}, std::array{-1, 1}, std::array{-1, -1}}) {
          for (size_t n = 0; n < dim; ++n) {
            const int sum = xi[i * dim + n] + b * xi[j * dim + n] + c * xi[k * dim + n];
            mixtures.push_back(sum < 0 ? -1 : 1);
          }
        }
      }
    }
  }
  return mixtures;
}

TEST_CASE("all archetypes pass and no 3-mixture does, whatever part of the subspace was lost to noise") {
  constexpr size_t kDim = 400;
  for (const double gamma : {1.0, 0.98, 0.95, 0.9, 0.85}) {
    for (const uint64_t seed : {1, 2, 3, 4, 5}) {
      const std::vector<int8_t> xi = random_archetypes(6, kDim, seed);
      const std::vector<float> rows = estimated_subspace(xi, kDim, gamma, 100 + seed);
      const FloatRows v(rows.data(), 6, kDim);
      CHECK(select_all(v, {gamma}, xi).count() == 6);
      const std::vector<int8_t> mixtures = three_mixtures(xi, kDim);
      const Archetypes of_mixtures = select_all(v, {gamma}, mixtures);
      CHECK(of_mixtures.count() == 0);
      CHECK(of_mixtures.rejected == 80);
      // And among them archetypes are told from mixtures.
      std::vector<int8_t> both = mixtures;
      both.insert(both.end(), xi.begin(), xi.end());
      CHECK(select_all(v, {gamma}, both).count() == 6);
    }
  }
}

TEST_CASE("the published threshold of 0.6 lets all 3-mixtures through") {
  const std::vector<int8_t> xi = random_archetypes(6, 400, 1);
  const std::vector<float> rows = estimated_subspace(xi, 400, 1.0, 2);
  const FloatRows v(rows.data(), 6, 400);
  const Archetypes fooled = select_all(v, {1.0}, three_mixtures(xi, 400), {0.6, 0, 1});
  CHECK(fooled.count() + fooled.merged + fooled.rejected == 80);
  CHECK(fooled.count() == 6);  // as many as a subspace can hold
  for (const double s : fooled.scores) CHECK(s == doctest::Approx(0.75).epsilon(0.1));
}

TEST_CASE("a score is the squared length of the projection") {
  constexpr size_t kDim = 300;
  const std::vector<int8_t> xi = random_archetypes(4, kDim, 3);
  const std::vector<double> gamma{0.95, 0.9, 0.8, 0.7};
  const std::vector<float> rows = estimated_subspace(xi, kDim, gamma, 4);
  const FloatRows v(rows.data(), 4, kDim);
  for (size_t mu = 0; mu < 4; ++mu) {
    double kept = 0;
    double shares = 0;
    for (size_t k = 0; k < 4; ++k) {
      double along = 0;
      for (size_t n = 0; n < kDim; ++n) along += static_cast<double>(v.at(k, n)) * xi[mu * kDim + n];
      kept += along * along / kDim;
      shares += along * along / kDim / gamma[k];
    }
    // Rows of the true subspace that were shortened, so that the shares sum to one.
    CHECK(shares == doctest::Approx(1).epsilon(1e-5));
    const Score judged = score(v, gamma, xi.data() + mu * kDim);
    CHECK(judged.score == doctest::Approx(kept).epsilon(1e-6));
    CHECK(judged.score == doctest::Approx(judged.gamma).epsilon(1e-5));
  }
}

TEST_CASE("the predicted score is that of the signs of noisy archetypes") {
  CHECK(predicted_score(0) == doctest::Approx(2 / 3.14159265358979).epsilon(1e-12));
  CHECK(predicted_score(1) == 1);
  support::NormalNumbers normal(5);
  for (const double gamma : {0.3, 0.6, 0.8, 0.95}) {
    constexpr int kCount = 200'000;
    double mean = 0;
    for (int k = 0; k < kCount; ++k) {
      mean += std::abs(std::sqrt(gamma) + std::sqrt(1 - gamma) * normal()) / kCount;
    }
    // Five standard errors of the mean, twice for the square.
    CHECK(std::abs(predicted_score(gamma) - mean * mean) < 10 / std::sqrt(kCount));
  }
}

TEST_CASE("chance is what fixed points score where there is nothing to find") {
  for (const auto& [count, dim] : {std::array<size_t, 2>{5, 1000}, {10, 784}, {20, 784}, {40, 784}}) {
    // Without any part of the archetypes the rows are random.
    const std::vector<float> rows = estimated_subspace(random_archetypes(count, dim, 1), dim, 0.0, 2);
    const FloatRows v(rows.data(), count, dim);
    const Result<std::vector<int8_t>> states = sign_projection(v, 0, 31, {}, kAlways);
    REQUIRE(states.ok());
    std::vector<double> scores;
    const double any = 0.5;
    for (size_t i = 0; i < 31; ++i) {
      scores.push_back(score(v, {&any, 1}, states.value().data() + i * dim).score);
    }
    std::sort(scores.begin(), scores.end());
    CHECK(std::abs(scores[15] - chance_score(count, dim)) < 0.012);
    // None of them is taken for an archetype where archetypes would be worth having.
    for (const double gamma : {0.75, 0.8, 0.85, 0.9, 1.0}) {
      if (predicted_score(gamma) > chance_score(count, dim) + 0.05) {
        CHECK(select_all(v, {gamma}, states.value()).count() == 0);
      }
    }
  }
}

TEST_CASE("the better of two similar candidates is kept, also when their signs differ") {
  constexpr size_t kDim = 200;
  const std::vector<int8_t> xi = random_archetypes(2, kDim, 6);
  const std::vector<float> rows = estimated_subspace(xi, kDim, 1.0, 7);
  const FloatRows v(rows.data(), 2, kDim);
  std::vector<int8_t> damaged(xi.begin(), xi.begin() + kDim);
  for (size_t n = 0; n < 4; ++n) damaged[n] = static_cast<int8_t>(-damaged[n]);
  std::vector<int8_t> opposite(xi.begin(), xi.begin() + kDim);
  for (int8_t& s : opposite) s = static_cast<int8_t>(-s);
  std::vector<int8_t> candidates = damaged;
  candidates.insert(candidates.end(), xi.begin(), xi.end());
  candidates.insert(candidates.end(), opposite.begin(), opposite.end());
  const Archetypes kept = select_all(v, {1.0}, candidates);
  CHECK(kept.count() == 2);
  CHECK(kept.merged == 2);
  CHECK(kept.rejected == 0);
  for (size_t k = 0; k < 2; ++k) {
    const int8_t* const x = kept.view().row(k);
    CHECK(kept.scores[k] == doctest::Approx(1).epsilon(1e-6));
    CHECK(std::abs(overlap(x, xi.data(), kDim)) + std::abs(overlap(x, xi.data() + kDim, kDim)) >= 1);
    CHECK(std::accumulate(x, x + kDim, 0) >= 0);
  }
}

TEST_CASE("of a balanced archetype the first entry is plus") {
  const std::vector<int8_t> xi{-1, 1, -1, 1, -1, 1, 1, -1};
  const std::vector<float> rows = estimated_subspace(xi, 8, 1.0, 1);
  const Archetypes kept = select_all(FloatRows(rows.data(), 1, 8), {1.0}, xi);
  REQUIRE(kept.count() == 1);
  CHECK(kept.states == std::vector<int8_t>{1, -1, 1, -1, 1, -1, -1, 1});
}

TEST_CASE("selection of nothing is nothing, and it can be stopped") {
  const std::vector<int8_t> xi = random_archetypes(2, 64, 8);
  const std::vector<float> rows = estimated_subspace(xi, 64, 1.0, 9);
  const FloatRows v(rows.data(), 2, 64);
  CHECK(select_all(v, {1.0}, {}).count() == 0);
  const double gamma = 1;
  const auto stopped = select(v, {&gamma, 1}, patterns(xi, 64), {}, [] { return false; });
  CHECK(stopped.status().code() == StatusCode::kAborted);
}

}  // namespace
}  // namespace engram::spectral
