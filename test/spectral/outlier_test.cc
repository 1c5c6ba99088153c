#include "spectral/outlier.h"

#include <doctest/doctest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <vector>

#include "support/noisy_clients.h"

namespace engram::spectral {
namespace {

using doctest::Approx;
using support::NoisyClient;

const std::vector<ClientModel> kUnequal = {
    {0.4, 150, 0.91}, {0.3, 300, 0.96}, {0.2, 600, 0.9856}, {0.1, 1200, 0.9964}};
const std::vector<double> kSignal = {0.03, 0.02, 0.007, 0.001};

// One client with signal-to-noise kappa.
Outlier one_client(double kappa, double q, double variance) {
  const double dim = 784;
  const double samples = dim / q;
  return predict_outlier(NoiseEdge({{1, samples, variance}}, dim), {kappa * variance / dim});
}

// Section 2: N = 784, M = 1568; eigenvalues in units of the noise variance.
TEST_CASE("the outliers of the prototype's table around the threshold are predicted") {
  struct Row {
    double s, lambda, overlap;
  };
  const double q = 0.5;
  for (const Row& row :
       {Row{0.8, 2.914, 0}, Row{1.0, 2.914, 0}, Row{1.2, 2.938, .192}, Row{1.5, 3.032, .378},
        Row{2, 3.268, .554}, Row{3, 3.857, .719}, Row{5, 5.177, .841}, Row{10, 8.642, .925}}) {
    const Outlier outlier = one_client(row.s * std::sqrt(q), q, 0.75);
    CHECK(outlier.margin == Approx(row.s).epsilon(1e-12));
    CHECK(std::abs(outlier.eigenvalue / 0.75 - row.lambda) < 6e-4);
    CHECK(std::abs(outlier.overlap - row.overlap) < 6e-4);
  }
}

TEST_CASE("for one quality and one size the prediction is the closed form") {
  for (const double q : {0.05, 1.0, 8.0}) {
    for (const double s : {1.001, 1.3, 4.0, 300.0}) {
      const double kappa = s * std::sqrt(q);
      const Outlier outlier = one_client(kappa, q, 0.6);
      CHECK(outlier.detectable());
      CHECK(outlier.eigenvalue == Approx(0.6 * (1 + kappa) * (1 + q / kappa)).epsilon(1e-12));
      CHECK(outlier.overlap == Approx(spike_overlap(kappa, q)).epsilon(1e-9));
      const Spike spike = estimate_spike(outlier.eigenvalue / 0.6, q);
      CHECK(spike.kappa == Approx(kappa).epsilon(1e-5));
      CHECK(spike.overlap == Approx(spike_overlap(kappa, q)).epsilon(1e-3));
    }
  }
}

TEST_CASE("at and below the edge there is nothing to see") {
  CHECK(spike_overlap(std::sqrt(2.0), 2) == 0);
  CHECK(estimate_spike((1 + std::sqrt(2.0)) * (1 + std::sqrt(2.0)) * 0.999, 2).kappa == 0);
  CHECK(estimate_spike(0, 2).kappa == 0);
  const NoiseEdge noise(kUnequal, 600);
  CHECK(estimate_outlier(noise, noise.edge()).overlap == 0);
  CHECK(estimate_outlier(noise, 0).exposure == 0);
  CHECK(predict_outlier(noise, {0, 0, 0, 0}).margin == 0);
  CHECK(predict_outlier(noise, {0, 0, 0, 0}).eigenvalue == noise.edge());
}

// The check of section 1.6: N = 600 and four clients; of the weakest archetype they see 0, 20, 30 and 70 %.
TEST_CASE("the weakest archetype of four unequal clients is predicted as in the prototype") {
  const double samples[] = {150, 300, 600, 1200};
  const double quality[] = {.30, .20, .12, .06};
  const double exposure[] = {0, .2, .3, .7};
  const auto predict = [&](auto&& weight) {
    std::vector<ClientModel> clients;
    std::vector<double> signal;
    double sum = 0;
    for (size_t c = 0; c < 4; ++c) sum += weight(samples[c], quality[c]);
    for (size_t c = 0; c < 4; ++c) {
      const double r2 = quality[c] * quality[c];
      clients.push_back({weight(samples[c], quality[c]) / sum, samples[c], 1 - r2});
      signal.push_back(r2 * exposure[c]);
    }
    return predict_outlier(NoiseEdge(clients, 600), signal);
  };
  const Outlier equal = predict([](double, double) { return 1; });
  CHECK(std::abs(equal.eigenvalue - 3.766) < 1e-3);
  CHECK(std::abs(equal.overlap - .758) < 1e-3);
  CHECK(std::abs(predict([](double m, double) { return m; }).overlap - .841) < 1e-3);
  // Weighting examples by r^2, which looks plausible, does worse.
  CHECK(std::abs(predict([](double m, double r) { return m * r * r; }).overlap - .621) < 1e-3);
}

// Section 1.6 in h, differentiated numerically.
TEST_CASE("the overlap of unequal clients is -h z'/T' where T is 1") {
  const double dim = 600;
  const auto z = [&](double h) {
    double sum = 1 / h;
    for (const ClientModel& c : kUnequal) {
      sum += c.weight * c.noise_variance / (1 - h * dim * c.weight * c.noise_variance / c.samples);
    }
    return sum;
  };
  const auto t = [&](double h) {
    double sum = 0;
    for (size_t c = 0; c < kUnequal.size(); ++c) {
      const double g = dim * kUnequal[c].weight * kUnequal[c].noise_variance / kUnequal[c].samples;
      sum += h * dim * kUnequal[c].weight * kSignal[c] / (1 - h * g);
    }
    return sum;
  };
  const NoiseEdge noise(kUnequal, dim);
  const Outlier outlier = predict_outlier(noise, kSignal);
  REQUIRE(outlier.detectable());
  CHECK(outlier.margin == Approx(t(1 / noise.at())).epsilon(1e-12));
  const double h = 1 / outlier.at;
  CHECK(t(h) == Approx(1).epsilon(1e-12));
  CHECK(outlier.eigenvalue == Approx(z(h)).epsilon(1e-12));
  const double d = 1e-5 * h;
  CHECK(outlier.overlap == Approx(-h * (z(h + d) - z(h - d)) / (t(h + d) - t(h - d))).epsilon(1e-6));
}

TEST_CASE("weights scale eigenvalues alone, and splitting a client in two halves changes nothing") {
  const Outlier outlier = predict_outlier(NoiseEdge(kUnequal, 600), kSignal);
  std::vector<ClientModel> scaled = kUnequal;
  for (ClientModel& c : scaled) c.weight *= 5;
  const Outlier after = predict_outlier(NoiseEdge(scaled, 600), kSignal);
  CHECK(after.eigenvalue == Approx(5 * outlier.eigenvalue).epsilon(1e-12));
  CHECK(after.margin == Approx(outlier.margin).epsilon(1e-12));
  CHECK(after.overlap == Approx(outlier.overlap).epsilon(1e-12));

  std::vector<ClientModel> split = kUnequal;
  split[0] = {kUnequal[0].weight / 2, kUnequal[0].samples / 2, kUnequal[0].noise_variance};
  split.push_back(split[0]);
  std::vector<double> signal = kSignal;
  signal.push_back(kSignal[0]);
  const Outlier halves = predict_outlier(NoiseEdge(split, 600), signal);
  CHECK(halves.eigenvalue == Approx(outlier.eigenvalue).epsilon(1e-12));
  CHECK(halves.overlap == Approx(outlier.overlap).epsilon(1e-12));
}

TEST_CASE(
    "more signal gives larger margins, eigenvalues and overlaps, which start from the edge and from 0") {
  const NoiseEdge noise(kUnequal, 600);
  Outlier before = predict_outlier(noise, {0, 0, 0, 0});
  for (double factor = 0.05; factor < 1000; factor *= 1.2) {
    std::vector<double> signal = kSignal;
    for (double& b : signal) b *= factor;
    const Outlier outlier = predict_outlier(noise, signal);
    CHECK(outlier.margin > before.margin);
    CHECK(outlier.eigenvalue >= before.eigenvalue);
    CHECK(outlier.overlap >= before.overlap);
    CHECK(outlier.overlap < 1);
    if (outlier.detectable()) CHECK(outlier.eigenvalue > before.eigenvalue);
    before = outlier;
  }
  const double scale = (1 + 1e-7) / predict_outlier(noise, kSignal).margin;
  std::vector<double> barely = kSignal;
  for (double& b : barely) b *= scale;
  CHECK(predict_outlier(noise, barely).detectable());
  CHECK(predict_outlier(noise, barely).overlap < 1e-6);
  CHECK(predict_outlier(noise, barely).eigenvalue == Approx(noise.edge()).epsilon(1e-9));
}

TEST_CASE("without noise every archetype that is seen is detected whole") {
  const Outlier outlier = predict_outlier(NoiseEdge({{0.5, 10, 0}, {0.5, 20, 0}}, 100), {0.5, 0.1});
  CHECK(outlier.detectable());
  CHECK(outlier.eigenvalue == Approx(30));
  CHECK(outlier.overlap == Approx(1));
  CHECK(archetype_overlap(outlier.overlap) == 1);
}

TEST_CASE("an observed outlier gives back the exposure and overlap of a proportional signal") {
  const NoiseEdge noise(kUnequal, 600);
  for (const double exposure : {0.3, 0.6, 1.0}) {
    std::vector<double> signal;
    for (const ClientModel& c : kUnequal) signal.push_back(exposure * (1 - c.noise_variance));
    const Outlier outlier = predict_outlier(noise, signal);
    REQUIRE(outlier.detectable());
    const OutlierEstimate estimate = estimate_outlier(noise, outlier.eigenvalue);
    CHECK(estimate.exposure == Approx(exposure).epsilon(1e-8));
    CHECK(estimate.overlap == Approx(outlier.overlap).epsilon(1e-8));
  }
}

TEST_CASE("clients without any known quality are taken to be equally good") {
  const NoiseEdge noise({{0.5, 300, 1}, {0.5, 600, 1}}, 600);
  const Outlier outlier = predict_outlier(noise, {0.02, 0.02});
  REQUIRE(outlier.detectable());
  const OutlierEstimate estimate = estimate_outlier(noise, outlier.eigenvalue);
  CHECK(estimate.exposure == Approx(0.02).epsilon(1e-8));
  CHECK(estimate.overlap == Approx(outlier.overlap).epsilon(1e-8));
}

TEST_CASE("the overlap after the sign is an error function and reaches from 0 to 1") {
  CHECK(archetype_overlap(0) == 0);
  CHECK(archetype_overlap(1) == 1);
  CHECK(archetype_overlap(0.5) == Approx(0.6826894921).epsilon(1e-9));  // within one standard deviation
  // Section 2: N = M = 1000, K = 4.
  const double expected[] = {.897, .971, .998, 1.0};
  const double qualities[] = {.12, .15, .20, .30};
  for (int i = 0; i < 4; ++i) {
    const double r2 = qualities[i] * qualities[i];
    const double gamma = spike_overlap(1000 * r2 / 4 / (1 - r2), 1);
    CHECK(std::abs(archetype_overlap(gamma) - expected[i]) < 1e-3);
  }
}

struct Measured {
  std::vector<double> eigenvalues;
  std::vector<double> overlaps;  // squared, of an archetype with the span of all outliers
};

Measured measure(const std::vector<NoisyClient>& clients, int archetypes, int dim, int trials,
                 double symmetric) {
  Measured mean{std::vector<double>(static_cast<size_t>(archetypes)),
                std::vector<double>(static_cast<size_t>(archetypes))};
  for (int trial = 0; trial < trials; ++trial) {
    RandomStream random(7, static_cast<uint64_t>(trial));
    const Eigen::MatrixXd truth = support::random_archetypes(archetypes, dim, random);
    Eigen::MatrixXd w = support::operator_of(clients, truth, random);
    if (symmetric > 0) w += support::symmetric_noise(dim, symmetric, random);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(w);
    for (int mu = 0; mu < archetypes; ++mu) {
      const auto at = static_cast<size_t>(mu);
      mean.eigenvalues[at] += solver.eigenvalues()[dim - 1 - mu] / trials;
      const Eigen::VectorXd found =
          solver.eigenvectors().rightCols(archetypes).transpose() * truth.row(mu).transpose();
      mean.overlaps[at] += found.squaredNorm() / dim / trials;
    }
  }
  return mean;
}

void check_prediction(const std::vector<NoisyClient>& clients, int archetypes, int dim, int trials,
                      double symmetric = 0) {
  std::vector<ClientModel> models;
  for (const NoisyClient& c : clients) {
    models.push_back({c.weight, static_cast<double>(c.samples), 1 - c.quality * c.quality});
  }
  const NoiseEdge noise(models, dim, symmetric);
  const Measured measured = measure(clients, archetypes, dim, trials, symmetric);
  for (size_t mu = 0; mu < measured.overlaps.size(); ++mu) {
    std::vector<double> signal;
    for (const NoisyClient& c : clients) signal.push_back(c.quality * c.quality * c.exposure[mu]);
    const Outlier outlier = predict_outlier(noise, signal);
    REQUIRE(outlier.detectable());
    CHECK(measured.eigenvalues[mu] == Approx(outlier.eigenvalue).epsilon(0.02));
    CHECK(std::abs(measured.overlaps[mu] - outlier.overlap) < 0.01);
  }
}

// Section 1.6 promises eigenvalues to 2 %, overlaps to 1e-2 at N = 600; N is smaller here. Archetypes in
// falling order of their eigenvalues.
TEST_CASE("simulated federations have the eigenvalues and overlaps that are predicted") {
  SUBCASE("equal clients") {
    check_prediction({{300, .15, .5, {.6, .4}}, {300, .15, .5, {.6, .4}}}, 2, 300, 16);
  }
  SUBCASE("unequal clients") {
    check_prediction({{80, .25, .25, {.6, .2}},
                      {150, .2, .25, {.5, .3}},
                      {300, .15, .25, {.5, .5}},
                      {600, .1, .25, {.3, .7}}},
                     2, 300, 16);
  }
  SUBCASE("the four clients of section 1.6") {
    check_prediction({{150, .3, .25, {.6, .4, 0}},
                      {300, .2, .25, {.4, .4, .2}},
                      {600, .12, .25, {.4, .3, .3}},
                      {1200, .06, .25, {.2, .1, .7}}},
                     3, 600, 6);
  }
  SUBCASE("unequal clients by size") {
    check_prediction({{80, .25, .08, {.6, .2}},
                      {150, .2, .15, {.5, .3}},
                      {300, .15, .3, {.6, .4}},
                      {600, .1, .6, {.6, .4}}},
                     2, 300, 16);
  }
}

// theta + sigma^2 N / theta and 1 - sigma^2 N / theta^2.
TEST_CASE("in symmetric noise alone an archetype makes Wigner's outlier") {
  const double sigma = 0.625;
  const double nu = sigma * sigma * 256;
  const NoiseEdge noise({{1, 1000, 0}}, 256, sigma);
  for (const double theta : {10.001, 11.0, 40.0, 200.0}) {
    const Outlier outlier = predict_outlier(noise, {theta / 256});
    REQUIRE(outlier.detectable());
    CHECK(outlier.margin == Approx(theta / std::sqrt(nu)).epsilon(1e-12));
    CHECK(outlier.eigenvalue == Approx(theta + nu / theta).epsilon(1e-12));
    CHECK(outlier.overlap == Approx(1 - nu / (theta * theta)).epsilon(1e-9));
    const OutlierEstimate estimate = estimate_outlier(noise, outlier.eigenvalue);
    CHECK(estimate.exposure == Approx(theta / 256).epsilon(1e-6));
    CHECK(estimate.overlap == Approx(outlier.overlap).epsilon(1e-4));
  }
  CHECK(!predict_outlier(noise, {9.999 / 256}).detectable());
}

TEST_CASE("simulated federations with symmetric noise have the eigenvalues and overlaps that are predicted") {
  const std::vector<NoisyClient> clients = {
      {80, .3, .25, {.6, .2}}, {150, .3, .25, {.5, .3}}, {300, .25, .25, {.5, .5}}, {600, .2, .25, {.3, .7}}};
  for (const double sigma : {0.03, 0.1, 0.2}) {
    CAPTURE(sigma);
    check_prediction(clients, 2, 300, 16, sigma);
  }
}

}  // namespace
}  // namespace engram::spectral
