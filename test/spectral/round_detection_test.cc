// Against the whole spectrum, solved densely in Float64.
#include "spectral/round_detection.h"

#include <doctest/doctest.h>

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <vector>

#include "spectral/outlier.h"
#include "spectral/tracy_widom.h"
#include "support/noisy_clients.h"

namespace engram::spectral {
namespace {

using support::NoisyClient;

struct Federation {
  Federation(const std::vector<NoisyClient>& clients, int count, int dim, uint64_t seed) {
    RandomStream random(seed, 1);
    archetypes = support::random_archetypes(count, dim, random);
    matrix = support::operator_of(clients, archetypes, random);
    for (const NoisyClient& client : clients) {
      models.push_back({.weight = client.weight,
                        .samples = static_cast<double>(client.samples),
                        .noise_variance = 1 - client.quality * client.quality});
    }
  }
  NoiseEdge noise() const { return {models, static_cast<double>(matrix.rows())}; }
  Result<Detection> detected(const DetectionOptions& options = {}) const {
    return detect(DenseOperator(matrix.data(), static_cast<size_t>(matrix.rows())), noise(), options, {});
  }

  Eigen::MatrixXd archetypes;
  Eigen::MatrixXd matrix;
  std::vector<ClientModel> models;
};

// Clients of unequal size and quality that see `count` archetypes equally often.
std::vector<NoisyClient> two_clients(int count) {
  const std::vector<double> exposure(static_cast<size_t>(count), 1.0 / count);
  return {{.samples = 400, .quality = 0.8, .weight = 0.6, .exposure = exposure},
          {.samples = 200, .quality = 0.6, .weight = 0.4, .exposure = exposure}};
}

TEST_CASE("all outliers are found, however many more there are than expected, and two eigenvalues more") {
  for (const int count : {1, 5, 20}) {
    const Federation federation(two_clients(count), count, 400, static_cast<uint64_t>(count));
    const Result<Detection> result = federation.detected();
    REQUIRE(result.ok());
    const Detection& found = result.value();
    CHECK(found.count() == static_cast<size_t>(count));
    REQUIRE(found.eigenvalues.size() == static_cast<size_t>(count) + 2);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(federation.matrix);
    for (size_t k = 0; k < found.count(); ++k) {
      const Eigen::Index column = 399 - static_cast<Eigen::Index>(k);
      // Within a tenth of the distance to the edge in residual, so a hundredth of it in value.
      const double distance = solver.eigenvalues()[column] - found.edge;
      CHECK(std::abs(found.values[k] - solver.eigenvalues()[column]) < 0.01 * distance);
      CHECK(found.values[k] > found.cut);
      CHECK(found.gamma[k] == predicted_overlap(federation.noise(), found.values[k]));
    }
    // What of the true outliers' space the found one keeps.
    const Eigen::MatrixXf v =
        Eigen::Map<const Eigen::MatrixXf>(found.v.data(), 400, static_cast<Eigen::Index>(found.count()));
    const Eigen::MatrixXd truth = solver.eigenvectors().rightCols(count);
    CHECK((truth.transpose() * v.cast<double>()).squaredNorm() > 0.99 * count);
    for (size_t i = 0; i < 2; ++i) {
      const double bulk = solver.eigenvalues()[399 - count - static_cast<Eigen::Index>(i)];
      CHECK(found.eigenvalues[found.count() + i] <= bulk * (1 + 1e-9));
      CHECK(found.eigenvalues[found.count() + i] > bulk - 0.1 * found.cut);
    }
  }
}

TEST_CASE("predicted overlaps are those of the eigenvectors with the archetypes' span") {
  const Federation federation(two_clients(3), 3, 500, 9);
  const Detection found = federation.detected().value();
  REQUIRE(found.count() == 3);
  const Eigen::MatrixXd span =
      Eigen::HouseholderQR<Eigen::MatrixXd>(federation.archetypes.transpose()).householderQ() *
      Eigen::MatrixXd::Identity(500, 3);
  for (size_t k = 0; k < 3; ++k) {
    const Eigen::VectorXd v = Eigen::Map<const Eigen::VectorXf>(found.v.data() + k * 500, 500).cast<double>();
    CHECK(std::abs((span.transpose() * v).squaredNorm() - found.gamma[k]) < 0.02);
  }
}

TEST_CASE("pure noise is found to be noise but for about the level asked for") {
  const double quantile = tracy_widom_quantile(0.05);
  int alarms = 0;
  constexpr int kTrials = 60;
  for (uint64_t seed = 0; seed < kTrials; ++seed) {
    const Federation federation({{.samples = 300, .exposure = {}}, {.samples = 150, .exposure = {}}}, 1, 150,
                                seed);
    DetectionOptions options;
    options.quantile = quantile;
    std::vector<ClientModel> models = federation.models;
    for (ClientModel& model : models) model.noise_variance = 1;
    const Result<Detection> found =
        detect(DenseOperator(federation.matrix.data(), 150), {models, 150}, options, {});
    REQUIRE(found.ok());
    alarms += found.value().count() > 0 ? 1 : 0;
  }
  CHECK(alarms <= 8);  // more than that has probability 0.005 at level 0.05
}

TEST_CASE("at most as many directions as asked for, the largest") {
  const Federation federation(two_clients(12), 12, 300, 3);
  DetectionOptions options;
  options.most = 5;
  const Detection found = federation.detected(options).value();
  CHECK(found.count() == 5);
  CHECK(found.v.size() == 5 * 300);
  CHECK(std::is_sorted(found.eigenvalues.rbegin(), found.eigenvalues.rend()));
}

TEST_CASE("without noise, all directions are signal but those of rounding, and zero has none") {
  const Federation federation({{.samples = 30, .quality = 1, .exposure = {0.5, 0.5}}}, 2, 300, 4);
  const Detection found = federation.detected().value();
  CHECK(found.edge == 0);
  CHECK(found.count() == 2);
  for (const double gamma : found.gamma) CHECK(gamma > 1 - 1e-12);
  const Eigen::MatrixXd nothing = Eigen::MatrixXd::Zero(300, 300);
  const Result<Detection> none = detect(DenseOperator(nothing.data(), 300), federation.noise(), {}, {});
  REQUIRE(none.ok());
  CHECK(none.value().count() == 0);
}

TEST_CASE("what is not finite and who gives up end it") {
  Federation federation(two_clients(2), 2, 300, 5);
  runtime::Parallel aborted;
  aborted.keep_going = [] { return false; };
  const DenseOperator good(federation.matrix.data(), 300);
  CHECK(detect(good, federation.noise(), {}, aborted).status().code() == StatusCode::kAborted);
  federation.matrix(3, 4) = std::nan("");
  CHECK(federation.detected().status().code() == StatusCode::kNonFinite);
}

}  // namespace
}  // namespace engram::spectral
