#include "transport/divergence.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <future>
#include <vector>

#include "support/clouds.h"
#include "support/divergences.h"
#include "support/float_clouds.h"
#include "support/transport_cases.h"
#include "support/transport_reference.h"
#include "transport/requests.h"

namespace engram::transport {
namespace {

using support::Answer;
using support::ask;
using support::between;
using support::DoubleCloud;
using support::random_cloud;
using support::rounded;
using support::tight_solve;

TEST_CASE("divergences of clouds of all sizes equal the reference's, within the bounds given") {
  std::vector<DoubleCloud> stored;
  std::vector<DoubleCloud> queries;
  for (const size_t n : {1, 2, 7, 16, 33}) stored.push_back(rounded(random_cloud(n, 3, n)));
  for (const size_t n : {1, 5, 20}) queries.push_back(rounded(random_cloud(n, 3, 50 + n)));
  for (const double epsilon : {2.0, 0.2, 0.05}) {
    const auto memory = support::to_memory(stored, epsilon, 0.75);
    for (const double tolerance : {1e-3, 1e-6, 1e-11}) {
      SolveOptions options = tight_solve();
      options.tolerance = tolerance;
      const Answer answer = ask(queries, memory, options);
      for (size_t q = 0; q < queries.size(); ++q) {
        for (size_t k = 0; k < stored.size(); ++k) {
          const size_t at = q * stored.size() + k;
          const double exact = reference::divergence(queries[q], stored[k], {3, 0.75, epsilon});
          CHECK(answer.converged[at] == 1);
          CHECK(static_cast<double>(answer.residual[at]) <= tolerance * 1.0001);
          CHECK(std::abs(answer.values[at] - exact) <= answer.bounds[at] + 1e-10);
          CHECK(answer.bounds[at] <= 20 * tolerance + 1e-12);
        }
      }
    }
  }
}

TEST_CASE("R1: the published divergences, but for the rounding of the points") {
  for (const support::TransportCase& published : support::kR1) {
    CHECK(std::abs(between(support::r1_x(), support::r1_y(), published.epsilon) - published.divergence) <=
          2e-7);
  }
}

TEST_CASE("solvers and precisions agree over six decades of epsilon, within their bounds") {
  const std::vector<DoubleCloud> stored{rounded(random_cloud(40, 3, 14)), rounded(random_cloud(90, 3, 15))};
  const std::vector<DoubleCloud> queries{rounded(random_cloud(64, 3, 16))};
  for (const double epsilon : {1e3, 1e2, 10.0, 1.0, 0.1, 0.01, 1e-3}) {
    const auto memory = support::to_memory(stored, epsilon);
    SolveOptions options = tight_solve();
    options.tolerance = 1e-9;
    const Answer expected = ask(queries, memory, options);
    for (const Solver solver : {Solver::kKernel, Solver::kLog, Solver::kNewton}) {
      for (const Precision precision : {Precision::kFloat32, Precision::kFloat64}) {
        options.solver = solver;
        options.precision = precision;
        options.max_iterations = solver == Solver::kNewton ? 500 : 2000;
        const Answer answer = ask(queries, memory, options);
        for (size_t k = 0; k < 2; ++k) {
          CAPTURE(epsilon);
          CAPTURE(static_cast<int>(solver));
          CHECK(expected.converged[k] == 1);
          CHECK(std::abs(answer.values[k] - expected.values[k]) <=
                answer.bounds[k] + expected.bounds[k] + 1e-11);
          CHECK((answer.converged[k] == 1) == (answer.residual[k] <= 1e-9F));
          if (answer.converged[k] == 1) CHECK(std::abs(answer.values[k] - expected.values[k]) <= 1e-7);
        }
      }
    }
  }
}

TEST_CASE("the bound holds and the residual is true wherever a solver had to stop") {
  const DoubleCloud x = rounded(random_cloud(25, 2, 17));
  const DoubleCloud y = rounded(random_cloud(30, 2, 18));
  const double exact = reference::divergence(x, y, {2, 0.5, 0.05});
  for (const uint32_t iterations : {1, 2, 3, 5, 8, 13, 40}) {
    for (const Solver solver : {Solver::kAuto, Solver::kKernel, Solver::kLog, Solver::kNewton}) {
      SolveOptions options;
      options.tolerance = 1e-12;
      options.max_iterations = iterations;
      options.solver = solver;
      const Answer answer = ask({x}, support::to_memory({y}, 0.05), options);
      CAPTURE(iterations);
      CHECK(answer.iterations[0] <= iterations);
      CHECK(std::abs(answer.values[0] - exact) <= answer.bounds[0] + 1e-12);
      CHECK((answer.converged[0] == 1) == (answer.residual[0] <= 1e-12F));
    }
  }
}

TEST_CASE("a divergence has converged only when the query's own problem has too") {
  // The cross problem to a Dirac is solved by one iteration, the query's own problem is not.
  const DoubleCloud x = rounded(random_cloud(25, 2, 19));
  SolveOptions options;
  options.tolerance = 1e-9;
  options.max_iterations = 1;
  const Answer answer = ask({x}, support::to_memory({{{0, 0}, {1}}}, 0.1), options);
  const double exact = reference::divergence(x, {{0, 0}, {1}}, {2, 0.5, 0.1});
  CHECK(std::abs(answer.values[0] - exact) <= answer.bounds[0] + 1e-12);
  CHECK(answer.converged[0] == 0);
  CHECK(answer.residual[0] > 1e-9F);
}

TEST_CASE("the answer's bits do not depend on the number of threads") {
  std::vector<DoubleCloud> stored;
  for (uint64_t k = 0; k < 60; ++k) stored.push_back(random_cloud(1 + k % 23, 3, k));
  const std::vector<DoubleCloud> queries{random_cloud(17, 3, 900), random_cloud(5, 3, 901)};
  const auto memory = support::to_memory(stored, 0.1);
  const Answer one = ask(queries, memory, SolveOptions(), 1);
  for (unsigned threads = 2; threads <= 4; ++threads) {
    const Answer many = ask(queries, support::to_memory(stored, 0.1), SolveOptions(), threads);
    CHECK(std::memcmp(one.values.data(), many.values.data(), one.values.size() * sizeof(double)) == 0);
    CHECK(one.iterations == many.iterations);
  }
}

TEST_CASE("what does not converge says so, and fails where that is asked for") {
  const auto memory = support::to_memory({random_cloud(20, 2, 1)}, 0.001);
  SolveOptions options;
  options.max_iterations = 3;
  const Answer answer = ask({random_cloud(20, 2, 2)}, memory, options);
  CHECK(answer.converged[0] == 0);
  CHECK(answer.residual[0] > options.tolerance);
  CHECK(answer.iterations[0] == 3);
  options.strict = true;
  const Status status = divergence_sync(memory, support::to_clouds({random_cloud(20, 2, 2)}), options, {});
  CHECK(status.code() == StatusCode::kNotConverged);
  CHECK(status.message().find("query 0 and cloud 0") != std::string::npos);
}

TEST_CASE("an epsilon that Float64 cannot hold is refused, with what would be valid") {
  const auto memory = support::to_memory({random_cloud(5, 2, 1)}, 1e-11);
  double value = 0;
  DivergenceOutputs out;
  out.values = &value;
  const Status status = divergence_sync(memory, support::to_clouds({random_cloud(5, 2, 2)}), {}, out);
  CHECK(status.code() == StatusCode::kRange);
  CHECK(status.message().find("at least") != std::string::npos);
}

TEST_CASE("outputs that are not wanted need not be there") {
  const auto memory = support::to_memory({random_cloud(5, 2, 1)}, 0.1);
  CHECK(divergence_sync(memory, support::to_clouds({random_cloud(5, 2, 2)}), {}, {}).ok());
}

TEST_CASE("queries of another dim are refused") {
  const auto memory = support::to_memory({random_cloud(5, 2, 1)}, 0.1);
  const Status status = divergence_sync(memory, support::to_clouds({random_cloud(5, 3, 2)}), {}, {});
  CHECK(status.code() == StatusCode::kShape);
}

TEST_CASE("an asynchronous request reports progress and ends once; a cancelled one ends soon") {
  std::vector<DoubleCloud> stored;
  for (uint64_t k = 0; k < 200; ++k) stored.push_back(random_cloud(100, 3, k));
  const auto memory = support::to_memory(stored, 0.01);
  const QueryClouds queries = support::to_clouds({random_cloud(100, 3, 900), random_cloud(100, 3, 901)});
  std::vector<double> values(400);
  DivergenceOutputs out;
  out.values = values.data();
  std::atomic<uint64_t> last{0};
  runtime::CallOptions call;
  call.on_progress = [&](uint64_t done, uint64_t total) {
    CHECK(done <= total);
    CHECK(total == 200 + 2 + 400);
    last = done;
  };
  std::promise<Status> ended;
  auto ticket =
      divergence(memory, queries, {}, out, call, [&](const Status& status) { ended.set_value(status); });
  REQUIRE(ticket.ok());
  CHECK(ended.get_future().get().ok());
  CHECK(last == 602);

  std::promise<Status> aborted;
  SolveOptions endless;
  endless.tolerance = 0;
  endless.max_iterations = 100'000'000;
  auto doomed =
      divergence(memory, queries, endless, out, {}, [&](const Status& status) { aborted.set_value(status); });
  REQUIRE(doomed.ok());
  doomed.value()->cancel();
  CHECK(aborted.get_future().get().code() == StatusCode::kAborted);
}

}  // namespace
}  // namespace engram::transport
