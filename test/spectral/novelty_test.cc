#include "spectral/novelty.h"

#include <doctest/doctest.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <vector>

#include "support/archetypes.h"
#include "support/noisy_clients.h"

namespace engram::spectral {
namespace {

constexpr int kDim = 600;

// One client that sees three archetypes, 50%, 30% and 20% of the time.
struct Given {
  explicit Given(double fed_back) {
    RandomStream random(4, 1);
    archetypes = support::random_archetypes(3, kDim, random);
    matrix = support::operator_of({{.samples = 600, .quality = 0.7, .exposure = {0.5, 0.3, 0.2}}}, archetypes,
                                  random);
    for (int k = 0; k < 3; ++k) {
      for (int n = 0; n < kDim; ++n) states.push_back(archetypes(k, n) > 0 ? 1 : -1);
    }
    matrix += fed_back * archetypes.row(0).transpose() * archetypes.row(0);
    detection = detect(DenseOperator(matrix.data(), kDim), noise, {}, {}).value();
    REQUIRE(detection.count() == 3);
  }
  MatrixView<const int8_t> known(size_t count) const { return {states.data(), count, kDim}; }

  Eigen::MatrixXd archetypes;
  Eigen::MatrixXd matrix;
  std::vector<int8_t> states;
  NoiseEdge noise{{{.weight = 1, .samples = 600, .noise_variance = 0.51}}, kDim};
  Detection detection;
};

double strength(double exposure) { return 0.49 * exposure * kDim; }

TEST_CASE("what is not known has the strength of its exposure, whatever is fed back") {
  for (const double fed_back : {0.0, 1.0}) {
    const Given given(fed_back);
    std::vector<double> unknown = unknown_strengths(given.detection, given.known(1), given.noise);
    REQUIRE(unknown.size() == 2);
    std::sort(unknown.begin(), unknown.end());
    CHECK(unknown[0] == doctest::Approx(strength(0.2)).epsilon(0.1));
    CHECK(unknown[1] == doctest::Approx(strength(0.3)).epsilon(0.1));
    CHECK(novelty_share(unknown, strength(0.5)) == doctest::Approx(0.5).epsilon(0.05));
  }
}

TEST_CASE("all is new where nothing is known, and nothing where all is") {
  const Given given(0);
  const std::vector<double> all = unknown_strengths(given.detection, given.known(0), given.noise);
  CHECK(all.size() == 3);
  CHECK(novelty_share(all, 0) == 1);
  CHECK(unknown_strengths(given.detection, given.known(3), given.noise).empty());
  CHECK(unknown_strengths(given.detection, given.known(2), given.noise).size() == 1);
}

TEST_CASE("without signal there is no novelty") {
  CHECK(novelty_share({}, 0) == 0);
  CHECK(novelty_share({}, 5) == 0);
  const Given given(0);
  CHECK(unknown_strengths(Detection(), given.known(0), given.noise).empty());
}

TEST_CASE("where no client shows quality, it counts as one") {
  const Given given(0);
  const NoiseEdge unsure({{.weight = 1, .samples = 600, .noise_variance = 1}}, kDim);
  // The same eigenvalues over an edge further out: less, but of the scale of N.
  const std::vector<double> all = unknown_strengths(given.detection, given.known(0), unsure);
  REQUIRE(all.size() == 3);
  double sum = 0;
  for (const double s : all) sum += s;
  CHECK(sum == doctest::Approx(strength(1)).epsilon(0.1));
}

}  // namespace
}  // namespace engram::spectral
