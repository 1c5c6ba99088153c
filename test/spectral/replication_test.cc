#include "spectral/replication.h"

#include <doctest/doctest.h>

#include <Eigen/Core>
#include <cmath>
#include <vector>

#include "support/noisy_clients.h"

namespace engram::spectral {
namespace {

constexpr int kDim = 400;

// Two halves of the clients that share two archetypes; in either of them some examples are heavy, as the
// tails of non-Gaussian noise are: a private direction each.
struct Halves {
  explicit Halves(bool share, uint64_t seed) {
    RandomStream random(seed, 1);
    const Eigen::MatrixXd archetypes = support::random_archetypes(2, kDim, random);
    const std::vector<double> exposure = share ? std::vector<double>{0.5, 0.5} : std::vector<double>{};
    for (Eigen::MatrixXd& half : halves) {
      half =
          support::operator_of({{.samples = 400, .quality = 0.6, .exposure = exposure}}, archetypes, random);
      for (int heavy = 0; heavy < 2; ++heavy) {
        Eigen::VectorXd x(kDim);
        for (double& entry : x) entry = random.gaussian();
        half += 0.05 * x * x.transpose();
      }
    }
    whole = (halves[0] + halves[1]) / 2;
    truth = archetypes;
  }

  Result<Detection> replicated() {
    Result<Detection> found = detect(DenseOperator(whole.data(), kDim), noise, {}, {});
    REQUIRE(found.ok());
    before = found.value();
    const Status status = keep_replicated(DenseOperator(halves[0].data(), kDim),
                                          DenseOperator(halves[1].data(), kDim), noise, found.value(), {});
    REQUIRE(status.ok());
    return found;
  }

  Eigen::MatrixXd halves[2];
  Eigen::MatrixXd whole;
  Eigen::MatrixXd truth;
  NoiseEdge noise{{{.weight = 1, .samples = 800, .noise_variance = 1}}, kDim};
  Detection before;
};

TEST_CASE("directions that both halves know are left, those of one half are not") {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Halves halves(true, seed);
    const Detection left = halves.replicated().value();
    CHECK(halves.before.count() == 6);
    REQUIRE(left.count() == 2);
    CHECK(left.eigenvalues == halves.before.eigenvalues);
    CHECK(left.values[0] >= left.values[1]);
    CHECK(left.gamma.size() == 2);
    CHECK(check_orthonormal(left.rows(kDim)).ok());
    // They hold the archetypes as well as the whole span did.
    for (int mu = 0; mu < 2; ++mu) {
      const Eigen::VectorXf xi = halves.truth.row(mu).cast<float>();
      double kept = 0;
      double had = 0;
      std::vector<double> c(6);
      multiply(left.rows(kDim), xi.data(), c.data());
      for (int k = 0; k < 2; ++k) kept += c[static_cast<size_t>(k)] * c[static_cast<size_t>(k)] / kDim;
      multiply(halves.before.rows(kDim), xi.data(), c.data());
      for (const double x : c) had += x * x / kDim;
      CHECK(kept > had - 0.02);
    }
  }
}

TEST_CASE("halves that share nothing leave nothing") {
  for (uint64_t seed = 10; seed < 15; ++seed) {
    Halves halves(false, seed);
    const Detection left = halves.replicated().value();
    CHECK(halves.before.count() == 4);
    CHECK(left.count() == 0);
    CHECK(left.v.empty());
    CHECK(left.gamma.empty());
  }
}

TEST_CASE("nothing detected stays nothing, and who gives up ends it") {
  Halves halves(true, 20);
  Detection nothing;
  const DenseOperator half(halves.halves[0].data(), kDim);
  CHECK(keep_replicated(half, half, halves.noise, nothing, {}).ok());
  CHECK(nothing.count() == 0);
  Detection found = detect(DenseOperator(halves.whole.data(), kDim), halves.noise, {}, {}).value();
  runtime::Parallel aborted;
  aborted.keep_going = [] { return false; };
  CHECK(keep_replicated(half, half, halves.noise, found, aborted).code() == StatusCode::kAborted);
}

}  // namespace
}  // namespace engram::spectral
