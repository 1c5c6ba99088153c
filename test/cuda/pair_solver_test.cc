// Transport between small clouds on the simulated device, through the engine's interface, against float64.
#include "engine/pair_solver.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "faults.h"
#include "on_device.h"
#include "support/clouds.h"
#include "support/transport_reference.h"

namespace engram::engine {
namespace {

using testing::OnDevice;

using reference::Geometry;
using support::DoubleCloud;
using support::random_cloud;

const Backend& device() { return OnDevice::device(); }

// Clouds side by side: points in Float64, or, as a memory has them, in Float32.
template <typename Number>
struct Set {
  std::vector<Number> points;
  std::vector<double> weights;
  std::vector<uint32_t> offsets{0};
  std::vector<DoubleCloud> clouds;  // what the reference sees
  size_t dim;

  explicit Set(size_t dim_) : dim(dim_) {}
  void add(DoubleCloud cloud) {
    for (double& x : cloud.points) x = static_cast<double>(static_cast<Number>(x));
    for (const double x : cloud.points) points.push_back(static_cast<Number>(x));
    weights.insert(weights.end(), cloud.weights.begin(), cloud.weights.end());
    offsets.push_back(static_cast<uint32_t>(weights.size()));
    clouds.push_back(std::move(cloud));
  }
};
using Queries = Set<double>;
using Stored = Set<float>;

CloudSet view(const Stored& stored) { return {stored.points, stored.weights, stored.offsets, stored.dim}; }

struct Answer {
  std::vector<PairSolution> solutions;
  std::vector<double> potentials;
  std::vector<double> transforms;
  std::vector<double> projections;
};

// Which query meets which stored cloud.
struct Pairing {
  std::vector<uint32_t> query;
  std::vector<uint32_t> cloud;

  static Pairing all(const Queries& queries, const Stored& stored) {
    Pairing pairing;
    for (uint32_t q = 0; q < queries.clouds.size(); ++q) {
      for (uint32_t k = 0; k < stored.clouds.size(); ++k) {
        pairing.query.push_back(q);
        pairing.cloud.push_back(k);
      }
    }
    return pairing;
  }
};

Status ask(const PairSolver& solver, const Queries& queries, const Stored& stored, const Pairing& pairing,
           const Geometry& geometry, double tolerance, uint32_t max_iterations, Answer& answer,
           const std::function<bool()>& keep_going = {}) {
  answer = {};
  size_t rows = 0;
  size_t columns = 0;
  for (size_t p = 0; p < pairing.query.size(); ++p) {
    rows += queries.clouds[pairing.query[p]].weights.size();
    columns += stored.clouds[pairing.cloud[p]].weights.size();
  }
  answer.solutions.resize(pairing.query.size());
  answer.potentials.resize(columns);
  answer.transforms.resize(rows);
  answer.projections.resize(rows * queries.dim);
  return solver.solve({.queries = {queries.points, queries.weights, queries.offsets, queries.dim},
                       .query = pairing.query,
                       .cloud = pairing.cloud,
                       .cost_scale = geometry.cost_scale,
                       .epsilon = geometry.epsilon,
                       .tolerance = tolerance,
                       .max_iterations = max_iterations,
                       .potentials = answer.potentials,
                       .solutions = answer.solutions,
                       .transforms = answer.transforms,
                       .projections = answer.projections,
                       .keep_going = keep_going});
}

Status try_all(const Queries& queries, const Stored& stored, const Geometry& geometry, double tolerance,
               uint32_t max_iterations, Answer& answer, const std::function<bool()>& keep_going = {}) {
  const std::shared_ptr<const PairSolver> solver = std::move(device().pair_solver(view(stored))).value();
  const Pairing pairing = Pairing::all(queries, stored);
  for (size_t p = 0; p < pairing.query.size(); ++p) {
    REQUIRE(solver->fits(queries.clouds[pairing.query[p]].weights.size(),
                         stored.clouds[pairing.cloud[p]].weights.size()));
  }
  return ask(*solver, queries, stored, pairing, geometry, tolerance, max_iterations, answer, keep_going);
}

Answer solve_all(const Queries& queries, const Stored& stored, const Geometry& geometry, double tolerance,
                 uint32_t max_iterations) {
  Answer answer;
  const Status status = try_all(queries, stored, geometry, tolerance, max_iterations, answer);
  CAPTURE(status.message());
  REQUIRE(status.ok());
  return answer;
}

TEST_CASE_FIXTURE(OnDevice, "pairs of every size equal float64 within their certificates") {
  for (const size_t dim : {1, 3}) {
    Queries queries(dim);
    Stored stored(dim);
    for (const size_t n : {1, 5, 33}) queries.add(random_cloud(n, dim, n));
    for (const size_t n : {1, 2, 20, 40, 70}) stored.add(random_cloud(n, dim, 100 + n));
    for (const double epsilon : {1.0, 0.1, 0.02}) {
      const Geometry geometry{.dim = dim, .cost_scale = 0.5, .epsilon = epsilon};
      const Answer answer = solve_all(queries, stored, geometry, 1e-6, 2000);
      size_t p = 0;
      for (const DoubleCloud& x : queries.clouds) {
        for (const DoubleCloud& y : stored.clouds) {
          CAPTURE(dim);
          CAPTURE(epsilon);
          CAPTURE(x.weights.size());
          CAPTURE(y.weights.size());
          const PairSolution& found = answer.solutions[p++];
          CAPTURE(found.iterations);
          CAPTURE(found.residual);
          const double exact = reference::solve(x, y, geometry).value;
          const double bound = found.residual * (found.spread + found.range) / 2;
          CHECK(found.iterations > 0);
          CHECK(found.value <= exact + 1e-9);
          CHECK(exact <= found.value + bound + 1e-9);
          if (found.converged) CHECK(found.residual <= 1e-6);
          if (epsilon >= 0.1) CHECK(found.converged);
        }
      }
    }
  }
}

TEST_CASE_FIXTURE(OnDevice, "pairs of all paths in one batch, at their bounds") {
  Queries queries(3);
  Stored stored(3);
  for (const size_t n : {3, 64, 128}) queries.add(random_cloud(n, 3, n));
  for (const size_t n : {130, 64, 128, 65}) stored.add(random_cloud(n, 3, 100 + n));
  for (const double epsilon : {0.5, 0.03}) {
    const Geometry geometry{.dim = 3, .cost_scale = 0.5, .epsilon = epsilon};
    const Answer answer = solve_all(queries, stored, geometry, 1e-6, 300);
    size_t p = 0;
    for (const DoubleCloud& x : queries.clouds) {
      for (const DoubleCloud& y : stored.clouds) {
        CAPTURE(epsilon);
        CAPTURE(x.weights.size());
        CAPTURE(y.weights.size());
        const PairSolution& found = answer.solutions[p++];
        const double exact = reference::solve(x, y, geometry).value;
        CHECK(found.value <= exact + 1e-9);
        CHECK(exact <= found.value + found.residual * (found.spread + found.range) / 2 + 1e-9);
        if (epsilon == 0.5) CHECK(found.converged);
      }
    }
  }
}

TEST_CASE_FIXTURE(OnDevice, "points without mass count for nothing") {
  Queries queries(2);
  Stored stored(2);
  DoubleCloud x = random_cloud(6, 2, 1);
  DoubleCloud y = random_cloud(7, 2, 2);
  queries.add(x);
  stored.add(y);
  const Geometry geometry{.dim = 2, .cost_scale = 0.5, .epsilon = 0.2};
  const double plain = solve_all(queries, stored, geometry, 1e-7, 1000).solutions[0].value;
  for (DoubleCloud* cloud : {&x, &y}) {
    cloud->points.insert(cloud->points.begin(), {1e6, -1e6});
    cloud->weights.insert(cloud->weights.begin(), 0.0);
  }
  Queries more_queries(2);
  Stored more_stored(2);
  more_queries.add(x);
  more_stored.add(y);
  const PairSolution found = solve_all(more_queries, more_stored, geometry, 1e-7, 1000).solutions[0];
  CHECK(found.value == doctest::Approx(plain).epsilon(1e-6));
  CHECK(found.spread < 100);
}

TEST_CASE_FIXTURE(OnDevice, "clouds far apart beside epsilon stay finite") {
  Queries queries(1);
  Stored stored(1);
  queries.add(random_cloud(9, 1, 3));
  DoubleCloud far = random_cloud(11, 1, 4);
  for (double& x : far.points) x += 300;
  stored.add(far);
  const Geometry geometry{.dim = 1, .cost_scale = 0.5, .epsilon = 0.05};
  const PairSolution found = solve_all(queries, stored, geometry, 1e-6, 500).solutions[0];
  CHECK(std::isfinite(found.value));
  CHECK(found.value > 0.5 * 295 * 295);
}

TEST_CASE_FIXTURE(OnDevice, "a tolerance of 0 takes all iterations; the same input gives the same bits") {
  Queries queries(3);
  Stored stored(3);
  queries.add(random_cloud(30, 3, 5));
  for (const size_t n : {30, 17}) stored.add(random_cloud(n, 3, 10 + n));
  const Geometry geometry{.dim = 3, .cost_scale = 0.5, .epsilon = 0.3};
  const Answer once = solve_all(queries, stored, geometry, 0, 50);
  const Answer again = solve_all(queries, stored, geometry, 0, 50);
  for (size_t p = 0; p < 2; ++p) {
    CHECK(once.solutions[p].iterations == 50);
    CHECK_FALSE(once.solutions[p].converged);
    CHECK(once.solutions[p].value == again.solutions[p].value);
  }
  CHECK(once.potentials == again.potentials);
}

TEST_CASE_FIXTURE(OnDevice, "pairs too large for one multiprocessor take the device, among small ones") {
  for (const size_t dim : {1, 16}) {
    Queries queries(dim);
    Stored stored(dim);
    for (const size_t n : {9, 205}) queries.add(random_cloud(n, dim, n));
    for (const size_t n : {230, 12, 300}) stored.add(random_cloud(n, dim, 100 + n));
    for (const double epsilon : {2.0, 0.05}) {
      const Geometry geometry{.dim = dim, .cost_scale = 0.5, .epsilon = epsilon};
      const Answer answer = solve_all(queries, stored, geometry, 1e-6, 100);
      size_t p = 0;
      for (const DoubleCloud& x : queries.clouds) {
        for (const DoubleCloud& y : stored.clouds) {
          CAPTURE(dim);
          CAPTURE(epsilon);
          CAPTURE(x.weights.size());
          CAPTURE(y.weights.size());
          const PairSolution& found = answer.solutions[p++];
          const double exact = reference::solve(x, y, geometry).value;
          CHECK(found.iterations > 0);
          CHECK(found.value <= exact + 1e-9);
          CHECK(exact <= found.value + found.residual * (found.spread + found.range) / 2 + 1e-9);
          if (epsilon == 2) CHECK(found.converged);
        }
      }
    }
  }
}

TEST_CASE_FIXTURE(OnDevice, "large pairs of long rows and of long columns") {
  for (const auto& [rows, columns] : {std::pair<size_t, size_t>{601, 80}, {80, 601}}) {
    Queries queries(2);
    Stored stored(2);
    queries.add(random_cloud(rows, 2, 7));
    stored.add(random_cloud(columns, 2, 8));
    const Geometry geometry{.dim = 2, .cost_scale = 0.5, .epsilon = 0.5};
    const PairSolution found = solve_all(queries, stored, geometry, 1e-6, 200).solutions[0];
    const double exact = reference::solve(queries.clouds[0], stored.clouds[0], geometry).value;
    CHECK(found.converged);
    CHECK(found.iterations < 100);
    CHECK(found.value <= exact + 1e-9);
    CHECK(exact <= found.value + found.residual * (found.spread + found.range) / 2 + 1e-9);
  }
}

void check_certificate(const PairSolution& found, double exact) {
  CHECK(found.value <= exact + 1e-9);
  CHECK(exact <= found.value + found.residual * (found.spread + found.range) / 2 + 1e-9);
}

TEST_CASE("pairs that a multiprocessor of a smaller device does not hold are solved by all of it") {
  simulator::Machine machine = simulator::machine();
  machine.major = 8;
  machine.minor = 6;  // 99 KiB
  const simulator::MachineScope scope(machine);
  const OnDevice fixture;
  for (const auto& [n, dim] : {std::pair<size_t, size_t>{150, 2}, {64, 100}}) {
    Queries queries(dim);
    Stored stored(dim);
    queries.add(random_cloud(n, dim, 1));
    stored.add(random_cloud(n, dim, 2));
    stored.add(random_cloud(20, dim, 3));
    const Geometry geometry{.dim = dim, .cost_scale = 0.5, .epsilon = 2.0 * static_cast<double>(dim)};
    const Answer answer = solve_all(queries, stored, geometry, 1e-6, 200);
    for (size_t k = 0; k < 2; ++k) {
      CHECK(answer.solutions[k].converged);
      check_certificate(answer.solutions[k],
                        reference::solve(queries.clouds[0], stored.clouds[k], geometry).value);
    }
  }
}

// Below what Float32 holds, and far below what its kernels do.
TEST_CASE_FIXTURE(OnDevice, "points of hardly any mass spoil nothing") {
  for (const size_t n : {20, 100, 150, 230}) {
    for (const double mass : {1e-30, 1e-40, 5e-46, 1e-60, 1e-300}) {
      CAPTURE(n);
      CAPTURE(mass);
      Queries queries(2);
      Stored stored(2);
      queries.add(random_cloud(n, 2, 1));
      DoubleCloud y = random_cloud(n, 2, 2);
      y.points.insert(y.points.end(), {3.0, -3.0});
      y.weights.push_back(mass);
      stored.add(y);
      const Geometry geometry{.dim = 2, .cost_scale = 0.5, .epsilon = 0.5};
      const PairSolution found = solve_all(queries, stored, geometry, 1e-6, 400).solutions[0];
      CHECK(found.converged);
      CHECK(found.iterations < 200);
      CHECK(std::isfinite(found.range));
      check_certificate(found, reference::solve(queries.clouds[0], stored.clouds[0], geometry).value);
    }
  }
}

TEST_CASE_FIXTURE(OnDevice, "large pairs are given up when nobody wants them any more") {
  Queries queries(2);
  Stored stored(2);
  queries.add(random_cloud(300, 2, 1));
  stored.add(random_cloud(250, 2, 2));
  const Geometry geometry{.dim = 2, .cost_scale = 0.5, .epsilon = 0.1};
  for (const int wanted : {0, 2}) {
    Answer answer;
    int asked = 0;
    const auto keep_going = [&] { return asked++ < wanted; };
    constexpr uint32_t kForever = UINT32_MAX;
    CHECK(try_all(queries, stored, geometry, 0, kForever, answer, keep_going).code() == StatusCode::kAborted);
    CHECK(asked == wanted + 1);
  }
  CHECK(solve_all(queries, stored, geometry, 1e-3, 500).solutions[0].converged);
}

TEST_CASE_FIXTURE(OnDevice, "large pairs: points without mass, clouds far apart, the same bits") {
  Queries queries(2);
  Stored stored(2);
  DoubleCloud x = random_cloud(200, 2, 1);
  DoubleCloud y = random_cloud(199, 2, 2);
  x.points.insert(x.points.begin(), {1e6, -1e6});
  x.weights.insert(x.weights.begin(), 0.0);
  y.points.insert(y.points.begin(), {-1e6, 1e6});
  y.weights.insert(y.weights.begin(), 0.0);
  queries.add(x);
  stored.add(y);
  for (double& number : y.points) number += 300;
  stored.add(y);
  const Geometry geometry{.dim = 2, .cost_scale = 0.5, .epsilon = 0.2};
  const Answer once = solve_all(queries, stored, geometry, 0, 40);
  const Answer again = solve_all(queries, stored, geometry, 0, 40);
  CHECK(once.potentials == again.potentials);
  CHECK(once.solutions[0].value == again.solutions[0].value);
  CHECK(once.solutions[0].iterations == 40);
  CHECK(once.solutions[0].spread < 100);
  CHECK(std::isfinite(once.solutions[1].value));
  CHECK(once.solutions[1].value > 295.0 * 295);
}

TEST_CASE_FIXTURE(OnDevice,
                  "transforms and projections are those of the potentials, for pairs of all sizes") {
  for (const size_t dim : {1, 3, 6}) {
    Queries queries(dim);
    Stored stored(dim);
    for (const size_t n : {9, 100, 205}) queries.add(random_cloud(n, dim, n));
    DoubleCloud first_is_empty = random_cloud(31, dim, 7);
    first_is_empty.weights[1] += first_is_empty.weights[0];
    first_is_empty.weights[0] = 0;
    stored.add(first_is_empty);
    for (const size_t n : {128, 230}) stored.add(random_cloud(n, dim, 100 + n));
    const Geometry geometry{.dim = dim, .cost_scale = 0.5, .epsilon = 0.3};
    const Answer answer = solve_all(queries, stored, geometry, 1e-6, 60);
    const double* g = answer.potentials.data();
    const double* transform = answer.transforms.data();
    const double* projection = answer.projections.data();
    for (const DoubleCloud& x : queries.clouds) {
      for (const DoubleCloud& y : stored.clouds) {
        CAPTURE(dim);
        CAPTURE(x.weights.size());
        CAPTURE(y.weights.size());
        const std::vector<double> costs = reference::costs(x, y, geometry);
        const std::vector<double> potential(g, g + y.weights.size());
        std::vector<double> row;
        double off = 0;
        for (size_t i = 0; i < x.weights.size(); ++i) {
          const double f =
              reference::softmin(&costs[i * y.weights.size()], y.weights, potential, geometry.epsilon, row);
          off = std::max(off, std::abs(*transform++ - f));
          for (size_t d = 0; d < dim; ++d) {
            double mean = 0;
            for (size_t j = 0; j < row.size(); ++j) mean += row[j] * y.points[j * dim + d];
            off = std::max(off, std::abs(*projection++ - mean));
          }
        }
        CHECK(off < 1e-11);
        g += y.weights.size();
      }
    }
  }
}

TEST_CASE("clouds that a device has no room for pass through it, and give the same bits") {
  Queries queries(2);
  for (const size_t n : {1, 4, 30}) queries.add(random_cloud(n, 2, n));
  Stored stored(2);
  // By registers, by shared memory, and large; together more than a small device holds.
  for (const size_t n : {20, 70, 150, 1, 900, 40}) stored.add(random_cloud(n, 2, 100 + n));
  stored.add(random_cloud(200'000, 2, 7));
  const Pairing pairing{{0, 1, 2, 0, 1, 2, 2, 2, 0}, {5, 0, 1, 3, 2, 4, 4, 0, 1}};  // in no order, some twice
  const Geometry geometry{.dim = 2, .cost_scale = 0.5, .epsilon = 0.1};
  Answer resident;
  {
    const OnDevice fixture;
    const std::shared_ptr<const PairSolver> solver = std::move(device().pair_solver(view(stored))).value();
    CHECK(solver->bytes() >= 200'000 * (2 * sizeof(float) + sizeof(double)));
    REQUIRE(ask(*solver, queries, stored, pairing, geometry, 1e-6, 500, resident).ok());
  }
  const simulator::MachineScope small({.memory = 3'000'000});
  const OnDevice fixture;
  const std::shared_ptr<const PairSolver> solver = std::move(device().pair_solver(view(stored))).value();
  CHECK(solver->bytes() == 0);
  for (int again = 0; again < 2; ++again) {
    Answer passing;
    REQUIRE(ask(*solver, queries, stored, pairing, geometry, 1e-6, 500, passing).ok());
    CHECK(resident.potentials == passing.potentials);
    CHECK(resident.transforms == passing.transforms);
    CHECK(resident.projections == passing.projections);
    for (size_t p = 0; p < pairing.query.size(); ++p) {
      CHECK(resident.solutions[p].value == passing.solutions[p].value);
      CHECK(resident.solutions[p].converged);
    }
  }
}

TEST_CASE_FIXTURE(OnDevice, "calls at once share the clouds that the first brings to the device") {
  Queries queries(3);
  queries.add(random_cloud(5, 3, 1));
  Stored stored(3);
  for (size_t k = 0; k < 8; ++k) stored.add(random_cloud(10 + k, 3, 100 + k));
  const Geometry geometry{.dim = 3, .cost_scale = 0.5, .epsilon = 0.1};
  const Pairing pairing = Pairing::all(queries, stored);
  const std::shared_ptr<const PairSolver> solver = std::move(device().pair_solver(view(stored))).value();
  std::vector<Answer> answers(4);
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (Answer& answer : answers) {
    threads.emplace_back([&] {
      if (!ask(*solver, queries, stored, pairing, geometry, 1e-6, 500, answer).ok()) ++failed;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  for (const Answer& answer : answers) CHECK(answer.potentials == answers[0].potentials);
}

TEST_CASE_FIXTURE(OnDevice, "pairs too large for the device are known") {
  Stored stored(3);
  stored.add(random_cloud(4, 3, 1));
  const std::shared_ptr<const PairSolver> solver = std::move(device().pair_solver(view(stored))).value();
  CHECK(solver->fits(64, 64));
  CHECK(solver->fits(180, 180));
  CHECK(solver->fits(16384, 16384));
  CHECK_FALSE(solver->fits(16385, 16384));
  CHECK_FALSE(solver->fits(1, size_t{1} << 33));
  CHECK(solver->bytes() > 0);
}

}  // namespace
}  // namespace engram::engine
