#include "transport/self_solver.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support/clouds.h"
#include "support/transport_cases.h"
#include "support/transport_reference.h"

namespace engram::transport {
namespace {

using support::DoubleCloud;

SolveOptions tight(Solver solver = Solver::kAuto) {
  SolveOptions options;
  options.tolerance = 1e-12;
  options.max_iterations = 1000;
  options.solver = solver;
  return options;
}

void solve(SelfSolver& solver, const DoubleCloud& mu, const Geometry& geometry, const SolveOptions& options) {
  REQUIRE(solver.start(mu.measure(), geometry, options, nullptr, /*means=*/true).ok());
  for (bool done = false; !done;) {
    size_t entries = 1000;
    done = solver.advance(entries).value();
  }
}

TEST_CASE("two equal points at cost c have the closed form") {
  const DoubleCloud pair{{0, 0, 3, 4}, {0.5, 0.5}};
  for (const double epsilon : {100.0, 10.0, 1.0, 0.1}) {
    SelfSolver solver;
    solve(solver, pair, {2, 0.5, epsilon}, tight());
    // Both potentials are f with f = -epsilon log(e^(f / epsilon) (1 + e^(-c / epsilon)) / 2), and OT = 2 f.
    const double expected = -epsilon * std::log((1 + std::exp(-12.5 / epsilon)) / 2);
    CHECK(solver.solution().value == doctest::Approx(expected).epsilon(1e-11));
    CHECK(solver.f()[0] == doctest::Approx(solver.f()[1]).epsilon(1e-11));
  }
}

TEST_CASE("R1: self problems reach the published values in few iterations at any epsilon") {
  for (const Solver form : {Solver::kAuto, Solver::kLog}) {
    for (const support::TransportCase& published : support::kR1) {
      SelfSolver solver;
      solve(solver, support::r1_x(), {2, 0.5, published.epsilon}, tight(form));
      CHECK(solver.solution().converged);
      CHECK(solver.solution().iterations <= 90);  // Float32 kernels, then Float64
      CHECK(std::abs(solver.solution().value - published.self_x) <= 1e-12);
    }
  }
}

TEST_CASE("the potential is its own soft c-transform, also where there is no mass") {
  DoubleCloud cloud = support::random_cloud(30, 3, 21);
  cloud.weights[4] = 0;
  cloud = support::normalised(cloud);
  const Geometry geometry{3, 0.5, 0.1};
  for (const Precision precision : {Precision::kFloat32, Precision::kFloat64}) {
    SolveOptions options = tight();
    options.precision = precision;
    SelfSolver solver;
    solve(solver, cloud, geometry, options);
    for (size_t i = 0; i < 30; ++i) {
      double sum = 0;
      double mean[3] = {};
      for (size_t j = 0; j < 30; ++j) {
        const double p =
            cloud.weights[j] *
            std::exp((solver.f()[j] - support::cost(cloud, i, cloud, j, geometry)) / geometry.epsilon);
        sum += p;
        for (size_t d = 0; d < 3; ++d) mean[d] += p * cloud.points[j * 3 + d];
      }
      CHECK(solver.f()[i] == doctest::Approx(-geometry.epsilon * std::log(sum)).epsilon(1e-10));
      for (size_t d = 0; d < 3; ++d)
        CHECK(solver.means()[i * 3 + d] == doctest::Approx(mean[d] / sum).epsilon(1e-10));
    }
  }
}

TEST_CASE("values and potentials equal the reference's over seven decades of epsilon") {
  for (const size_t n : {1, 2, 9, 40}) {
    const DoubleCloud cloud = support::random_cloud(n, 3, n);
    for (const double epsilon : {1e3, 10.0, 1.0, 0.1, 1e-2, 1e-4}) {
      const Geometry geometry{3, 0.75, epsilon};
      const reference::Potentials exact = reference::solve_self(cloud, geometry);
      for (const Solver form : {Solver::kAuto, Solver::kKernel, Solver::kLog}) {
        SelfSolver solver;
        solve(solver, cloud, geometry, tight(form));
        CAPTURE(epsilon);
        CAPTURE(static_cast<int>(form));
        CHECK(std::abs(solver.solution().value - exact.value) <= 1e-11);
        for (size_t i = 0; i < n; ++i) CHECK(std::abs(solver.f()[i] - exact.f[i]) <= 1e-9 * (1 + epsilon));
      }
    }
  }
}

TEST_CASE("tiny weights and equal points are no obstacle") {
  DoubleCloud cloud = support::random_cloud(12, 2, 22);
  for (size_t i = 0; i < 4; ++i) cloud.weights[i] *= 1e-30;
  for (size_t i = 6; i < 9; ++i) {
    cloud.points[2 * i] = cloud.points[0];
    cloud.points[2 * i + 1] = cloud.points[1];
  }
  cloud = support::normalised(cloud);
  for (const double epsilon : {10.0, 0.1, 1e-3, 1e-5}) {
    SelfSolver solver;
    solve(solver, cloud, {2, 0.5, epsilon}, tight());
    CHECK(solver.solution().converged);
    CHECK(std::isfinite(solver.solution().value));
  }
}

TEST_CASE("a start from a nearby problem saves iterations and changes nothing else") {
  const DoubleCloud cloud = support::random_cloud(50, 3, 23);
  DoubleCloud moved = cloud;
  for (double& x : moved.points) x *= 1.001;
  const Geometry geometry{3, 0.5, 0.05};
  SelfSolver solver;
  solve(solver, cloud, geometry, tight());
  const std::vector<double> potential = solver.f();
  solve(solver, moved, geometry, tight());
  const Solution cold = solver.solution();
  REQUIRE(solver.start(moved.measure(), geometry, tight(), potential.data(), false).ok());
  for (bool done = false; !done;) {
    size_t entries = 1000;
    done = solver.advance(entries).value();
  }
  CHECK(solver.solution().iterations < cold.iterations);
  CHECK(solver.solution().value == doctest::Approx(cold.value).epsilon(1e-11));
}

}  // namespace
}  // namespace engram::transport
