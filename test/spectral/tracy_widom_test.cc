#include "spectral/tracy_widom.h"

#include <doctest/doctest.h>

#include <cmath>

namespace engram::spectral {
namespace {

// Bornemann, "On the numerical evaluation of distributions in random matrix theory" (2010), and the tables of
// Bejan (2005); the further digits by a determinant of order 60 over scipy.special.airy.
TEST_CASE("the Tracy-Widom law of real matrices has its published distribution and quantiles") {
  CHECK(tracy_widom_cdf(0) == doctest::Approx(0.8319080662029428).epsilon(1e-12));
  CHECK(tracy_widom_cdf(-2) == doctest::Approx(0.2743201979092036).epsilon(1e-12));
  CHECK(1 - tracy_widom_cdf(8) == doctest::Approx(8.04542477e-9).epsilon(1e-4));
  CHECK(tracy_widom_cdf(40) == 1);

  CHECK(std::abs(tracy_widom_quantile(0.5) - -1.268574616581021) < 1e-8);
  CHECK(std::abs(tracy_widom_quantile(0.1) - 0.4501432890583015) < 1e-8);
  CHECK(std::abs(tracy_widom_quantile(0.05) - 0.9793160534695912) < 1e-8);
  CHECK(std::abs(tracy_widom_quantile(0.01) - 2.0234492813801026) < 1e-8);
  CHECK(std::abs(tracy_widom_quantile(1e-3) - 3.272196059002103) < 1e-8);
  CHECK(std::abs(tracy_widom_quantile(1e-6) - 6.256354429483132) < 1e-8);
}

TEST_CASE("the quantile inverts the distribution and falls with the level") {
  double before = 100;
  for (double level = kLeastFalseAlarm; level <= kMostFalseAlarm; level *= 1.37) {
    const double q = tracy_widom_quantile(level);
    CHECK(1 - tracy_widom_cdf(q) == doctest::Approx(level).epsilon(1e-7));
    CHECK(q < before);
    before = q;
  }
}

TEST_CASE("the largest eigenvalue of noise lies where Johnstone puts it") {
  // (sqrt 9 + sqrt 40)^2, and their sum times the cube root of (1 / sqrt 9 + 1 / sqrt 40).
  const LargestNoiseEigenvalue largest = largest_noise_eigenvalue(40, 10);
  CHECK(largest.centre == doctest::Approx(86.9473).epsilon(1e-6));
  CHECK(largest.scale == doctest::Approx(7.358463).epsilon(1e-6));
  // Samples and dimensions change places but for the -1.
  CHECK(largest_noise_eigenvalue(9, 41).centre == doctest::Approx(largest.centre).epsilon(1e-12));
  CHECK(largest_noise_eigenvalue(9, 41).scale == doctest::Approx(largest.scale).epsilon(1e-12));
}

TEST_CASE("the cut tends to the edge as the problem grows and is finite for one sample") {
  const double quantile = 0.9793;
  double before = tracy_widom_ratio(10, 20, quantile);
  for (double dim = 100; dim <= 1e7; dim *= 10) {
    const double ratio = tracy_widom_ratio(dim, 2 * dim, quantile);
    CHECK(ratio > 1);
    CHECK(ratio < before);
    before = ratio;
  }
  CHECK(before < 1.0001);
  CHECK(std::isfinite(tracy_widom_ratio(1000, 1, quantile)));
}

}  // namespace
}  // namespace engram::spectral
