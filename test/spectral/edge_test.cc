#include "spectral/edge.h"

#include <doctest/doctest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <complex>
#include <vector>

#include "spectral/tracy_widom.h"
#include "support/noisy_clients.h"

namespace engram::spectral {
namespace {

using doctest::Approx;
using support::NoisyClient;

const std::vector<ClientModel> kUnequal = {
    {0.4, 150, 0.91}, {0.3, 300, 0.96}, {0.2, 600, 0.9856}, {0.1, 1200, 0.9964}};

// z(h) as section 1.6 writes it.
double z_of_h(const std::vector<ClientModel>& clients, double dim, double h) {
  double z = 1 / h;
  for (const ClientModel& c : clients) {
    const double g = dim * c.weight * c.noise_variance / c.samples;
    z += c.weight * c.noise_variance / (1 - h * g);
  }
  return z;
}

TEST_CASE("the edge of equal clients is that of Marchenko and Pastur") {
  for (const double variance : {1.0, 0.36}) {
    for (const double q : {0.01, 0.5, 1.0, 30.0}) {
      const double root = 1 + std::sqrt(q);
      const NoiseEdge pooled({{1, 1000 / q, variance}}, 1000);
      CHECK(pooled.edge() == Approx(variance * root * root).epsilon(1e-13));
      CHECK(pooled.at() == Approx(variance * (q + std::sqrt(q))).epsilon(1e-13));
      CHECK(pooled.effective_samples() == Approx(1000 / q).epsilon(1e-13));
      const double m = 1000 / q / 4;
      const NoiseEdge apart({{.25, m, variance}, {.25, m, variance}, {.25, m, variance}, {.25, m, variance}},
                            1000);
      CHECK(apart.edge() == Approx(pooled.edge()).epsilon(1e-13));
      CHECK(apart.effective_samples() == Approx(1000 / q).epsilon(1e-13));
    }
  }
  // Section 2: N = 784, M = 1568.
  CHECK(NoiseEdge({{1, 1568, 1}}, 784).edge() == Approx(2.914).epsilon(2e-4));
}

TEST_CASE("the edge of unequal clients is the least z(h) of section 1.6") {
  const NoiseEdge noise(kUnequal, 600);
  const double h = 1 / noise.at();
  CHECK(z_of_h(kUnequal, 600, h) == Approx(noise.edge()).epsilon(1e-13));
  CHECK(z_of_h(kUnequal, 600, h * 1.001) > noise.edge());
  CHECK(z_of_h(kUnequal, 600, h / 1.001) > noise.edge());
  CHECK(noise.phi(noise.at()) == Approx(1).epsilon(1e-12));
  for (const double pole : noise.poles()) CHECK(h * pole < 1);
  const double w = 1.7 * noise.at();
  CHECK(noise.eigenvalue(w) == Approx(z_of_h(kUnequal, 600, 1 / w)).epsilon(1e-13));
  const double d = 1e-5 * w;
  CHECK((noise.eigenvalue(w + d) - noise.eigenvalue(w - d)) / (2 * d) ==
        Approx(1 - noise.phi(w)).epsilon(1e-8));
}

TEST_CASE("eigenvalues beyond the edge are inverted") {
  const NoiseEdge noise(kUnequal, 600);
  for (const double factor : {1.001, 1.1, 2.0, 100.0}) {
    const double w = noise.at() * factor;
    CHECK(noise.inverse(noise.eigenvalue(w)) == Approx(w).epsilon(1e-10));
  }
  CHECK(noise.inverse(noise.edge()) == Approx(noise.at()).epsilon(1e-6));
}

TEST_CASE("weights scale the edge, and neither splitting nor listing clients otherwise changes it") {
  const NoiseEdge noise(kUnequal, 600);
  std::vector<ClientModel> scaled = kUnequal;
  for (ClientModel& c : scaled) c.weight *= 7;
  CHECK(NoiseEdge(scaled, 600).edge() == Approx(7 * noise.edge()).epsilon(1e-13));
  CHECK(NoiseEdge(scaled, 600).effective_samples() == Approx(noise.effective_samples()).epsilon(1e-13));

  std::vector<ClientModel> split = kUnequal;
  split[1] = {kUnequal[1].weight / 2, kUnequal[1].samples / 2, kUnequal[1].noise_variance};
  split.push_back(split[1]);
  CHECK(NoiseEdge(split, 600).edge() == Approx(noise.edge()).epsilon(1e-13));
  CHECK(NoiseEdge(split, 600).effective_samples() == Approx(noise.effective_samples()).epsilon(1e-13));

  std::vector<ClientModel> silent = kUnequal;
  silent.push_back({0, 50, 1});
  CHECK(NoiseEdge(silent, 600).edge() == noise.edge());
}

TEST_CASE("more noise, fewer samples and a stricter level move the edge and the cut outward") {
  const NoiseEdge noise(kUnequal, 600);
  for (size_t c = 0; c < kUnequal.size(); ++c) {
    std::vector<ClientModel> noisier = kUnequal;
    noisier[c].noise_variance += 0.003;
    CHECK(NoiseEdge(noisier, 600).edge() > noise.edge());
    std::vector<ClientModel> smaller = kUnequal;
    smaller[c].samples *= 0.9;
    CHECK(NoiseEdge(smaller, 600).edge() > noise.edge());
  }
  CHECK(noise.cut(tracy_widom_quantile(0.05)) > noise.edge());
  CHECK(noise.cut(tracy_widom_quantile(0.01)) > noise.cut(tracy_widom_quantile(0.05)));
}

TEST_CASE("a federation without noise has no edge, and one client without noise is nothing special") {
  const NoiseEdge none({{0.5, 10, 0}, {0.5, 20, 0}}, 100);
  CHECK(none.edge() == 0);
  CHECK(none.at() == 0);
  CHECK(none.cut(1) == 0);
  CHECK(none.inverse(30) == 30);
  const NoiseEdge half({{0.5, 10, 0}, {0.5, 20, 1}}, 100);
  CHECK(half.edge() == Approx(NoiseEdge({{0.5, 20, 1}}, 100).edge()).epsilon(1e-13));
}

Eigen::MatrixXd gaussian_operator(const std::vector<NoisyClient>& clients, int dim, RandomStream& random) {
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(dim, dim);
  for (const NoisyClient& client : clients) {
    Eigen::MatrixXd examples(client.samples, dim);
    for (Eigen::Index i = 0; i < examples.size(); ++i) examples.data()[i] = random.gaussian();
    sum += client.weight / client.samples * examples.transpose() * examples;
  }
  return sum;
}

// Of 300 trials.
double false_alarm_rate(const std::vector<NoisyClient>& clients, int dim, double level, bool gaussian) {
  constexpr int kTrials = 300;
  std::vector<ClientModel> models;
  for (const NoisyClient& c : clients) models.push_back({c.weight, static_cast<double>(c.samples), 1});
  const double cut = NoiseEdge(models, dim).cut(tracy_widom_quantile(level));
  int alarms = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    RandomStream random(20260319, static_cast<uint64_t>(trial));
    const Eigen::MatrixXd none(0, dim);
    const Eigen::MatrixXd w =
        gaussian ? gaussian_operator(clients, dim, random) : support::operator_of(clients, none, random);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(w, Eigen::EigenvaluesOnly);
    if (solver.eigenvalues()[dim - 1] > cut) ++alarms;
  }
  return static_cast<double>(alarms) / kTrials;
}

// The standard error is 0.017 where the true rate is the level.
TEST_CASE("noise passes the cut about as often as was asked for, and noise of +-1 less often") {
  const std::vector<NoisyClient> equal = {{100, 0, 0.5, {}}, {100, 0, 0.5, {}}};
  const std::vector<NoisyClient> unequal = {{30, 0, 0.2, {}}, {60, 0, 0.3, {}}, {200, 0, 0.5, {}}};
  for (const std::vector<NoisyClient>& clients : {equal, unequal}) {
    const double gaussian = false_alarm_rate(clients, 100, 0.1, true);
    const double signs = false_alarm_rate(clients, 100, 0.1, false);
    CHECK(std::abs(gaussian - 0.1) < 0.05);
    CHECK(signs <= gaussian);
    CHECK(signs > 0.01);
  }
}

TEST_CASE("the shift of rare flips is that of equal clients, and scales and splits as the edge does") {
  const double q = 3;
  const double variance = 0.19;  // r = 0.9
  const double root = 1 + std::sqrt(q);
  const double expected = (4 - 6 * variance) * std::sqrt(q) * root * root / 300;
  const double half = .5;
  CHECK(NoiseEdge({{1, 100, variance}}, 300).kurtosis_shift() == Approx(expected).epsilon(1e-12));
  CHECK(NoiseEdge({{half, 50, variance}, {half, 50, variance}}, 300).kurtosis_shift() ==
        Approx(expected).epsilon(1e-12));
  CHECK(NoiseEdge({{2, 100, variance}}, 300).kurtosis_shift() == Approx(2 * expected).epsilon(1e-12));
  CHECK(NoiseEdge({{1, 100, 2. / 3}}, 300).kurtosis_shift() == Approx(0));
  CHECK(NoiseEdge({{1, 100, 1}}, 300).kurtosis_shift() < 0);
  CHECK(NoiseEdge({{1, 100, 0}}, 300).kurtosis_shift() == 0);
}

// What remains of examples when the archetypes are taken out, which the shift is about. Without it most
// trials alarm.
TEST_CASE("rare flips do not pass the cut more often than was asked for") {
  constexpr int kTrials = 100;
  constexpr int kDim = 150;
  const std::vector<NoisyClient> clients = {{50, .9, .4, {1}}, {200, .8, .6, {1}}};
  const NoiseEdge noise({{.4, 50, .19}, {.6, 200, .36}}, kDim);
  const double quantile = tracy_widom_quantile(0.1);
  int alarms = 0;
  int alarms_without_shift = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    RandomStream random(5, static_cast<uint64_t>(trial));
    const Eigen::MatrixXd ones = Eigen::MatrixXd::Ones(1, kDim);
    Eigen::MatrixXd w = Eigen::MatrixXd::Zero(kDim, kDim);
    for (const NoisyClient& client : clients) {
      const Eigen::MatrixXd flips =
          (support::noisy_examples(client, ones, random).array() - client.quality).matrix();
      w += client.weight / client.samples * flips.transpose() * flips;
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(w, Eigen::EigenvaluesOnly);
    const double largest = solver.eigenvalues()[kDim - 1];
    if (largest > noise.cut(quantile)) ++alarms;
    if (largest > noise.cut(quantile) - noise.kurtosis_shift()) ++alarms_without_shift;
  }
  CHECK(alarms <= 20);
  CHECK(alarms_without_shift > 50);
}

TEST_CASE("symmetric noise alone has the semicircle of Wigner") {
  for (const double sigma : {1e-3, 0.625, 40.0}) {
    const NoiseEdge noise({{1, 500, 0}}, 256, sigma);
    CHECK(noise.edge() == Approx(2 * sigma * 16).epsilon(1e-13));
    CHECK(noise.at() == Approx(sigma * 16).epsilon(1e-13));
    CHECK(noise.width() == Approx(sigma / std::cbrt(16)).epsilon(1e-13));  // sigma N^(-1/6)
    CHECK(noise.kurtosis_shift() == 0);
    CHECK(noise.eigenvalue(noise.at() * 3) == Approx(sigma * 16 * (3 + 1. / 3)).epsilon(1e-13));
  }
}

// The Stieltjes transform h(x + iy) of W + G by fixed-point iteration of Pastur's equation, which is
// h = 1 / (z - nu h - sum_c a_c s_c / (1 - h g_c)): an edge is where its imaginary part dies out.
TEST_CASE("the density of examples and symmetric noise ends at the edge") {
  const double sigma = 0.05;
  const double nu = sigma * sigma * 600;
  const NoiseEdge noise(kUnequal, 600, sigma);
  const auto density = [&](double x) {
    const std::complex<double> z(x, 1e-9);
    std::complex<double> h(0, -1);
    for (int iteration = 0; iteration < 20000; ++iteration) {
      std::complex<double> silent = z - nu * h;
      for (size_t c = 0; c < kUnequal.size(); ++c) {
        silent -= kUnequal[c].weight * kUnequal[c].noise_variance / (1.0 - h * noise.poles()[c]);
      }
      h = 0.5 * h + 0.5 / silent;
    }
    return -h.imag();
  };
  CHECK(density(noise.edge() * 1.002) < 1e-6);
  // By the square root that width() is made of: rho = (1 / pi) c sqrt(E - x), c = (width N^(2/3))^(-3/2).
  const double unit = noise.width() * std::cbrt(600.0 * 600.0);
  const double below = 0.002 * noise.edge();
  CHECK(density(noise.edge() - below) == Approx(std::sqrt(below / (unit * unit * unit))).epsilon(0.02));
}

TEST_CASE("of examples alone the width is that of Johnstone") {
  for (const double samples : {150.0, 600.0, 2400.0}) {
    const LargestNoiseEigenvalue johnstone = largest_noise_eigenvalue(600, samples + 1);
    CHECK(NoiseEdge({{1, samples, 0.7}}, 600).width() ==
          Approx(0.7 * johnstone.scale / samples).epsilon(1e-12));
  }
  CHECK(NoiseEdge({{1, 100, 0}}, 600).width() == 0);
}

TEST_CASE("symmetric noise moves edge and cut outward, and its scale is that of the weights") {
  NoiseEdge before(kUnequal, 600);
  for (const double sigma : {1e-4, 1e-2, 0.1, 3.0}) {
    const NoiseEdge noise(kUnequal, 600, sigma);
    CHECK(noise.edge() > before.edge());
    CHECK(noise.cut(1) > before.cut(1));
    CHECK(noise.phi(noise.at()) == Approx(1).epsilon(1e-12));
    const double w = 1.3 * noise.at();
    CHECK(noise.inverse(noise.eigenvalue(w)) == Approx(w).epsilon(1e-10));
    const double d = 1e-5 * w;
    CHECK((noise.eigenvalue(w + d) - noise.eigenvalue(w - d)) / (2 * d) ==
          Approx(1 - noise.phi(w)).epsilon(1e-8));
    std::vector<ClientModel> scaled = kUnequal;
    for (ClientModel& c : scaled) c.weight *= 7;
    CHECK(NoiseEdge(scaled, 600, 7 * sigma).cut(1) == Approx(7 * noise.cut(1)).epsilon(1e-13));
    before = noise;
  }
  CHECK(NoiseEdge(kUnequal, 600, 1e-9).edge() == Approx(NoiseEdge(kUnequal, 600).edge()).epsilon(1e-12));
}

// Noise of little, equal and much more weight than that of the examples. 0.021 is the standard error at the
// level, 0.09 that of the mean in widths; leading order is off by 0.1 to 0.15 of a width at N = 100.
TEST_CASE("examples and symmetric noise pass the cut about as often as was asked for") {
  constexpr int kTrials = 200;
  constexpr int kDim = 100;
  const std::vector<NoisyClient> clients = {{30, 0, 0.2, {}}, {60, 0, 0.3, {}}, {200, 0, 0.5, {}}};
  const std::vector<ClientModel> models = {{.2, 30, 1}, {.3, 60, 1}, {.5, 200, 1}};
  const double quantile = tracy_widom_quantile(0.1);
  for (const double sigma : {0.02, 0.1, 1.0}) {
    const NoiseEdge noise(models, kDim, sigma);
    int alarms = 0;
    double mean = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      RandomStream random(20260320, static_cast<uint64_t>(trial));
      Eigen::MatrixXd w = gaussian_operator(clients, kDim, random);
      w += support::symmetric_noise(kDim, sigma, random);
      const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(w, Eigen::EigenvaluesOnly);
      mean += solver.eigenvalues()[kDim - 1] / kTrials;
      if (solver.eigenvalues()[kDim - 1] > noise.cut(quantile)) ++alarms;
    }
    CHECK(alarms > 4);
    CHECK(alarms < 40);
    CHECK(std::abs((mean - noise.edge()) / noise.width() + 1.2065) <
          0.42);  // the mean of Tracy and Widom's law
  }
}

}  // namespace
}  // namespace engram::spectral
