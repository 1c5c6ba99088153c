// What is known of the divergence without solving anything, and what no cloud may break.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support/clouds.h"
#include "support/divergences.h"
#include "support/float_clouds.h"
#include "support/transport_reference.h"

namespace engram::transport {
namespace {

using support::between;
using support::DoubleCloud;
using support::random_cloud;
using support::rounded;

TEST_CASE("a divergence is positive, symmetric, and 0 between a cloud and its permutation") {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const DoubleCloud x = random_cloud(4 + seed, 2, seed);
    const DoubleCloud y = random_cloud(20 - seed, 2, 100 + seed);
    const double there = between(x, y, 0.1);
    CHECK(there > 0);
    CHECK(there == doctest::Approx(between(y, x, 0.1)).epsilon(1e-9));
    CHECK(there == doctest::Approx(between(support::reversed(x), y, 0.1)).epsilon(1e-9));
    CHECK(std::abs(between(x, support::reversed(x), 0.1)) <= 1e-10);
  }
}

TEST_CASE("between a cloud and its translate it is the cost of the translation") {
  const DoubleCloud x = rounded(random_cloud(25, 2, 1));
  DoubleCloud moved = x;
  for (size_t i = 0; i < 25; ++i) {
    moved.points[2 * i] += 0.5;
    moved.points[2 * i + 1] -= 2;
  }
  // Half and 2 are exact in Float32; the points below 1 keep all but their last bits.
  for (const double epsilon : {5.0, 0.1, 0.01}) {
    CHECK(between(moved, x, epsilon, 0.75) == doctest::Approx(0.75 * 4.25).epsilon(1e-6));
  }
}

TEST_CASE("the means' part splits off exactly") {
  const DoubleCloud x = rounded(random_cloud(12, 2, 3));
  const DoubleCloud y = rounded(random_cloud(15, 2, 4));
  double square = 0;
  double mean[2][2] = {};
  const auto centred = [&](const DoubleCloud& cloud, double* m) {
    DoubleCloud c = cloud;
    for (size_t i = 0; i < c.weights.size(); ++i) {
      for (size_t d = 0; d < 2; ++d) m[d] += c.weights[i] * c.points[2 * i + d];
    }
    for (size_t i = 0; i < c.weights.size(); ++i) {
      for (size_t d = 0; d < 2; ++d) c.points[2 * i + d] -= m[d];
    }
    return c;
  };
  const DoubleCloud xc = centred(x, mean[0]);
  const DoubleCloud yc = centred(y, mean[1]);
  for (size_t d = 0; d < 2; ++d) square += std::pow(mean[0][d] - mean[1][d], 2);
  CHECK(between(x, y, 0.1) == doctest::Approx(0.5 * square + between(xc, yc, 0.1)).epsilon(1e-6));
}

TEST_CASE("twice the cost scale at twice the epsilon is twice the divergence") {
  const DoubleCloud x = random_cloud(12, 4, 5);
  const DoubleCloud y = random_cloud(13, 4, 6);
  CHECK(between(x, y, 0.4, 1) == doctest::Approx(2 * between(x, y, 0.2, 0.5)).epsilon(1e-9));
}

TEST_CASE("its limits are the means' distance for large epsilon and the transport cost for small") {
  const DoubleCloud x = rounded(random_cloud(10, 1, 7));
  const DoubleCloud y = rounded(random_cloud(13, 1, 8));
  const auto mean = [](const DoubleCloud& cloud) { return reference::mean_of(cloud, cloud.points); };
  CHECK(between(x, y, 1e6) == doctest::Approx(0.5 * std::pow(mean(x) - mean(y), 2)).epsilon(1e-4));
  const double cost = reference::line_transport(x, y, 0.5);
  for (const double epsilon : {1e-2, 1e-3, 1e-4}) {
    // OT exceeds the cost by at most the mutual information of a plan, of each of three problems.
    CHECK(std::abs(between(x, y, epsilon) - cost) <= epsilon * std::log(130.0));
  }
  DoubleCloud u = rounded(random_cloud(7, 2, 9));
  DoubleCloud v = rounded(random_cloud(7, 2, 10));
  u.weights.assign(7, 1.0 / 7);
  v.weights.assign(7, 1.0 / 7);
  const double assigned = reference::assignment(u, v, {2, 0.5, 1});
  CHECK(std::abs(between(u, v, 1e-3) - assigned) <= 1e-3 * std::log(49.0));
}

TEST_CASE("to a Dirac it is the mean cost less half the self problem") {
  const DoubleCloud dirac{{0.5, -2}, {1}};
  const DoubleCloud cloud = rounded(random_cloud(30, 2, 13));
  const Geometry geometry{2, 0.75, 0.1};
  double mean_cost = 0;
  for (size_t j = 0; j < 30; ++j) mean_cost += cloud.weights[j] * support::cost(dirac, 0, cloud, j, geometry);
  const double expected = mean_cost - reference::solve_self(cloud, geometry).value / 2;
  CHECK(between(dirac, cloud, 0.1, 0.75) == doctest::Approx(expected).epsilon(1e-9));
  CHECK(between(cloud, dirac, 0.1, 0.75) == doctest::Approx(expected).epsilon(1e-9));
  CHECK(between(dirac, {{2.5, -2}, {1}}, 0.1, 0.75) == doctest::Approx(3).epsilon(1e-12));
}

TEST_CASE("between Gaussians it has the closed form") {
  const DoubleCloud x = support::gaussian_grid(161, 0, 0.75);
  const DoubleCloud y = support::gaussian_grid(161, 0.5, 1.25);
  for (const double epsilon : {0.5, 2.0, 8.0}) {
    const Geometry geometry{1, 0.5, epsilon};
    const double expected = support::gaussian_transport(0.75, 1.25, 0.5, geometry) -
                            (support::gaussian_transport(0.75, 0.75, 0, geometry) +
                             support::gaussian_transport(1.25, 1.25, 0, geometry)) /
                                2;
    CHECK(std::abs(between(x, y, epsilon) - expected) <= 1e-6);
  }
}

TEST_CASE("points without mass, and points of next to none, change nothing") {
  const DoubleCloud x = rounded(random_cloud(10, 2, 20));
  const DoubleCloud y = rounded(random_cloud(14, 2, 21));
  const double expected = between(x, y, 0.05);
  for (const double weight : {0.0, 1e-30}) {
    DoubleCloud more_x = x;
    DoubleCloud more_y = y;
    more_x.points.insert(more_x.points.end(), {5, 5});
    more_x.weights.push_back(weight);
    more_y.points.insert(more_y.points.end(), {-30, 7});
    more_y.weights.push_back(weight);
    CHECK(between(more_x, y, 0.05) == doctest::Approx(expected).epsilon(1e-9));
    CHECK(between(x, more_y, 0.05) == doctest::Approx(expected).epsilon(1e-9));
    CHECK(between(more_x, more_y, 0.05) == doctest::Approx(expected).epsilon(1e-9));
  }
}

TEST_CASE("a point may be split in two of the same place") {
  const DoubleCloud x = rounded(random_cloud(10, 2, 22));
  const DoubleCloud y = rounded(random_cloud(14, 2, 23));
  DoubleCloud split = y;
  split.points.insert(split.points.end(), {y.points[0], y.points[1]});
  split.weights.push_back(y.weights[0] / 2);
  split.weights[0] /= 2;
  CHECK(between(x, split, 0.05) == doctest::Approx(between(x, y, 0.05)).epsilon(1e-6));
  CHECK(std::abs(between(y, split, 0.05)) <= 1e-7);
}

TEST_CASE("clouds of very different sizes are no worse off") {
  const DoubleCloud large = rounded(random_cloud(300, 2, 24));
  for (const size_t n : {1, 2, 17, 150}) {
    const DoubleCloud small = rounded(random_cloud(n, 2, 25));
    const double exact = reference::divergence(small, large, {2, 0.5, 0.3});
    CHECK(between(small, large, 0.3) == doctest::Approx(exact).epsilon(1e-8));
    CHECK(between(large, small, 0.3) == doctest::Approx(exact).epsilon(1e-8));
  }
}

TEST_CASE("clouds far from the origin, in high dimension, collinear or with equal points are no worse off") {
  DoubleCloud far = random_cloud(10, 2, 7);
  for (double& x : far.points) x = x * 1e3 + 1e6;
  DoubleCloud line = random_cloud(10, 2, 8);
  for (size_t i = 0; i < 10; ++i) line.points[2 * i + 1] = 2 * line.points[2 * i];
  DoubleCloud equal = random_cloud(10, 2, 9);
  for (size_t i = 1; i < 5; ++i) {
    equal.points[2 * i] = equal.points[0];
    equal.points[2 * i + 1] = equal.points[1];
  }
  const DoubleCloud other = rounded(random_cloud(9, 2, 10));
  for (const DoubleCloud& cloud : {rounded(far), rounded(line), rounded(equal)}) {
    const double scale = support::cost(cloud, 0, other, 0, {2, 0.5, 1}) + 1;
    const double epsilon = 0.05 * scale;
    const double exact = reference::divergence(cloud, other, {2, 0.5, epsilon});
    CHECK(between(cloud, other, epsilon) == doctest::Approx(exact).epsilon(1e-8));
  }
  const DoubleCloud wide = rounded(random_cloud(12, 1024, 11));
  const DoubleCloud wider = rounded(random_cloud(8, 1024, 12));
  CHECK(between(wide, wider, 20) ==
        doctest::Approx(reference::divergence(wide, wider, {1024, 0.5, 20})).epsilon(1e-9));
}

}  // namespace
}  // namespace engram::transport
