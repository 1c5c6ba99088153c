// What is left of archetypes under the noise of differential privacy: detection, overlap and unmixing
// together.
#include <doctest/doctest.h>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <vector>

#include "spectral/edge.h"
#include "spectral/metrics.h"
#include "spectral/outlier.h"
#include "spectral/tracy_widom.h"
#include "spectral/unmixing.h"
#include "support/archetypes.h"
#include "support/noisy_clients.h"

namespace engram::spectral {
namespace {

using support::NoisyClient;

struct Found {
  size_t detected = 0;
  std::vector<double> overlaps;  // of each archetype
};

// Section 3's prototype: N = 256, K = 4, M = 2000, r = 0.5, one round, delta = 1e-5. Clients under privacy
// tell nothing of their noise, which then counts as all of their variance.
Found private_round(double epsilon, uint64_t trial) {
  constexpr int kDim = 256;
  constexpr int kArchetypes = 4;
  const std::vector<double> exposure(kArchetypes, .25);
  const std::vector<NoisyClient> clients(4, NoisyClient{500, .5, .25, exposure});
  const double log = std::log(1e5);
  const double rho = std::pow(std::sqrt(log + epsilon) - std::sqrt(log), 2);
  const double sigma = kDim / 2000. / std::sqrt(2 * rho);

  RandomStream random(31, trial);
  const Eigen::MatrixXd truth = support::random_archetypes(kArchetypes, kDim, random);
  Eigen::MatrixXd w = support::operator_of(clients, truth, random);
  w += support::symmetric_noise(kDim, sigma, random);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(w);
  const NoiseEdge noise(std::vector<ClientModel>(4, ClientModel{.25, 500, 1}), kDim, sigma);
  const double cut = noise.cut(tracy_widom_quantile(.05));

  Found found;
  std::vector<float> rows;
  std::vector<double> gamma;
  while (solver.eigenvalues()[kDim - 1 - static_cast<Eigen::Index>(found.detected)] > cut) {
    const Eigen::Index at = kDim - 1 - static_cast<Eigen::Index>(found.detected++);
    gamma.push_back(estimate_outlier(noise, solver.eigenvalues()[at]).overlap);
    for (int n = 0; n < kDim; ++n) rows.push_back(static_cast<float>(solver.eigenvectors()(n, at)));
  }
  const Result<Unmixing> unmixing =
      unmix(FloatRows(rows.data(), found.detected, kDim), gamma, {}, [] { return true; });
  REQUIRE(unmixing.ok());
  std::vector<int8_t> xi;
  for (int mu = 0; mu < kArchetypes; ++mu) {
    for (int n = 0; n < kDim; ++n) xi.push_back(static_cast<int8_t>(truth(mu, n)));
  }
  found.overlaps = best_overlaps(unmixing.value().archetypes.view(), support::patterns(xi, kDim));
  return found;
}

struct Outcome {
  size_t detected = 0;  // of 24
  double least = 0, median = 0, most = 0;
};

Outcome rounds(double epsilon) {
  Outcome outcome;
  std::vector<double> overlaps;
  for (uint64_t trial = 0; trial < 6; ++trial) {
    const Found found = private_round(epsilon, trial);
    outcome.detected += found.detected;
    overlaps.insert(overlaps.end(), found.overlaps.begin(), found.overlaps.end());
  }
  std::sort(overlaps.begin(), overlaps.end());
  outcome.least = overlaps.front();
  outcome.median = overlaps[overlaps.size() / 2];
  outcome.most = overlaps.back();
  return outcome;
}

// The prototype's: m of .60 to .84 at epsilon 1, at least .99 at 2, 1 from 4 on; other random numbers move
// the best and the worst of 24 by some hundredths. Four archetypes of one
// strength in strong noise are not told apart as well as they are detected, so that at epsilon 1 m is less
// than the .79 of the forecast.
TEST_CASE("differential privacy leaves of archetypes what it left in the prototype") {
  const Outcome strict = rounds(1);
  CHECK(strict.detected >= 18);
  CHECK(strict.median > .6);
  CHECK(strict.most < .95);
  const Outcome usual = rounds(2);
  CHECK(usual.detected == 24);
  CHECK(usual.median >= .99);
  CHECK(usual.least > .95);
  const Outcome lax = rounds(4);
  CHECK(lax.detected == 24);
  CHECK(lax.least == 1);
}

}  // namespace
}  // namespace engram::spectral
