// Retrieval as a request: many queries, threads, what is skipped, progress, cancellation, failures.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <limits>
#include <memory>
#include <vector>

#include "support/clouds.h"
#include "support/float_clouds.h"
#include "support/flows.h"
#include "transport/requests.h"

namespace engram::transport {
namespace {

using support::DoubleCloud;
using support::random_cloud;
using support::recall;
using support::RecallProblem;
using support::traced_flow;

TEST_CASE("the answer's bits depend neither on threads nor on other queries") {
  const RecallProblem problem(30, 9, 3, 1, 0.3);
  const auto memory = support::to_memory(problem.stored, 0.1);
  const RetrievalOutputs one = recall(problem.queries, memory, traced_flow(50), 1);
  for (unsigned threads = 2; threads <= 4; ++threads) {
    const RetrievalOutputs many =
        recall(problem.queries, support::to_memory(problem.stored, 0.1), traced_flow(50), threads);
    CHECK(one.points == many.points);
    CHECK(one.weights == many.weights);
    CHECK(one.energy == many.energy);
    CHECK(one.gibbs == many.gibbs);
    CHECK(one.steps == many.steps);
    CHECK(one.pairs_evaluated == many.pairs_evaluated);
    CHECK(one.iterations == many.iterations);
  }
  for (size_t q = 0; q < problem.queries.size(); ++q) {
    const RetrievalOutputs alone = recall({problem.queries[q]}, memory, traced_flow(50));
    CHECK(std::equal(alone.points.begin(), alone.points.end(), one.points.begin() + one.offsets[q] * 3));
    CHECK(alone.energy[0] == one.energy[q]);
    CHECK(alone.traces[0].energy == one.traces[q].energy);
  }
}

TEST_CASE("skipping far clouds changes nothing but the work") {
  for (const double apart : {0.0, 3.0}) {
    const RecallProblem problem(40, 10, 4, apart, 0.2);
    const auto memory = support::to_memory(problem.stored, 0.2);
    FlowOptions options = traced_flow(200);
    options.prune = 0;
    const RetrievalOutputs all = recall(problem.queries, memory, options);
    options.prune = 1e-12;
    const RetrievalOutputs few = recall(problem.queries, memory, options);
    CHECK(all.pairs_pruned == 0);
    CHECK(few.pairs_pruned > few.pairs_evaluated);
    CHECK(few.pairs_evaluated + few.pairs_pruned == all.pairs_evaluated);
    CHECK(few.index == all.index);
    CHECK(few.steps == all.steps);
    for (size_t at = 0; at < all.points.size(); ++at) {
      CHECK(std::abs(all.points[at] - few.points[at]) <= 1e-5);
    }
    for (size_t at = 0; at < all.gibbs.size(); ++at) CHECK(std::abs(all.gibbs[at] - few.gibbs[at]) <= 1e-9);
  }
}

TEST_CASE("solvers and precisions lead to the same clouds") {
  const RecallProblem problem(6, 9, 2, 1, 0.3);
  const auto memory = support::to_memory(problem.stored, 0.05);
  FlowOptions options = traced_flow(20);
  options.steps = 6;
  options.solve.tolerance = 1e-9;
  options.solve.max_iterations = 100'000;
  const RetrievalOutputs expected = recall(problem.queries, memory, options);
  for (const Solver solver : {Solver::kKernel, Solver::kLog, Solver::kNewton}) {
    for (const Precision precision : {Precision::kFloat32, Precision::kFloat64}) {
      options.solve.solver = solver;
      options.solve.precision = precision;
      const RetrievalOutputs out = recall(problem.queries, memory, options);
      CHECK(out.index == expected.index);
      CHECK(out.steps == expected.steps);
      for (size_t at = 0; at < out.points.size(); ++at) {
        CHECK(std::abs(out.points[at] - expected.points[at]) <= 1e-5);
      }
    }
  }
}

TEST_CASE("cues of very different sizes are answered side by side, in their order") {
  const RecallProblem problem(4, 6, 2, 40, 0.1);
  std::vector<DoubleCloud> cues;
  for (const size_t n : {1, 250, 2, 60}) {
    DoubleCloud cue = random_cloud(n, 2, n);
    for (size_t at = 0; at < cue.points.size(); ++at) {
      cue.points[at] = 0.2 * cue.points[at] + problem.stored[cues.size()].points[at % 2];
    }
    cues.push_back(cue);
  }
  const RetrievalOutputs out = recall(cues, support::to_memory(problem.stored, 0.2), traced_flow(20));
  CHECK(out.offsets == std::vector<uint32_t>{0, 1, 251, 253, 313});
  CHECK(out.index == std::vector<uint32_t>{0, 1, 2, 3});
  CHECK(out.traces[1].points.size() == (out.steps[1] + 1) * 250 * 2);
  CHECK(out.traces[3].weights.size() == (out.steps[3] + 1) * 60);
}

TEST_CASE("flows whose problems do not converge say so, and fail where that is asked for") {
  FlowOptions options = traced_flow(10);
  options.steps = 2;
  options.solve.max_iterations = 2;
  const RecallProblem problem(3, 10, 2, 1, 0.3);
  const auto memory = support::to_memory(problem.stored, 0.01);
  const RetrievalOutputs out = recall(problem.queries, memory, options);
  CHECK(std::count(out.converged.begin(), out.converged.end(), 0) == 3);
  options.solve.strict = true;
  RetrievalOutputs none;
  const Status status = retrieve_sync(memory, support::to_clouds(problem.queries), options, none);
  CHECK(status.code() == StatusCode::kNotConverged);
  CHECK(status.message().find("query") != std::string::npos);
}

TEST_CASE("a flow that may not end by itself takes the steps it was given") {
  const RecallProblem problem(3, 6, 2, 1, 0.3);
  FlowOptions options = support::exact_flow(10, 0.3, 0.3);
  options.steps = 7;
  const RetrievalOutputs out = recall(problem.queries, support::to_memory(problem.stored, 0.1), options);
  CHECK(out.steps == std::vector<uint32_t>{7, 7, 7});
  CHECK(out.converged == std::vector<uint8_t>{0, 0, 0});
  for (const FlowTrace& trace : out.traces) {
    CHECK(trace.step_points == std::vector<double>{0, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3});
  }
}

TEST_CASE("steps that lead out of Float64 are refused, not answered with noise") {
  const RecallProblem problem(3, 6, 2, 1, 0.3);
  RetrievalOutputs out;
  const Status status =
      retrieve_sync(support::to_memory(problem.stored, 0.1), support::to_clouds(problem.queries),
                    support::exact_flow(10, 1e200, 1), out);
  CHECK(status.code() == StatusCode::kRange);
}

TEST_CASE("queries of another dim are refused") {
  RetrievalOutputs out;
  const Status status = retrieve_sync(support::to_memory({random_cloud(5, 2, 1)}, 0.1),
                                      support::to_clouds({random_cloud(5, 3, 2)}), {}, out);
  CHECK(status.code() == StatusCode::kShape);
}

TEST_CASE("a request reports progress up to the end; a cancelled one ends soon") {
  const RecallProblem problem(20, 30, 3, 1, 0.3);
  const auto memory = support::to_memory(problem.stored, 0.05);
  const QueryClouds cues = support::to_clouds(problem.queries);
  uint64_t last = 0;
  uint64_t most = 0;
  runtime::CallOptions call;
  call.on_progress = [&](uint64_t done, uint64_t total) {
    CHECK(done >= last);
    CHECK(done <= total);
    last = done;
    most = total;
  };
  std::promise<Status> ended;
  const auto out = std::make_shared<RetrievalOutputs>();
  auto ticket = retrieve(memory, cues, traced_flow(10), out, call,
                         [&](const Status& status) { ended.set_value(status); });
  REQUIRE(ticket.ok());
  CHECK(ended.get_future().get().ok());
  CHECK(last == most);
  CHECK(most > 0);
  CHECK(out->index.size() == problem.queries.size());

  FlowOptions endless = support::exact_flow(10, 0.01, 0.01);
  endless.steps = std::numeric_limits<uint32_t>::max();
  endless.trace = false;
  std::promise<Status> aborted;
  auto doomed = retrieve(memory, cues, endless, std::make_shared<RetrievalOutputs>(), {},
                         [&](const Status& status) { aborted.set_value(status); });
  REQUIRE(doomed.ok());
  doomed.value()->cancel();
  CHECK(aborted.get_future().get().code() == StatusCode::kAborted);
}

}  // namespace
}  // namespace engram::transport
