#include "transport/measures.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/clouds.h"
#include "support/float_clouds.h"
#include "transport/requests.h"
#include "transport/self_terms.h"

namespace engram::transport {
namespace {

StatusCode refusal(const MeasureOptions& options, std::vector<float> log_prior = {}) {
  const auto clouds = support::to_clouds({support::random_cloud(3, 2, 1), support::random_cloud(4, 2, 2)});
  return MeasureMemory::create(clouds, options, std::move(log_prior)).status().code();
}

TEST_CASE("parameters that mean nothing are refused") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double bad : {0.0, -1.0, kNan, kInfinity}) {
    CHECK(refusal({bad, false, 0.5}) == StatusCode::kRange);
    CHECK(refusal({0.1, false, bad}) == StatusCode::kRange);
  }
  CHECK(refusal({0.1, false, 0.5}, {0}) == StatusCode::kShape);
  CHECK(refusal({0.1, false, 0.5}, {0, std::numeric_limits<float>::infinity()}) == StatusCode::kNonFinite);
  CHECK(refusal({0.1, false, 0.5}, {0, -1}) == StatusCode::kOk);
}

TEST_CASE("a relative epsilon is a share of the mean cost, and needs one") {
  // Two Diracs at distance 2: two draws are the same point or the two in turn, mean cost (0 + 4 + 4 + 0) / 4
  // * 0.5.
  const auto apart = support::to_clouds({{{0, 0}, {1}}, {{2, 0}, {1}}});
  CHECK(MeasureMemory::create(apart, {0.1, true, 0.5}).value()->epsilon() == doctest::Approx(0.1));
  CHECK(MeasureMemory::create(apart, {0.1, true, 2}).value()->epsilon() == doctest::Approx(0.4));
  const auto same = support::to_clouds({{{1, 1}, {1}}, {{1, 1}, {1}}});
  CHECK(MeasureMemory::create(same, {0.1, true, 0.5}).status().code() == StatusCode::kRange);
  CHECK(MeasureMemory::create(same, {0.1, false, 0.5}).ok());
}

TEST_CASE("self terms are solved by the first request, and kept") {
  const auto memory =
      support::to_memory({support::random_cloud(8, 2, 1), support::random_cloud(9, 2, 2)}, 0.1);
  CHECK_FALSE(memory->self_terms().all_ready());
  double values[2];
  DivergenceOutputs out;
  out.values = values;
  const auto query = support::to_clouds({support::random_cloud(5, 2, 3)});
  REQUIRE(divergence_sync(memory, query, {}, out).ok());
  CHECK(memory->self_terms().all_ready());
  CHECK(memory->self_terms().solution(1).residual <= SelfTerms::kTolerance);
  const double first[2] = {values[0], values[1]};
  REQUIRE(divergence_sync(memory, query, {}, out).ok());
  CHECK(values[0] == first[0]);
  CHECK(values[1] == first[1]);
}

TEST_CASE("means and radii are those of the points with mass") {
  support::DoubleCloud cloud{{0, 0, 4, 0, 100, 100}, {0.5, 0.5, 0}};
  const auto memory = support::to_memory({cloud}, 0.1);
  CHECK(memory->self_terms().mean(0)[0] == 2);
  CHECK(memory->self_terms().mean(0)[1] == 0);
  CHECK(memory->self_terms().radius(0) == 2);
}

}  // namespace
}  // namespace engram::transport
