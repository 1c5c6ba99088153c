#include "spectral/metrics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "support/archetypes.h"

namespace engram::spectral {
namespace {

using support::patterns;
using support::random_archetypes;

double product(const Patterns& x, size_t i, const Patterns& y, size_t j) {
  double sum = 0;
  for (size_t n = 0; n < x.cols; ++n) sum += x.at(i, n) * y.at(j, n);
  return sum / static_cast<double>(x.cols);
}

// Of all ways to give each truth an estimate of its own, or none, the best.
double assigned_by_enumeration(const Patterns& estimates, const Patterns& truth) {
  std::vector<size_t> order(std::max(estimates.rows, truth.rows));
  std::iota(order.begin(), order.end(), size_t{0});
  double best = 0;
  do {
    double sum = 0;
    for (size_t mu = 0; mu < truth.rows; ++mu) {
      if (order[mu] < estimates.rows) sum += std::abs(product(estimates, order[mu], truth, mu));
    }
    best = std::max(best, sum / static_cast<double>(truth.rows));
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

TEST_CASE("the assignment is the best of all") {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    // Few entries, so that overlaps are large and often equal.
    const size_t dim = 6 + seed % 7;
    const std::vector<int8_t> estimates = random_archetypes(1 + seed % 6, dim, seed);
    const std::vector<int8_t> truth = random_archetypes(1 + seed / 3 % 6, dim, 100 + seed);
    CHECK(assigned_overlap(patterns(estimates, dim), patterns(truth, dim)) ==
          doctest::Approx(assigned_by_enumeration(patterns(estimates, dim), patterns(truth, dim))));
  }
}

TEST_CASE("order and signs of estimates do not matter, and what is missing counts as zero") {
  constexpr size_t kDim = 500;
  const std::vector<int8_t> truth = random_archetypes(5, kDim, 1);
  std::vector<int8_t> estimates;
  for (const size_t mu : {3, 0, 4}) {
    for (size_t n = 0; n < kDim; ++n) estimates.push_back(static_cast<int8_t>(-truth[mu * kDim + n]));
  }
  CHECK(assigned_overlap(patterns(estimates, kDim), patterns(truth, kDim)) == doctest::Approx(0.6));
  const std::vector<double> best = best_overlaps(patterns(estimates, kDim), patterns(truth, kDim));
  CHECK(best[0] == 1);
  CHECK(best[1] < 0.25);
  CHECK(best[2] < 0.25);
  CHECK(best[3] == 1);
  CHECK(best[4] == 1);
}

TEST_CASE("one estimate serves one truth in the assignment, and all of them in the best overlaps") {
  const std::vector<int8_t> truth{1, 1, 1, 1, 1, 1, 1, -1};
  const std::vector<int8_t> estimate{1, 1, 1, 1};
  CHECK(assigned_overlap(patterns(estimate, 4), patterns(truth, 4)) == doctest::Approx(0.5));
  CHECK(best_overlaps(patterns(estimate, 4), patterns(truth, 4)) == std::vector<double>{1, 0.5});
}

TEST_CASE("the error of operators is that of the N x N matrices") {
  constexpr size_t kDim = 40;
  const std::vector<int8_t> estimates = random_archetypes(3, kDim, 1);
  const std::vector<int8_t> truth = random_archetypes(4, kDim, 2);
  double difference = 0;
  double own = 0;
  for (size_t i = 0; i < kDim; ++i) {
    for (size_t j = 0; j < kDim; ++j) {
      double a = 0;
      double b = 0;
      for (size_t k = 0; k < 3; ++k) a += estimates[k * kDim + i] * estimates[k * kDim + j];
      for (size_t k = 0; k < 4; ++k) b += truth[k * kDim + i] * truth[k * kDim + j];
      difference += (a - b) * (a - b);
      own += b * b;
    }
  }
  CHECK(hebbian_error(patterns(estimates, kDim), patterns(truth, kDim)) ==
        doctest::Approx(std::sqrt(difference / own)).epsilon(1e-12));
  CHECK(hebbian_error(patterns(truth, kDim), patterns(truth, kDim)) == 0);
  CHECK(hebbian_error({truth.data(), 0, kDim}, patterns(truth, kDim)) == 1);
}

TEST_CASE("no estimates have no overlap") {
  const std::vector<int8_t> truth = random_archetypes(2, 10, 1);
  const Patterns none(truth.data(), 0, 10);
  CHECK(assigned_overlap(none, patterns(truth, 10)) == 0);
  CHECK(best_overlaps(none, patterns(truth, 10)) == std::vector<double>{0, 0});
  CHECK(assigned_overlap(patterns(truth, 10), none) == 0);
}

}  // namespace
}  // namespace engram::spectral
