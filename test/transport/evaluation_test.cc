#include "transport/evaluation.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support/clouds.h"
#include "support/float_clouds.h"
#include "support/flows.h"
#include "support/transport_cases.h"
#include "support/transport_reference.h"

namespace engram::transport {
namespace {

using support::DoubleCloud;
using support::Evaluator;
using support::exact_flow;
using support::random_cloud;
using support::rounded;

// Every number of `found` within `allowed` of the expected one.
void check_close(const std::vector<double>& found, const std::vector<double>& expected, double allowed) {
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(found[i] - expected[i]) <= allowed);
  }
}

void check_field(const Energetics& found, const reference::Field& expected, double allowed) {
  CHECK(std::abs(found.energy - expected.energy) <= allowed);
  check_close(found.divergences, expected.divergences, allowed);
  check_close(found.variation, expected.variation, allowed);
  check_close(found.gradient, expected.gradient, allowed);
  CHECK(std::abs(found.gradient_points - expected.gradient_points) <= allowed);
  CHECK(std::abs(found.gradient_weights - expected.gradient_weights) <= allowed);
}

std::vector<DoubleCloud> some_clouds(size_t count, size_t dim) {
  std::vector<DoubleCloud> clouds;
  for (uint64_t k = 0; k < count; ++k) clouds.push_back(rounded(random_cloud(1 + (3 * k) % 8, dim, k)));
  return clouds;
}

TEST_CASE("R2: energy, divergences and gradients of the reference case") {
  Evaluator evaluator(support::to_memory(support::r2_memory(), support::kR2Epsilon),
                      exact_flow(support::kR2Beta));
  const Energetics found = evaluator.at(support::r2_query());
  // Stored points are Float32: their rounding moves the published numbers by up to this.
  constexpr double kRounding = 2e-7;
  CHECK(std::abs(found.energy - support::r2::kEnergy) <= kRounding);
  check_close(found.divergences, support::r2::kDivergences, kRounding);
  check_close(found.gradient, support::r2::kGradient, 10 * kRounding);
  check_close(found.variation, support::r2::kVariation, 10 * kRounding);
  CHECK(found.gradient_points == doctest::Approx(support::r2::kGradientPoints).epsilon(1e-5));
  CHECK(found.gradient_weights == doctest::Approx(support::r2::kGradientWeights).epsilon(1e-5));
}

TEST_CASE("energy, divergences and gradients equal the reference's, with and without a prior") {
  for (const size_t dim : {1, 3}) {
    const std::vector<DoubleCloud> stored = some_clouds(5, dim);
    const DoubleCloud query = random_cloud(6, dim, 40);
    for (const double epsilon : {1.0, 0.1}) {
      for (const bool prior : {false, true}) {
        const std::vector<double> log_prior =
            prior ? std::vector<double>{0, -1, 0.5, 2, -3} : std::vector<double>();
        const std::vector<float> log_prior32(log_prior.begin(), log_prior.end());
        Evaluator evaluator(support::to_memory(stored, epsilon, 0.75, log_prior32), exact_flow(5));
        CAPTURE(epsilon);
        check_field(evaluator.at(query), reference::field(query, stored, {dim, 0.75, epsilon}, 5, log_prior),
                    1e-10);
      }
    }
  }
}

TEST_CASE("gradients in points and weights are finite differences of the reference's energy") {
  const std::vector<DoubleCloud> stored = some_clouds(4, 2);
  const DoubleCloud query = random_cloud(6, 2, 41);
  constexpr double kStep = 1e-5;
  for (const double epsilon : {1.0, 0.2}) {
    for (const double beta : {0.7, 5.0}) {
      const Geometry geometry{2, 0.75, epsilon};
      const auto slope = [&](const DoubleCloud& plus, const DoubleCloud& minus) {
        return (reference::energy(plus, stored, geometry, beta) -
                reference::energy(minus, stored, geometry, beta)) /
               (2 * kStep);
      };
      Evaluator evaluator(support::to_memory(stored, epsilon, 0.75), exact_flow(beta));
      const Energetics found = evaluator.at(query);
      for (size_t at = 0; at < query.points.size(); ++at) {
        DoubleCloud plus = query;
        DoubleCloud minus = query;
        plus.points[at] += kStep;
        minus.points[at] -= kStep;
        CHECK(std::abs(query.weights[at / 2] * found.gradient[at] - slope(plus, minus)) <= 1e-8);
      }
      for (size_t i = 1; i < query.weights.size(); ++i) {
        DoubleCloud plus = query;
        DoubleCloud minus = query;
        plus.weights[0] += kStep;
        plus.weights[i] -= kStep;
        minus.weights[0] -= kStep;
        minus.weights[i] += kStep;
        CHECK(std::abs(found.variation[0] - found.variation[i] - slope(plus, minus)) <= 1e-8);
      }
    }
  }
}

TEST_CASE("points without mass have the field that they would have with a little") {
  const std::vector<DoubleCloud> stored = some_clouds(4, 2);
  DoubleCloud query = random_cloud(6, 2, 42);
  query.weights[2] = 0;
  query = support::normalised(query);
  const reference::Field exact = reference::field(query, stored, {2, 0.5, 1}, 5);
  Evaluator evaluator(support::to_memory(stored, 1), exact_flow(5));
  check_field(evaluator.at(query), exact, 1e-10);
  DoubleCloud little = query;
  little.weights[2] = 1e-9;
  const Energetics near = evaluator.at(support::normalised(little));
  check_close(near.variation, exact.variation, 1e-6);
  check_close(near.gradient, exact.gradient, 1e-6);
}

TEST_CASE("coincident points have the same field") {
  DoubleCloud query = random_cloud(7, 2, 43);
  query.points[12] = query.points[0];
  query.points[13] = query.points[1];
  Evaluator evaluator(support::to_memory(some_clouds(4, 2), 0.1), exact_flow(5));
  const Energetics found = evaluator.at(query);
  CHECK(found.variation[6] == doctest::Approx(found.variation[0]).epsilon(1e-12));
  CHECK(found.gradient[12] == doctest::Approx(found.gradient[0]).epsilon(1e-12));
  CHECK(found.gradient[13] == doctest::Approx(found.gradient[1]).epsilon(1e-12));
}

TEST_CASE("what earlier states have taught changes the work, not the answer") {
  const support::RecallProblem problem(20, 7, 2, 1, 0.4);
  const auto memory = support::to_memory(problem.stored, 0.1);
  for (const double prune : {0.0, 1e-12}) {
    FlowOptions options = exact_flow(20);
    options.prune = prune;
    Evaluator warm(memory, options);
    DoubleCloud state = problem.queries[0];
    for (int moved = 0; moved < 5; ++moved) {
      Evaluator cold(memory, options);
      const Energetics known = warm.at(state);
      const Energetics fresh = cold.at(state);
      CHECK(std::abs(known.energy - fresh.energy) <= 1e-11);
      check_close(known.gradient, fresh.gradient, 1e-9);
      check_close(known.variation, fresh.variation, 1e-9);
      CHECK(known.nearest == fresh.nearest);
      // A long way at first, then short ones.
      const double step = moved == 0 ? 2 : 0.1;
      for (size_t at = 0; at < state.points.size(); ++at) state.points[at] -= step * known.gradient[at];
    }
  }
}

TEST_CASE("clouds are skipped only as far as was allowed") {
  const support::RecallProblem problem(12, 5, 2, 1.5, 0.3);
  constexpr double kBeta = 20;
  for (const double prune : {1e-2, 1e-6}) {
    FlowOptions options = exact_flow(kBeta);
    options.prune = prune;
    uint32_t skipped = 0;
    for (const DoubleCloud& query : problem.queries) {
      Evaluator evaluator(support::to_memory(problem.stored, 0.2), options);
      const Energetics found = evaluator.at(query);
      const reference::Field exact = reference::field(query, problem.stored, {2, 0.5, 0.2}, kBeta);
      double lost = 0;
      for (size_t k = 0; k < problem.stored.size(); ++k) {
        if (!std::isinf(found.divergences[k])) continue;
        lost += exact.gibbs[k];
        ++skipped;
      }
      CHECK(found.evaluated + std::count_if(found.divergences.begin(), found.divergences.end(),
                                            [](double s) { return std::isinf(s); }) ==
            problem.stored.size());
      CHECK(lost <= prune);
      CHECK(found.energy >= exact.energy - 1e-12);
      CHECK(found.energy <= exact.energy + 2 * prune / kBeta);
    }
    CHECK(skipped > 0);
  }
}

TEST_CASE("at the edge of what may be skipped no bound is too high, cold or after a move") {
  // All clouds but one lie a distance away: by the decomposition of means their divergence is larger by half
  // its square, and they are skipped all together or not at all.
  constexpr double kBeta = 20;
  constexpr double kPrune = 1e-6;
  constexpr size_t kFar = 39;
  // Where the query widens towards the width of the stored clouds, their divergences fall as fast as they
  // can.
  const DoubleCloud narrow{{-0.25, 0, 0.25, 0}, {0.5, 0.5}};
  const DoubleCloud wide{{-0.875, 0, 0.875, 0}, {0.5, 0.5}};
  const DoubleCloud near{{-1, 0, 1, 0}, {0.5, 0.5}};
  FlowOptions options = exact_flow(kBeta);
  options.prune = kPrune;
  for (const double epsilon : {0.02, 0.5}) {
    uint32_t skipped = 0;
    for (float distance = 1; distance < 2; distance += 1.0F / 256) {
      std::vector<DoubleCloud> stored(kFar, {{-1, distance, 1, distance}, {0.5, 0.5}});
      stored.push_back(near);
      const double weight = std::exp(-kBeta * 0.5 * distance * distance);
      Evaluator evaluator(support::to_memory(stored, epsilon), options);
      for (const DoubleCloud& query : {narrow, wide}) {
        const uint32_t left_out = kFar + 1 - evaluator.at(query).evaluated;
        CHECK(left_out * weight / (1 + kFar * weight) <= kPrune);
        skipped += left_out;
      }
    }
    CHECK(skipped > 0);
  }
}

TEST_CASE("the slack covers what unsolved problems leave of the energy") {
  const support::RecallProblem problem(6, 12, 2, 1, 0.5);
  for (const uint32_t iterations : {1, 3, 10}) {
    FlowOptions options = exact_flow(5);
    options.solve.max_iterations = iterations;
    Evaluator evaluator(support::to_memory(problem.stored, 0.02), options);
    for (const DoubleCloud& query : problem.queries) {
      const Energetics found = evaluator.at(query);
      const double exact = reference::energy(query, problem.stored, {2, 0.5, 0.02}, 5);
      CHECK_FALSE(found.converged);
      CHECK(std::abs(found.energy - exact) <= found.slack);
    }
  }
}

}  // namespace
}  // namespace engram::transport
