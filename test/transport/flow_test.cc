// R3 and R4 are the published reference cases of the flow: a memory of three clouds and a perturbed one.
#include "transport/flow.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "support/clouds.h"
#include "support/float_clouds.h"
#include "support/flows.h"
#include "support/transport_cases.h"
#include "support/transport_reference.h"

namespace engram::transport {
namespace {

using support::DoubleCloud;
using support::exact_flow;
using support::random_cloud;
using support::recall;
using support::RecallProblem;
using support::reversed;
using support::rounded;
using support::traced_flow;

// Float32 rounding of the points changes the published numbers by this much.
constexpr double kInputRounding = 2e-7;

double total(const std::vector<float>& weights) {
  return std::accumulate(weights.begin(), weights.end(), 0.0);
}

// Every number within `allowed` of the reference's.
void check_cloud(const RetrievalOutputs& out, const DoubleCloud& expected, double allowed) {
  REQUIRE(out.points.size() == expected.points.size());
  for (size_t at = 0; at < expected.points.size(); ++at) {
    CHECK(std::abs(out.points[at] - expected.points[at]) <= allowed);
  }
  for (size_t i = 0; i < expected.weights.size(); ++i) {
    CHECK(std::abs(out.weights[i] - expected.weights[i]) <= allowed);
  }
}

TEST_CASE("R3: one fixed step of the reference case") {
  FlowOptions options = exact_flow(support::kR2Beta, support::r3::kStep, support::r3::kStep);
  options.steps = 1;
  const RetrievalOutputs out =
      recall({support::r2_query()}, support::to_memory(support::r2_memory(), support::kR2Epsilon), options);
  check_cloud(out, {support::r3::kPoints, support::r3::kWeights}, 1e-6);
  CHECK(std::abs(out.energy[0] - support::r3::kEnergy) <= kInputRounding);
}

TEST_CASE("R4: sixty fixed steps of the reference case") {
  FlowOptions options = exact_flow(support::kR2Beta, support::r4::kStepPoints, support::r4::kStepWeights);
  options.steps = 60;
  const RetrievalOutputs out =
      recall({support::r2_query()}, support::to_memory(support::r2_memory(), support::kR2Epsilon), options);
  const std::vector<double>& energy = out.traces[0].energy;
  REQUIRE(energy.size() == 61);
  for (const support::r4::Energy& published : support::r4::kEnergies) {
    CHECK(std::abs(energy[published.after] - published.energy) <= kInputRounding);
  }
  CHECK(out.steps[0] == 60);
  CHECK(out.index[0] == 1);
  CHECK(std::abs(out.divergence[0] - support::r4::kDivergences[1]) <= kInputRounding);
  for (size_t k = 0; k < 3; ++k) CHECK(std::abs(out.gibbs[k] - support::r4::kGibbs[k]) <= 1e-5);
}

TEST_CASE("fixed steps are those of the reference, with priors, in any dimension") {
  for (const size_t dim : {1, 2, 5}) {
    std::vector<DoubleCloud> stored;
    for (uint64_t k = 0; k < 4; ++k) stored.push_back(rounded(random_cloud(2 + 2 * k, dim, k)));
    const DoubleCloud cue = rounded(random_cloud(5, dim, 50 + dim));
    const Geometry geometry{dim, 0.75, 0.3};
    const std::vector<double> log_prior{0, -2, 1, 0.5};
    DoubleCloud state = cue;
    for (uint32_t steps = 1; steps <= 3; ++steps) {
      const reference::Field field = reference::field(state, stored, geometry, 3, log_prior);
      state = reference::step(state, field, 0.4, 0.8);
      FlowOptions options = exact_flow(3, 0.4, 0.8);
      options.steps = steps;
      const auto memory = support::to_memory(stored, 0.3, 0.75, {0, -2, 1, 0.5F});
      const RetrievalOutputs out = recall({cue}, memory, options);
      check_cloud(out, state, 1e-6);
      CHECK(out.traces[0].gradient[steps - 1] ==
            doctest::Approx(std::sqrt(field.gradient_points + field.gradient_weights)).epsilon(1e-6));
    }
  }
}

TEST_CASE("flows bring perturbed clouds back; the energy never rises and mass is kept") {
  for (const double epsilon : {0.5, 0.1, 0.02}) {
    const RecallProblem problem(12, 8, 3, 2, 0.3);
    for (const StepRule rule : {StepRule::kBacktracking, StepRule::kBound}) {
      FlowOptions options = traced_flow(30);
      options.step_rule = rule;
      const RetrievalOutputs out =
          recall(problem.queries, support::to_memory(problem.stored, epsilon), options);
      for (uint32_t q = 0; q < 6; ++q) {
        CHECK(out.index[q] == q);
        const FlowTrace& trace = out.traces[q];
        REQUIRE(trace.energy.size() == out.steps[q] + 1);
        for (size_t t = 1; t < trace.energy.size(); ++t) CHECK(trace.energy[t] <= trace.energy[t - 1]);
        CHECK(trace.energy.back() < trace.energy.front());
        CHECK(out.energy[q] == trace.energy.back());
        const auto first = out.weights.begin() + out.offsets[q];
        CHECK(std::accumulate(first, out.weights.begin() + out.offsets[q + 1], 0.0) ==
              doctest::Approx(1).epsilon(1e-6));
        const auto gibbs = out.gibbs.begin() + q * 12;
        CHECK(std::accumulate(gibbs, gibbs + 12, 0.0) == doctest::Approx(1).epsilon(1e-9));
      }
    }
  }
}

TEST_CASE("the reported energies fall in the reference's eyes too, from any cue") {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    std::vector<DoubleCloud> stored;
    for (uint64_t k = 0; k < 5; ++k) stored.push_back(rounded(random_cloud(3 + k, 2, 10 * seed + k)));
    const DoubleCloud cue = rounded(random_cloud(1 + seed, 2, 700 + seed));
    FlowOptions options = traced_flow(seed % 2 == 0 ? 2 : 200);
    options.steps = 10;
    const double epsilon = seed % 3 == 0 ? 1 : 0.05;
    const RetrievalOutputs out = recall({cue}, support::to_memory(stored, epsilon), options);
    const FlowTrace& trace = out.traces[0];
    const size_t n = cue.weights.size();
    double before = reference::energy(cue, stored, {2, 0.5, epsilon}, options.beta);
    CHECK(trace.energy[0] == doctest::Approx(before).epsilon(1e-5));
    for (size_t t = 1; t < trace.energy.size(); ++t) {
      const auto points = trace.points.begin() + static_cast<ptrdiff_t>(t * n * 2);
      const auto weights = trace.weights.begin() + static_cast<ptrdiff_t>(t * n);
      const DoubleCloud state = support::normalised(
          {{points, points + static_cast<ptrdiff_t>(n * 2)}, {weights, weights + static_cast<ptrdiff_t>(n)}});
      const double exact = reference::energy(state, stored, {2, 0.5, epsilon}, options.beta);
      // Tolerance of the problems, and the state's rounding to Float32.
      CHECK(std::abs(trace.energy[t] - exact) <= 1e-5);
      CHECK(exact <= before + 1e-5);
      before = exact;
    }
  }
}

TEST_CASE("points without mass stay without, and move with the others") {
  const RecallProblem problem(5, 8, 2, 2, 0.2);
  DoubleCloud cue = problem.queries[1];
  cue.weights[3] = 0;
  const RetrievalOutputs out = recall({cue}, support::to_memory(problem.stored, 0.1), traced_flow(30));
  CHECK(out.weights[3] == 0);
  CHECK(std::isfinite(out.points[6]));
  CHECK(out.index[0] == 1);
}

TEST_CASE("a point without mass has no say, however far away it is") {
  const auto memory = support::to_memory({rounded(random_cloud(12, 2, 1))}, 0.1);
  DoubleCloud cue = rounded(random_cloud(4, 2, 2));
  for (double& x : cue.points) x *= 0.25;
  FlowOptions options = traced_flow(30);
  options.steps = 3;
  const RetrievalOutputs without = recall({cue}, memory, options);
  // The stored cloud reaches further out than the cue: V falls without bound the further out a point is.
  DoubleCloud more = cue;
  more.points.insert(more.points.end(), {6000, 6000});
  more.weights.push_back(0);
  const RetrievalOutputs with = recall({more}, memory, options);
  CHECK(with.weights.back() == 0);
  CHECK(std::isfinite(with.points.back()));
  REQUIRE(with.weights.size() == without.weights.size() + 1);
  for (size_t i = 0; i < without.weights.size(); ++i) {
    CHECK(std::abs(with.weights[i] - without.weights[i]) <= 1e-6);
    CHECK(std::abs(with.points[2 * i] - without.points[2 * i]) <= 1e-5);
  }
}

TEST_CASE("a permuted cue is recalled as the permuted answer") {
  const RecallProblem problem(5, 6, 2, 1, 0.2);
  FlowOptions options = traced_flow(30);
  options.steps = 5;
  options.solve.tolerance = 1e-10;
  const DoubleCloud& cue = problem.queries[0];
  const auto memory = support::to_memory(problem.stored, 0.1);
  const RetrievalOutputs there = recall({cue}, memory, options);
  const RetrievalOutputs back = recall({reversed(cue)}, memory, options);
  check_cloud(
      back,
      reversed({{there.points.begin(), there.points.end()}, {there.weights.begin(), there.weights.end()}}),
      1e-5);
}

TEST_CASE("a moved problem has the moved answer") {
  const RecallProblem problem(4, 7, 2, 1, 0.3);
  const auto moved = [](DoubleCloud cloud) {
    for (double& x : cloud.points) x += 64;  // costs some bits of Float32
    return cloud;
  };
  std::vector<DoubleCloud> stored;
  for (const DoubleCloud& cloud : problem.stored) stored.push_back(moved(cloud));
  FlowOptions options = traced_flow(10);
  options.steps = 4;
  options.solve.tolerance = 1e-10;
  const RetrievalOutputs here =
      recall({problem.queries[2]}, support::to_memory(problem.stored, 0.2), options);
  const RetrievalOutputs there =
      recall({moved(problem.queries[2])}, support::to_memory(stored, 0.2), options);
  check_cloud(there,
              moved({{here.points.begin(), here.points.end()}, {here.weights.begin(), here.weights.end()}}),
              1e-4);
}

TEST_CASE("a single point goes to the Gibbs mean of the stored means") {
  const std::vector<DoubleCloud> stored{rounded(random_cloud(9, 2, 1))};
  const DoubleCloud cue{{4, -7}, {1}};
  FlowOptions options = traced_flow(3);
  options.tolerance = 1e-6;
  const RetrievalOutputs out = recall({cue}, support::to_memory(stored, 0.1), options);
  // S of a Dirac to a cloud is kappa |x - m|^2 plus a constant: one step of 1 / (2 kappa) is there.
  for (size_t d = 0; d < 2; ++d) {
    double mean = 0;
    for (size_t i = 0; i < 9; ++i) mean += stored[0].weights[i] * stored[0].points[2 * i + d];
    CHECK(std::abs(out.points[d] - mean) <= 1e-5);
  }
  CHECK(out.weights[0] == 1);
  CHECK(out.steps[0] <= 2);
  CHECK(out.converged[0] == 1);
}

TEST_CASE("cues of coincident, collinear or very many points flow like others") {
  const RecallProblem problem(6, 10, 2, 3, 0.1);
  const auto memory = support::to_memory(problem.stored, 0.1);
  DoubleCloud same;
  DoubleCloud line;
  for (int i = 0; i < 5; ++i) {
    same.points.insert(same.points.end(), {problem.stored[3].points[0], problem.stored[3].points[1]});
    line.points.insert(line.points.end(),
                       {problem.stored[3].points[0] + 0.1 * i, problem.stored[3].points[1]});
    same.weights.push_back(0.2);
    line.weights.push_back(0.2);
  }
  DoubleCloud many = random_cloud(300, 2, 44);
  for (size_t at = 0; at < many.points.size(); ++at) many.points[at] += problem.stored[3].points[at % 2];
  for (const DoubleCloud& cue : {same, line, many}) {
    FlowOptions options = traced_flow(20);
    options.steps = 15;
    const RetrievalOutputs out = recall({cue}, memory, options);
    CHECK(out.index[0] == 3);
    CHECK(total(out.weights) == doctest::Approx(1).epsilon(1e-5));
    const std::vector<double>& energy = out.traces[0].energy;
    CHECK(energy.back() < energy.front());
    CHECK(std::is_sorted(energy.rbegin(), energy.rend()));
  }
  // Coincident points never part.
  const RetrievalOutputs out = recall({same}, memory, traced_flow(20));
  for (size_t i = 1; i < 5; ++i) CHECK(out.points[2 * i] == doctest::Approx(out.points[0]).epsilon(1e-6));
}

TEST_CASE("a stored cloud is recalled as itself without a step") {
  const RecallProblem problem(6, 9, 3, 3, 0.1);
  const RetrievalOutputs out =
      recall({problem.stored[4]}, support::to_memory(problem.stored, 0.1), traced_flow(200));
  CHECK(out.index[0] == 4);
  CHECK(out.steps[0] <= 1);
  CHECK(out.converged[0] == 1);
  CHECK(std::abs(out.divergence[0]) <= 1e-6);
}

TEST_CASE("where the answer is beyond doubt, snapping returns the stored cloud itself") {
  const RecallProblem problem(8, 7, 2, 4, 0.2);
  const auto memory = support::to_memory(problem.stored, 0.1);
  FlowOptions options = traced_flow(500);
  options.snap = true;
  const RetrievalOutputs out = recall({problem.queries[2]}, memory, options);
  const Cloud stored = memory->clouds()[2];
  REQUIRE(out.weights.size() == stored.size);
  CHECK(std::memcmp(out.points.data(), stored.points, out.points.size() * sizeof(float)) == 0);
  CHECK(std::abs(out.divergence[0]) <= 1e-6);
  // Where it is not, the cloud stays as it has flowed.
  options.beta = 0.01;
  const RetrievalOutputs doubtful = recall({problem.queries[2]}, memory, options);
  CHECK(std::memcmp(doubtful.points.data(), stored.points, stored.size * sizeof(float)) != 0);
}

TEST_CASE("with a prior, a path names the cloud of the largest Gibbs weight, the answer the nearest one") {
  const std::vector<DoubleCloud> stored{{{0, 0}, {1}}, {{2, 0}, {1}}};
  FlowOptions options = exact_flow(1, 0.01, 0.01);
  options.steps = 1;
  // S is 0.02 and 1.62 at (0.2, 0): Gibbs weights in proportion to 0.98 and 0.198 e^8.
  const RetrievalOutputs out =
      recall({{{0.2, 0}, {1}}}, support::to_memory(stored, 0.1, 0.5, {0, 8}), options);
  CHECK(out.gibbs[1] > 0.99);
  CHECK(out.index[0] == 0);
  CHECK(out.traces[0].nearest[0] == 1);
}

}  // namespace
}  // namespace engram::transport
