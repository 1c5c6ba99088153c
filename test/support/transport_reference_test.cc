// The reference itself, against numbers that other code has computed and against solver-free closed forms.
#include "support/transport_reference.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support/transport_cases.h"

namespace engram::reference {
namespace {

// |found - expected| relative to the largest number expected.
double error(const std::vector<double>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  double most = 0;
  double size = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    most = std::max(most, std::abs(found[i] - expected[i]));
    size = std::max(size, std::abs(expected[i]));
  }
  return most / size;
}

TEST_CASE("R1: the reference reaches the published transport costs and divergences") {
  for (const support::TransportCase& c : support::kR1) {
    CAPTURE(c.epsilon);
    const Geometry geometry{2, 0.5, c.epsilon};
    const Potentials cross = solve(support::r1_x(), support::r1_y(), geometry);
    CHECK(cross.residual <= 1e-12);  // the least that exponents of a thousand allow
    CHECK(error({cross.value}, {c.cross}) <= 1e-12);
    CHECK(error({solve_self(support::r1_x(), geometry).value}, {c.self_x}) <= 1e-12);
    CHECK(error({solve_self(support::r1_y(), geometry).value}, {c.self_y}) <= 1e-12);
    CHECK(error({divergence(support::r1_x(), support::r1_y(), geometry)}, {c.divergence}) <= 1e-12);
  }
}

TEST_CASE("R2: the reference reaches the published energy and gradients") {
  const Geometry geometry{2, 0.5, support::kR2Epsilon};
  const Field found = field(support::r2_query(), support::r2_memory(), geometry, support::kR2Beta);
  CHECK(error({found.energy}, {support::r2::kEnergy}) <= 1e-11);
  CHECK(error(found.divergences, support::r2::kDivergences) <= 1e-11);
  CHECK(error(found.gibbs, support::r2::kGibbs) <= 1e-11);
  CHECK(error(found.gradient, support::r2::kGradient) <= 1e-11);
  CHECK(error(found.variation, support::r2::kVariation) <= 1e-11);
  CHECK(error({found.gradient_points}, {support::r2::kGradientPoints}) <= 1e-11);
  CHECK(error({found.gradient_weights}, {support::r2::kGradientWeights}) <= 1e-11);
}

TEST_CASE("R3 and R4: the reference takes the published steps") {
  const std::vector<DoubleCloud> memory = support::r2_memory();
  const Geometry geometry{2, 0.5, support::kR2Epsilon};
  const Field start = field(support::r2_query(), memory, geometry, support::kR2Beta);
  const DoubleCloud once = step(support::r2_query(), start, support::r3::kStep, support::r3::kStep);
  CHECK(error(once.weights, support::r3::kWeights) <= 1e-11);
  CHECK(error(once.points, support::r3::kPoints) <= 1e-11);
  CHECK(error({energy(once, memory, geometry, support::kR2Beta)}, {support::r3::kEnergy}) <= 1e-10);

  DoubleCloud state = support::r2_query();
  Field found = start;
  std::vector<double> energies{found.energy};
  for (int taken = 0; taken < 60; ++taken) {
    state = step(state, found, support::r4::kStepPoints, support::r4::kStepWeights);
    found = field(state, memory, geometry, support::kR2Beta);
    energies.push_back(found.energy);
  }
  for (const support::r4::Energy& published : support::r4::kEnergies) {
    CAPTURE(published.after);
    CHECK(std::abs(energies[published.after] - published.energy) <= 1e-12);
  }
  CHECK(error(found.divergences, support::r4::kDivergences) <= 1e-9);
  CHECK(error(found.gibbs, support::r4::kGibbs) <= 1e-9);
}

TEST_CASE("the reference has the closed form between Gaussians") {
  const DoubleCloud x = support::gaussian_grid(161, 0, 0.7);
  const DoubleCloud y = support::gaussian_grid(161, 0.9, 1.3);
  const Geometry geometry{1, 0.75, 2};
  CHECK(error({solve(x, y, geometry).value}, {support::gaussian_transport(0.7, 1.3, 0.9, geometry)}) <=
        1e-11);
}

TEST_CASE("unregularised costs are those of hand-made cases, and of the published one in the limit") {
  const DoubleCloud x{{0, 1, 5}, {0.5, 0.25, 0.25}};
  const DoubleCloud y{{6, 2}, {0.5, 0.5}};
  // 0.5 from 0 to 2, 0.25 from 1 to 6, 0.25 from 5 to 6.
  CHECK(line_transport(x, y, 0.5) == doctest::Approx(0.5 * (0.5 * 4 + 0.25 * 25 + 0.25 * 1)));
  const DoubleCloud square{{0, 0, 0, 1, 1, 0, 1, 1}, {0.25, 0.25, 0.25, 0.25}};
  const DoubleCloud turned{{2, 1, 1, 0, 2, 0, 1, 1}, {0.25, 0.25, 0.25, 0.25}};
  CHECK(assignment(square, turned, {2, 0.5, 1}) == doctest::Approx(0.5));
  const Geometry small{2, 0.5, 1e-3};
  const double cost = solve(support::r1_x(), support::r1_y(), small).value;
  CHECK(cost >= support::kR1Unregularised);
  CHECK(cost <= support::kR1Unregularised + 1e-3 * std::log(20));
}

}  // namespace
}  // namespace engram::reference
