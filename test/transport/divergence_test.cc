#include "transport/divergence.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <future>
#include <vector>

#include "support/clouds.h"
#include "support/float_clouds.h"
#include "support/transport_reference.h"
#include "transport/requests.h"

namespace engram::transport {
namespace {

using support::DoubleCloud;
using support::random_cloud;
using support::rounded;

struct Answer {
  explicit Answer(size_t pairs)
      : values(pairs), bounds(pairs), iterations(pairs), residual(pairs), converged(pairs) {}
  DivergenceOutputs out() {
    return {values.data(), bounds.data(), iterations.data(), residual.data(), converged.data()};
  }
  std::vector<double> values;
  std::vector<double> bounds;
  std::vector<uint32_t> iterations;
  std::vector<float> residual;
  std::vector<uint8_t> converged;
};

SolveOptions tight() {
  SolveOptions options;
  options.tolerance = 1e-12;
  options.max_iterations = 20'000;
  return options;
}

Answer ask(const std::vector<DoubleCloud>& queries, const std::shared_ptr<MeasureMemory>& memory,
           const SolveOptions& options, unsigned threads = 0) {
  Answer answer(queries.size() * memory->clouds().count());
  REQUIRE(divergence_sync(memory, support::to_clouds(queries), options, answer.out(), threads).ok());
  return answer;
}

double between(const DoubleCloud& x, const DoubleCloud& y, double epsilon, double cost_scale = 0.5) {
  return ask({x}, support::to_memory({y}, epsilon, cost_scale), tight()).values[0];
}

TEST_CASE("divergences of clouds of all sizes equal the reference's, within the bounds given") {
  std::vector<DoubleCloud> stored;
  std::vector<DoubleCloud> queries;
  for (const size_t n : {1, 2, 7, 16, 33}) stored.push_back(rounded(random_cloud(n, 3, n)));
  for (const size_t n : {1, 5, 20}) queries.push_back(rounded(random_cloud(n, 3, 50 + n)));
  for (const double epsilon : {2.0, 0.2, 0.05}) {
    const auto memory = support::to_memory(stored, epsilon, 0.75);
    for (const double tolerance : {1e-3, 1e-6, 1e-11}) {
      SolveOptions options = tight();
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

TEST_CASE("a divergence is positive, symmetric, and 0 between a cloud and its permutation") {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const DoubleCloud x = random_cloud(4 + seed, 2, seed);
    const DoubleCloud y = random_cloud(20 - seed, 2, 100 + seed);
    DoubleCloud reversed = x;
    for (size_t i = 0; i < x.weights.size(); ++i) {
      const size_t from = x.weights.size() - 1 - i;
      reversed.weights[i] = x.weights[from];
      reversed.points[2 * i] = x.points[2 * from];
      reversed.points[2 * i + 1] = x.points[2 * from + 1];
    }
    const double there = between(x, y, 0.1);
    CHECK(there > 0);
    CHECK(there == doctest::Approx(between(y, x, 0.1)).epsilon(1e-9));
    CHECK(there == doctest::Approx(between(reversed, y, 0.1)).epsilon(1e-9));
    CHECK(std::abs(between(x, reversed, 0.1)) <= 1e-10);
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
  // In one dimension transport pairs sorted points.
  DoubleCloud x;
  DoubleCloud y;
  double cost = 0;
  double mean = 0;
  for (size_t i = 0; i < 10; ++i) {
    x.points.push_back(static_cast<double>(i));
    y.points.push_back(static_cast<double>(i * i) / 4 + 0.5);
    x.weights.push_back(0.1);
    y.weights.push_back(0.1);
    cost += 0.1 * 0.5 * std::pow(x.points[i] - y.points[i], 2);
    mean += 0.1 * (x.points[i] - y.points[i]);
  }
  CHECK(between(x, y, 1e7) == doctest::Approx(0.5 * mean * mean).epsilon(1e-4));
  CHECK(between(x, y, 1e-3) == doctest::Approx(cost).epsilon(1e-3));
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
