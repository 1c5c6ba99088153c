// R2, R3 and R4 are the published reference cases of the flow: a memory of three clouds and a perturbed one.
#include "transport/flow.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "support/clouds.h"
#include "support/float_clouds.h"
#include "support/transport_reference.h"
#include "transport/requests.h"

namespace engram::transport {
namespace {

using support::DoubleCloud;
using support::random_cloud;
using support::reference_cloud;
using support::rounded;

// Float32 rounding of the points changes the published numbers by this much.
constexpr double kInputRounding = 2e-7;

std::vector<DoubleCloud> reference_memory() {
  return {reference_cloud(4, 2, 0.5), reference_cloud(5, 2, 2.5), reference_cloud(6, 2, 5.5)};
}

DoubleCloud reference_query() {
  DoubleCloud query = reference_cloud(5, 2, 2.5);
  for (size_t i = 0; i < 5; ++i) {
    for (size_t k = 0; k < 2; ++k) {
      query.points[2 * i + k] += 0.2 * std::sin(static_cast<double>(i + 1) + 2 * static_cast<double>(k + 1));
    }
    query.weights[i] = 0.2;
  }
  return query;
}

FlowOptions reference_options() {
  FlowOptions options;
  options.beta = 40;
  options.tolerance = 0;
  options.prune = 0;
  options.trace = true;
  options.solve.tolerance = 1e-13;
  options.solve.max_iterations = 100'000;
  options.step_rule = StepRule::kFixed;
  return options;
}

RetrievalOutputs recall(const std::vector<DoubleCloud>& queries, const std::shared_ptr<MeasureMemory>& memory,
                        const FlowOptions& options, unsigned threads = 0) {
  RetrievalOutputs out;
  const Status status = retrieve_sync(memory, support::to_clouds(queries), options, out, threads);
  CAPTURE(status.message());
  REQUIRE(status.ok());
  return out;
}

// One evaluation, by hand.
Energetics evaluate(const MeasureMemory& memory, const State& state, const FlowOptions& options) {
  Workspace workspace;
  const auto run = [&](const auto& work) {
    for (bool fresh = true, done = false; !done; fresh = false) {
      size_t entries = 1'000'000;
      Result<bool> worked = work(fresh, entries);
      REQUIRE(worked.ok());
      done = worked.value();
    }
  };
  StoredSelfPhase selves(memory);
  for (size_t k = 0; k < selves.items(); ++k) {
    run([&](bool fresh, size_t& entries) { return selves.work(k, workspace, fresh, entries); });
  }
  Evaluation evaluation(memory, options);
  evaluation.begin(state);
  run([&](bool fresh, size_t& entries) { return evaluation.self(workspace, fresh, entries); });
  for (size_t c = 0; evaluation.needs_survey() && c < evaluation.chunks(); ++c) {
    run([&](bool fresh, size_t& entries) { return evaluation.survey(c, workspace, fresh, entries); });
  }
  run([&](bool fresh, size_t& entries) { return evaluation.nearest_first(workspace, fresh, entries); });
  for (size_t c = 0; c < evaluation.chunks(); ++c) {
    run([&](bool, size_t& entries) { return evaluation.others(c, workspace, entries); });
  }
  Energetics found;
  evaluation.end(found);
  return found;
}

TEST_CASE("R2: energy, divergences and gradients of the reference case") {
  const auto memory = support::to_memory(reference_memory(), 0.1);
  const DoubleCloud query = reference_query();
  const Energetics found = evaluate(*memory, {query.points, query.weights}, reference_options());
  CHECK(std::abs(found.energy - 0.053579159662687524) <= kInputRounding);
  const double divergences[] = {0.10871708222760354, 0.0567136213113004, 0.1754267232694961};
  for (size_t k = 0; k < 3; ++k) CHECK(std::abs(found.divergences[k] - divergences[k]) <= kInputRounding);
  const double gradient[] = {-0.0017638807646765953, -0.1868932242100222,  -0.12121095820125194,
                             -0.06694766554972031,   -0.09831310587659031, -0.034522884652068805,
                             -0.029882925237969593,  0.1337182866315964,   0.3769898625260881,
                             0.5763093590306384};
  for (size_t at = 0; at < 10; ++at)
    CHECK(std::abs(found.gradient[at] - gradient[at]) <= 10 * kInputRounding);
  const double variation[] = {-0.06382188103597736, -0.13214905211765185, 0.020466248039804014,
                              -0.0754687222250702, 0.2509734073388953};
  for (size_t i = 0; i < 5; ++i) CHECK(std::abs(found.variation[i] - variation[i]) <= 10 * kInputRounding);
  CHECK(found.gradient_points == doctest::Approx(0.11159819486952124).epsilon(1e-5));
  CHECK(found.gradient_weights == doctest::Approx(0.018127730201794194).epsilon(1e-5));
}

TEST_CASE("R3: one fixed step of the reference case") {
  FlowOptions options = reference_options();
  options.steps = 1;
  options.step_points = 0.5;
  options.step_weights = 0.5;
  const RetrievalOutputs out =
      recall({reference_query()}, support::to_memory(reference_memory(), 0.1), options);
  const double weights[] = {0.20602880742228963, 0.21318910450427453, 0.19752633877401718,
                            0.20723210006154494, 0.17602364923787372};
  const double points[] = {-0.2391731662076033,  0.28617936402415733, 0.6495759506788257,
                           -0.4104708076153028,  -0.3659058601194638, -0.23257158298680497,
                           -0.37213601276821695, 0.6218375674881986,  0.9894232778489686,
                           0.1436750492089791};
  for (size_t i = 0; i < 5; ++i) CHECK(std::abs(out.weights[i] - weights[i]) <= 1e-6);
  for (size_t at = 0; at < 10; ++at) CHECK(std::abs(out.points[at] - points[at]) <= 1e-6);
  CHECK(std::abs(out.energy[0] - 0.012103096992057433) <= kInputRounding);
}

TEST_CASE("R4: sixty fixed steps of the reference case") {
  FlowOptions options = reference_options();
  options.steps = 60;
  options.step_points = 1;
  options.step_weights = 0.3;
  const RetrievalOutputs out =
      recall({reference_query()}, support::to_memory(reference_memory(), 0.1), options);
  const std::vector<double>& energy = out.traces[0].energy;
  REQUIRE(energy.size() == 61);
  CHECK(std::abs(energy[1] - 0.0065797781670) <= kInputRounding);
  CHECK(std::abs(energy[5] - 0.0029827261689) <= kInputRounding);
  CHECK(std::abs(energy[20] - 0.0020730916772) <= kInputRounding);
  CHECK(std::abs(energy[60] - 0.0008203003852) <= kInputRounding);
  CHECK(out.index[0] == 1);
  CHECK(std::abs(out.divergence[0] - 0.00464484241) <= kInputRounding);
  CHECK(std::abs(out.gibbs[0] - 0.14070337738) <= 1e-5);
  CHECK(std::abs(out.gibbs[1] - 0.85814544211) <= 1e-5);
}

TEST_CASE("gradients in points and weights are the finite differences of the reference's energy") {
  std::vector<DoubleCloud> stored;
  for (uint64_t k = 0; k < 4; ++k) stored.push_back(rounded(random_cloud(5 + k, 2, k)));
  const DoubleCloud query = rounded(random_cloud(6, 2, 40));
  for (const double epsilon : {1.0, 0.2}) {
    for (const double beta : {0.7, 5.0}) {
      const Geometry geometry{2, 0.75, epsilon};
      FlowOptions options = reference_options();
      options.beta = beta;
      const auto memory = support::to_memory(stored, epsilon, 0.75);
      const Energetics found = evaluate(*memory, {query.points, query.weights}, options);
      CHECK(found.energy == doctest::Approx(reference::energy(query, stored, geometry, beta)).epsilon(1e-9));
      const double h = 1e-5;
      for (const size_t at : {0, 5, 11}) {
        DoubleCloud plus = query;
        DoubleCloud minus = query;
        plus.points[at] += h;
        minus.points[at] -= h;
        const double slope = (reference::energy(plus, stored, geometry, beta) -
                              reference::energy(minus, stored, geometry, beta)) /
                             (2 * h);
        CHECK(query.weights[at / 2] * found.gradient[at] == doctest::Approx(slope).epsilon(1e-6));
      }
      DoubleCloud plus = query;
      DoubleCloud minus = query;
      plus.weights[0] += h;
      plus.weights[3] -= h;
      minus.weights[0] -= h;
      minus.weights[3] += h;
      const double slope = (reference::energy(plus, stored, geometry, beta) -
                            reference::energy(minus, stored, geometry, beta)) /
                           (2 * h);
      CHECK(found.variation[0] - found.variation[3] == doctest::Approx(slope).epsilon(1e-6));
    }
  }
}

// Clouds around a centre each, and cues that are stored ones with noise in points and weights.
struct Recall {
  Recall(size_t count, size_t n, size_t dim, double apart, double noise) {
    for (uint64_t k = 0; k < count; ++k) {
      DoubleCloud cloud = random_cloud(n + k % 3, dim, k);
      const DoubleCloud centre = random_cloud(1, dim, 5000 + k);
      for (size_t at = 0; at < cloud.points.size(); ++at) cloud.points[at] += apart * centre.points[at % dim];
      stored.push_back(cloud);
    }
    for (uint64_t q = 0; q < std::min<uint64_t>(6, count); ++q) {
      DoubleCloud cue = stored[q];
      const DoubleCloud shake = random_cloud(cue.weights.size(), dim, 9000 + q);
      for (size_t at = 0; at < cue.points.size(); ++at) cue.points[at] += noise * shake.points[at];
      for (size_t i = 0; i < cue.weights.size(); ++i) cue.weights[i] *= std::exp(0.5 * shake.points[i * dim]);
      queries.push_back(support::normalised(cue));
    }
  }
  std::vector<DoubleCloud> stored;
  std::vector<DoubleCloud> queries;
};

FlowOptions usual(double beta) {
  FlowOptions options;
  options.beta = beta;
  options.steps = 40;
  options.trace = true;
  return options;
}

TEST_CASE("flows bring perturbed clouds back; the energy never rises and mass is kept") {
  for (const double epsilon : {0.5, 0.1, 0.02}) {
    const Recall problem(12, 8, 3, 2, 0.3);
    for (const StepRule rule : {StepRule::kBacktracking, StepRule::kBound}) {
      FlowOptions options = usual(30);
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

TEST_CASE("skipping far clouds changes nothing but the work") {
  for (const double apart : {0.0, 3.0}) {
    const Recall problem(40, 10, 4, apart, 0.2);
    const auto memory = support::to_memory(problem.stored, 0.2);
    FlowOptions options = usual(200);
    options.prune = 0;
    const RetrievalOutputs all = recall(problem.queries, memory, options);
    options.prune = 1e-12;
    const RetrievalOutputs few = recall(problem.queries, memory, options);
    CHECK(all.pairs_pruned == 0);
    CHECK(few.pairs_pruned > few.pairs_evaluated);
    CHECK(few.pairs_evaluated + few.pairs_pruned == all.pairs_evaluated);
    CHECK(few.index == all.index);
    CHECK(few.steps == all.steps);
    for (size_t at = 0; at < all.points.size(); ++at)
      CHECK(std::abs(all.points[at] - few.points[at]) <= 1e-5);
    for (size_t at = 0; at < all.gibbs.size(); ++at) CHECK(std::abs(all.gibbs[at] - few.gibbs[at]) <= 1e-9);
  }
}

TEST_CASE("points without mass stay without, and move with the others") {
  const Recall problem(5, 8, 2, 2, 0.2);
  DoubleCloud cue = problem.queries[1];
  cue.weights[3] = 0;
  const RetrievalOutputs out = recall({cue}, support::to_memory(problem.stored, 0.1), usual(30));
  CHECK(out.weights[3] == 0);
  CHECK(std::isfinite(out.points[6]));
  CHECK(out.index[0] == 1);
}

TEST_CASE("a permuted cue is recalled as the permuted answer") {
  const Recall problem(5, 6, 2, 1, 0.2);
  const DoubleCloud cue = rounded(problem.queries[0]);
  DoubleCloud reversed = cue;
  const size_t n = cue.weights.size();
  for (size_t i = 0; i < n; ++i) {
    reversed.weights[i] = cue.weights[n - 1 - i];
    for (size_t d = 0; d < 2; ++d) reversed.points[2 * i + d] = cue.points[2 * (n - 1 - i) + d];
  }
  FlowOptions options = usual(30);
  options.steps = 5;
  options.solve.tolerance = 1e-10;
  const RetrievalOutputs out = recall({cue, reversed}, support::to_memory(problem.stored, 0.1), options);
  for (size_t i = 0; i < n; ++i) {
    CHECK(out.weights[i] == doctest::Approx(out.weights[n + n - 1 - i]).epsilon(1e-5));
    CHECK(out.points[2 * i] == doctest::Approx(out.points[2 * (n + n - 1 - i)]).epsilon(1e-4));
  }
}

TEST_CASE("where the answer is beyond doubt, snapping returns the stored cloud itself") {
  const Recall problem(8, 7, 2, 4, 0.2);
  const auto memory = support::to_memory(problem.stored, 0.1);
  FlowOptions options = usual(500);
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

TEST_CASE("a stored cloud is recalled as itself without a step") {
  const Recall problem(6, 9, 3, 3, 0.1);
  const RetrievalOutputs out =
      recall({problem.stored[4]}, support::to_memory(problem.stored, 0.1), usual(200));
  CHECK(out.index[0] == 4);
  CHECK(out.steps[0] <= 1);
  CHECK(out.converged[0] == 1);
  CHECK(std::abs(out.divergence[0]) <= 1e-6);
}

TEST_CASE("the answer's bits depend neither on threads nor on other queries") {
  const Recall problem(30, 9, 3, 1, 0.3);
  const auto memory = support::to_memory(problem.stored, 0.1);
  const RetrievalOutputs one = recall(problem.queries, memory, usual(50), 1);
  for (unsigned threads = 2; threads <= 4; ++threads) {
    const RetrievalOutputs many = recall(problem.queries, memory, usual(50), threads);
    CHECK(one.points == many.points);
    CHECK(one.gibbs == many.gibbs);
    CHECK(one.iterations == many.iterations);
  }
  const RetrievalOutputs alone = recall({problem.queries[0]}, memory, usual(50));
  CHECK(std::equal(alone.points.begin(), alone.points.end(), one.points.begin()));
}

TEST_CASE("strict flows fail where a problem does not converge") {
  FlowOptions options = usual(10);
  options.solve.max_iterations = 2;
  options.solve.strict = true;
  RetrievalOutputs out;
  const Recall problem(3, 10, 2, 1, 0.3);
  const Status status = retrieve_sync(support::to_memory(problem.stored, 0.01),
                                      support::to_clouds(problem.queries), options, out);
  CHECK(status.code() == StatusCode::kNotConverged);
}

}  // namespace
}  // namespace engram::transport
