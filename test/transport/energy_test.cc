#include "transport/energy.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/clouds.h"
#include "support/float_clouds.h"
#include "support/transport_cases.h"
#include "support/transport_reference.h"
#include "transport/requests.h"

namespace engram::transport {
namespace {

using support::DoubleCloud;
using support::random_cloud;
using support::rounded;

TEST_CASE("the energy is a soft minimum of the divergences, between min - log M / beta and min") {
  const std::vector<double> divergences{0.5, 0.25, 3};
  for (const double beta : {0.1, 1.0, 50.0, 1e6}) {
    const double energy = energy_of(divergences, {}, beta);
    CHECK(energy <= 0.25);
    CHECK(energy >= 0.25 - std::log(3) / beta);
  }
  CHECK(energy_of(divergences, {}, 2) ==
        doctest::Approx(-0.5 * std::log(std::exp(-1) + std::exp(-0.5) + std::exp(-6))));
  const std::vector<float> prior{std::log(0.5F), std::log(0.25F), std::log(0.25F)};
  CHECK(energy_of(divergences, prior, 2) ==
        doctest::Approx(-0.5 * std::log(0.5 * std::exp(-1) + 0.25 * std::exp(-0.5) + 0.25 * std::exp(-6))));
  const std::vector<double> skipped{0.5, std::numeric_limits<double>::infinity()};
  CHECK(energy_of(skipped, {}, 3) == doctest::Approx(0.5));
}

TEST_CASE("energies of queries equal the reference's, with and without a prior") {
  std::vector<DoubleCloud> stored;
  for (uint64_t k = 0; k < 6; ++k) stored.push_back(rounded(random_cloud(3 + k, 2, k)));
  const std::vector<DoubleCloud> queries{rounded(random_cloud(4, 2, 50)), rounded(random_cloud(9, 2, 51))};
  const std::vector<float> log_prior{0, -1, 0.5F, 0, -2, 0.25F};
  for (const bool prior : {false, true}) {
    const auto memory = support::to_memory(stored, 0.1, 0.5, prior ? log_prior : std::vector<float>());
    for (const double beta : {0.5, 20.0}) {
      double energies[2];
      SolveOptions options;
      options.tolerance = 1e-11;
      REQUIRE(energy_sync(memory, support::to_clouds(queries), beta, options, energies).ok());
      for (size_t q = 0; q < 2; ++q) {
        const std::vector<double> weights(log_prior.begin(), log_prior.end());
        const double exact = reference::energy(queries[q], stored, {2, 0.5, 0.1}, beta,
                                               prior ? weights : std::vector<double>());
        CHECK(energies[q] == doctest::Approx(exact).epsilon(1e-8));
      }
    }
  }
}

TEST_CASE("the energy of the published case, by every solver") {
  const auto memory = support::to_memory(support::r2_memory(), support::kR2Epsilon);
  for (const Solver solver : {Solver::kAuto, Solver::kKernel, Solver::kLog, Solver::kNewton}) {
    SolveOptions options;
    options.tolerance = 1e-10;
    options.solver = solver;
    double found = 0;
    const auto query = support::to_clouds({support::r2_query()});
    REQUIRE(energy_sync(memory, query, support::kR2Beta, options, &found).ok());
    CHECK(std::abs(found - support::r2::kEnergy) <= 2e-7);
  }
}

TEST_CASE("its bits do not depend on threads; it is the divergence where only one cloud is stored") {
  std::vector<DoubleCloud> stored;
  for (uint64_t k = 0; k < 25; ++k) stored.push_back(random_cloud(1 + k % 9, 3, k));
  const auto queries = support::to_clouds({random_cloud(7, 3, 70), random_cloud(2, 3, 71)});
  double expected[2];
  REQUIRE(energy_sync(support::to_memory(stored, 0.1), queries, 5, {}, expected, 1).ok());
  for (unsigned threads = 2; threads <= 4; ++threads) {
    double found[2];
    REQUIRE(energy_sync(support::to_memory(stored, 0.1), queries, 5, {}, found, threads).ok());
    CHECK(found[0] == expected[0]);
    CHECK(found[1] == expected[1]);
  }
  const auto single = support::to_memory({stored[3]}, 0.1);
  double energies[2];
  double divergences[2];
  DivergenceOutputs out;
  out.values = divergences;
  REQUIRE(energy_sync(single, queries, 5, {}, energies).ok());
  REQUIRE(divergence_sync(single, queries, {}, out).ok());
  for (size_t q = 0; q < 2; ++q) CHECK(energies[q] == doctest::Approx(divergences[q]).epsilon(1e-12));
}

TEST_CASE("what an energy cannot be computed of is refused") {
  const auto memory = support::to_memory({random_cloud(9, 2, 1)}, 0.01);
  double energy = 0;
  CHECK(energy_sync(memory, support::to_clouds({random_cloud(5, 3, 2)}), 1, {}, &energy).code() ==
        StatusCode::kShape);
  SolveOptions strict;
  strict.max_iterations = 1;
  strict.strict = true;
  const auto query = support::to_clouds({random_cloud(9, 2, 2)});
  CHECK(energy_sync(memory, query, 1, strict, &energy).code() == StatusCode::kNotConverged);
  CHECK(energy_sync(support::to_memory({random_cloud(9, 2, 1)}, 1e-11), query, 1, {}, &energy).code() ==
        StatusCode::kRange);
}

}  // namespace
}  // namespace engram::transport
