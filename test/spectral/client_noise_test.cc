#include "spectral/client_noise.h"

#include <doctest/doctest.h>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "spectral/outlier.h"
#include "spectral/tracy_widom.h"
#include "support/noisy_clients.h"

namespace engram::spectral {
namespace {

using doctest::Approx;
using support::NoisyClient;

const double kQuantile = tracy_widom_quantile(0.05);

std::vector<double> falling_eigenvalues(const Eigen::MatrixXd& symmetric) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(symmetric, Eigen::EigenvaluesOnly);
  std::vector<double> values(solver.eigenvalues().begin(), solver.eigenvalues().end());
  std::reverse(values.begin(), values.end());
  return values;
}

// All eigenvalues of N J, falling.
std::vector<double> spectrum(const NoisyClient& client, int archetypes, int dim, uint64_t trial) {
  RandomStream random(11, trial);
  const Eigen::MatrixXd truth = support::random_archetypes(archetypes, dim, random);
  const Eigen::MatrixXd w = support::operator_of({client}, truth, random);
  return falling_eigenvalues(w);
}

size_t count_above(const std::vector<double>& values, double cut) {
  return static_cast<size_t>(
      std::count_if(values.begin(), values.end(), [cut](double v) { return v > cut; }));
}

TEST_CASE("eigenvalues as the theory predicts them give back the noise exactly") {
  const double dim = 500;
  const double samples = 400;
  const double variance = 0.7;
  std::vector<double> eigenvalues;
  for (const double exposure : {0.6, 0.3, 0.1}) {  // sum 1, so that the trace is dim
    const double kappa = dim * (1 - variance) * exposure / variance;
    eigenvalues.push_back(variance * (1 + kappa) * (1 + dim / samples / kappa));
  }
  eigenvalues.push_back(variance * (1 + std::sqrt(dim / samples)) * (1 + std::sqrt(dim / samples)));
  const ClientNoise noise = estimate_client_noise(eigenvalues, dim, dim, samples, kQuantile);
  CHECK(noise.variance == Approx(variance).epsilon(1e-9));
  CHECK(noise.quality == Approx(std::sqrt(0.3)).epsilon(1e-9));
  CHECK(noise.outliers == 3);
  CHECK(noise.complete);

  eigenvalues.pop_back();
  CHECK_FALSE(estimate_client_noise(eigenvalues, dim, dim, samples, kQuantile).complete);
}

TEST_CASE("the estimate is that of the iteration of section 1.7 from 1") {
  const NoisyClient client{120, .5, 1, {.5, .3, .2}};
  const std::vector<double> values = spectrum(client, 3, 200, 0);
  const double q = 200. / 120;
  const double cut = (1 + std::sqrt(q)) * (1 + std::sqrt(q)) * tracy_widom_ratio(200, 120, kQuantile);
  double variance = 1;
  for (int i = 0; i < 2000; ++i) {
    double strength = 200;
    for (const double lambda : values) {
      if (lambda > cut * variance) strength += estimate_spike(lambda / variance, q).kappa;
    }
    variance = 200 / strength;
  }
  CHECK(estimate_client_noise(values, 200, 200, 120, kQuantile).variance == Approx(variance).epsilon(1e-9));
}

// Subtracting raw outliers runs away here; see section 1.7. One archetype, as in the drift experiment.
TEST_CASE("quality is recovered from few samples and from many") {
  struct Case {
    int samples;
    double quality, error;
  };
  for (const Case& c : {Case{17, .6, .03}, Case{60, .6, .02}, Case{400, .3, .02}, Case{100, .9, .01}}) {
    double mean = 0;
    size_t outliers = 0;
    constexpr int kTrials = 12;
    for (int trial = 0; trial < kTrials; ++trial) {
      const NoisyClient client{c.samples, c.quality, 1, {1}};
      const auto values = spectrum(client, 1, 300, static_cast<uint64_t>(trial));
      const ClientNoise noise = estimate_client_noise(values, 300, 300, c.samples, kQuantile);
      outliers += noise.outliers;
      mean += noise.quality / kTrials;
    }
    CAPTURE(c.quality);
    CHECK(std::abs(mean - c.quality) < c.error);
    CHECK(outliers >= kTrials);
    CHECK(outliers <= kTrials + 3);  // false alarms at level 0.05: 0.6 expected
  }
}

TEST_CASE("pure noise has no quality, but for false alarms") {
  int alarms = 0;
  for (uint64_t trial = 0; trial < 40; ++trial) {
    const std::vector<double> values = spectrum({100, 0, 1, {}}, 1, 150, trial);
    const ClientNoise noise = estimate_client_noise(values, 150, 150, 100, kQuantile);
    if (noise.outliers > 0) {
      ++alarms;
      continue;
    }
    CHECK(noise.variance == 1);
    CHECK(noise.quality == 0);
  }
  CHECK(alarms <= 6);  // 2 expected at the most, standard deviation 1.4
}

TEST_CASE("one sample, two samples, and no eigenvalues are pure noise") {
  CHECK(estimate_client_noise({300}, 300, 300, 1, kQuantile).variance == 1);
  CHECK(estimate_client_noise({300}, 300, 300, 1, kQuantile).quality == 0);
  CHECK(estimate_client_noise({160, 140}, 300, 300, 2, kQuantile).quality == 0);
  CHECK(estimate_client_noise({}, 300, 300, 50, kQuantile).variance == 1);
}

TEST_CASE("examples that are all the same, or without noise, leave no variance") {
  const ClientNoise same = estimate_client_noise({300, 0, 0}, 300, 300, 40, kQuantile);
  CHECK(same.variance == 0);
  CHECK(same.quality == 1);
  CHECK(same.outliers == 1);
  const ClientNoise two =
      estimate_client_noise(spectrum({40, 1, 1, {.7, .3}}, 2, 100, 0), 100, 100, 40, kQuantile);
  CHECK(two.variance < 1e-9);
  CHECK(two.quality == Approx(1));
  CHECK(two.outliers == 2);
}

TEST_CASE("real examples are measured by their trace: scaling them scales the variance alone") {
  std::vector<double> values = spectrum({120, .5, 1, {1}}, 1, 200, 3);
  const ClientNoise noise = estimate_client_noise(values, 200, 200, 120, kQuantile);
  for (double& v : values) v *= 9;
  const ClientNoise scaled = estimate_client_noise(values, 1800, 200, 120, kQuantile);
  CHECK(scaled.variance == Approx(9 * noise.variance).epsilon(1e-9));
  CHECK(scaled.quality == Approx(noise.quality).epsilon(1e-9));
  CHECK(scaled.outliers == noise.outliers);
}

// Section 1.7: r = (.8, .2, .2). The noise of the small client with good examples ends far beyond the pooled
// edge.
TEST_CASE("noise estimated for each client counts the archetypes, one pooled estimate counts noise as well") {
  constexpr int kDim = 400;
  const std::vector<double> shares = {1. / 3, 1. / 3, 1. / 3};
  const std::vector<NoisyClient> clients = {
      {34, .8, 1. / 3, shares}, {400, .2, 1. / 3, shares}, {400, .2, 1. / 3, shares}};
  for (uint64_t trial = 0; trial < 4; ++trial) {
    RandomStream random(13, trial);
    const Eigen::MatrixXd truth = support::random_archetypes(3, kDim, random);
    Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(kDim, kDim);
    std::vector<ClientModel> models;
    for (const NoisyClient& client : clients) {
      NoisyClient alone = client;
      alone.weight = 1;
      const Eigen::MatrixXd w = support::operator_of({alone}, truth, random);
      models.push_back(
          {client.weight, static_cast<double>(client.samples),
           estimate_client_noise(falling_eigenvalues(w), kDim, kDim, client.samples, kQuantile).variance});
      sum += client.weight * w;
    }
    const std::vector<double> eigenvalues = falling_eigenvalues(sum);
    CHECK(count_above(eigenvalues, NoiseEdge(models, kDim).cut(kQuantile)) == 3);
    const ClientNoise pooled = estimate_client_noise(eigenvalues, kDim, kDim, 834, kQuantile);
    CHECK(pooled.outliers >= 6);
  }
}

}  // namespace
}  // namespace engram::spectral
