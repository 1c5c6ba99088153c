#include "spectral/detectability.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "spectral/outlier.h"

namespace engram::spectral {
namespace {

using doctest::Approx;

bool always() { return true; }

DetectabilityQuestion one_client(double dim, double samples, double quality, std::vector<double> exposure) {
  DetectabilityQuestion question;
  question.dim = dim;
  question.samples = {samples};
  question.quality = {quality};
  question.archetypes = exposure.size();
  question.exposure = std::move(exposure);
  return question;
}

DetectabilityQuestion unequal() {
  DetectabilityQuestion question;
  question.dim = 600;
  question.samples = {150, 300, 600, 1200};
  question.quality = {.30, .20, .12, .06};
  question.archetypes = 3;
  question.exposure = {.70, .29, .01, .50, .49, .01, .20, .79, .01, .60, .39, .01};
  return question;
}

Detectability ask(const DetectabilityQuestion& question) { return detectability(question, always).value(); }

// Section 2, N = M = 1000, K = 4, and the closed forms of section 1.5.
TEST_CASE("the forecast for one client is the closed form") {
  for (const double r : {.12, .15, .20, .30}) {
    const Detectability answer = ask(one_client(1000, 1000, r, {.25, .25, .25, .25}));
    const double kappa = 1000 * r * r / 4 / (1 - r * r);
    CHECK(answer.edge == Approx(4 * (1 - r * r)).epsilon(1e-12));
    for (size_t mu = 0; mu < 4; ++mu) {
      CHECK(answer.detectable[mu]);
      CHECK(answer.eigenvalues[mu] == Approx((1 - r * r) * (1 + kappa) * (1 + 1 / kappa)).epsilon(1e-12));
      CHECK(answer.subspace_overlap[mu] == Approx(spike_overlap(kappa, 1)).epsilon(1e-10));
      CHECK(answer.archetype_overlap[mu] ==
            Approx(archetype_overlap(spike_overlap(kappa, 1))).epsilon(1e-10));
      CHECK(answer.extra_samples_needed[mu] == 0);
    }
  }
}

// Detectable iff pi sqrt(N M) r^2 / (1 - r^2) > 1, so M must reach ((1 - r^2) / (pi r^2))^2 / N.
TEST_CASE("the examples still needed by one client are those of the closed form") {
  const double r2 = .0016;
  const Detectability answer = ask(one_client(784, 500, .04, {.75, .25, 0}));
  for (size_t mu = 0; mu < 2; ++mu) {
    const double exposure = mu == 0 ? .75 : .25;
    const double wanted = std::pow((1 - r2) / (exposure * r2), 2) / 784 - 500;
    REQUIRE_FALSE(answer.detectable[mu]);
    CHECK(std::abs(answer.extra_samples_needed[mu] - std::ceil(wanted)) <= 1);
    CHECK(answer.eigenvalues[mu] == answer.edge);
    CHECK(answer.subspace_overlap[mu] == 0);
    CHECK(answer.archetype_overlap[mu] == 0);
  }
  CHECK_FALSE(answer.detectable[2]);
  CHECK(answer.extra_samples_needed[2] == std::numeric_limits<double>::infinity());
}

TEST_CASE("with the examples still needed an archetype becomes detectable, and not with fewer") {
  const DetectabilityQuestion question = unequal();
  const Detectability answer = ask(question);
  CHECK(answer.detectable[0]);
  CHECK(answer.detectable[1]);
  REQUIRE_FALSE(answer.detectable[2]);
  const double extra = answer.extra_samples_needed[2];
  REQUIRE(extra > 10);
  for (const double factor : {0.99, 1.01}) {
    DetectabilityQuestion later = question;
    for (double& m : later.samples) m *= 1 + factor * extra / 2250;
    CHECK(ask(later).detectable[2] == (factor > 1));
  }
}

TEST_CASE("weights are given, chosen, or equal, and are reported as a share of 1") {
  DetectabilityQuestion question = unequal();
  CHECK(ask(question).client_weights == std::vector<double>(4, .25));
  question.given_weights = {2, 2, 2, 2};
  CHECK(ask(question).eigenvalues == ask(unequal()).eigenvalues);
  question.given_weights = {0, 0, 1, 0};
  const Detectability third = ask(question);
  const Detectability alone = ask(one_client(600, 600, .12, {.20, .79, .01}));
  CHECK(third.edge == Approx(alone.edge).epsilon(1e-12));
  CHECK(third.subspace_overlap[1] == Approx(alone.subspace_overlap[1]).epsilon(1e-9));
  question.given_weights.clear();
  question.weights = WeightRule::kSize;
  CHECK(ask(question).client_weights[3] == Approx(1200. / 2250));
}

TEST_CASE("an archetype seen only by clients without weight can never be detected") {
  DetectabilityQuestion question = unequal();
  question.exposure = {1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
  question.given_weights = {1, 1, 1, 0};
  const Detectability answer = ask(question);
  CHECK(answer.extra_samples_needed[2] == std::numeric_limits<double>::infinity());
  CHECK(std::isfinite(answer.extra_samples_needed[0]));
}

TEST_CASE("perfect examples are detected with certainty") {
  const Detectability answer = ask(one_client(100, 50, 1, {.9, .1}));
  CHECK(answer.edge == 0);
  CHECK(answer.eigenvalues[0] == Approx(90));
  CHECK(answer.eigenvalues[1] == Approx(10));
  CHECK(answer.archetype_overlap[1] == Approx(1));
}

TEST_CASE("splitting a client in two halves changes no forecast") {
  const Detectability before = ask(unequal());
  DetectabilityQuestion split = unequal();
  split.samples = {75, 300, 600, 1200, 75};
  split.quality.push_back(.30);
  for (const double e : {.70, .29, .01}) split.exposure.push_back(e);
  split.given_weights = {.125, .25, .25, .25, .125};
  const Detectability after = ask(split);
  for (size_t mu = 0; mu < 3; ++mu) {
    CHECK(after.eigenvalues[mu] == Approx(before.eigenvalues[mu]).epsilon(1e-12));
    CHECK(after.subspace_overlap[mu] == Approx(before.subspace_overlap[mu]).epsilon(1e-10));
    CHECK(std::abs(after.extra_samples_needed[mu] - before.extra_samples_needed[mu]) <= 1);
  }
}

TEST_CASE("no archetypes are a valid question") {
  CHECK(ask(one_client(100, 50, .5, {})).eigenvalues.empty());
}

TEST_CASE("questions that make no sense are refused") {
  const auto code = [](auto&& change) {
    DetectabilityQuestion question = unequal();
    change(question);
    return detectability(question, always).status().code();
  };
  using Q = DetectabilityQuestion;
  CHECK(code([](Q& q) { q.samples.clear(); }) == StatusCode::kShape);
  CHECK(code([](Q& q) { q.quality.pop_back(); }) == StatusCode::kShape);
  CHECK(code([](Q& q) { q.exposure.pop_back(); }) == StatusCode::kShape);
  CHECK(code([](Q& q) { q.given_weights = {1}; }) == StatusCode::kShape);
  CHECK(code([](Q& q) { q.given_weights = {0, 0, 0, 0}; }) == StatusCode::kRange);
  CHECK(code([](Q& q) { q.given_weights = {1, -1, 1, 1}; }) == StatusCode::kRange);
  CHECK(code([](Q& q) { q.dim = 0; }) == StatusCode::kRange);
  CHECK(code([](Q& q) { q.samples[1] = 0; }) == StatusCode::kRange);
  CHECK(code([](Q& q) { q.quality[1] = 0; }) == StatusCode::kRange);
  CHECK(code([](Q& q) { q.quality[1] = 1.01; }) == StatusCode::kRange);
  CHECK(code([](Q& q) { q.quality[1] = NAN; }) == StatusCode::kNonFinite);
  CHECK(code([](Q& q) { q.exposure[3] = -.1; }) == StatusCode::kRange);
  CHECK(code([](Q& q) { q.exposure[3] = .9; }) == StatusCode::kRange);
  CHECK(detectability(unequal(), [] { return false; }).status().code() == StatusCode::kAborted);
}

// Section 3: N = 256, K = 4, M = 2000, r = 0.5, delta = 1e-5. At epsilon 1 the prototype's edge is 20 and its
// m .60 to .84, at epsilon 2 m >= .99. privacy_noise = 1 / sqrt(2 rho), rho = (sqrt(ln(1 / delta) + epsilon)
// - sqrt(ln(1 / delta)))^2.
TEST_CASE("the forecast for a private federation is that of the prototype") {
  const auto forecast = [](double epsilon) {
    DetectabilityQuestion question = one_client(256, 2000, .5, {.25, .25, .25, .25});
    const double log = std::log(1e5);
    question.privacy_noise = 1 / (std::sqrt(2) * (std::sqrt(log + epsilon) - std::sqrt(log)));
    return ask(question);
  };
  CHECK(forecast(1).edge == Approx(20).epsilon(0.05));  // that of the noise alone
  CHECK(forecast(1).archetype_overlap[0] > .60);
  CHECK(forecast(1).archetype_overlap[0] < .84);
  CHECK(forecast(2).archetype_overlap[0] > .99);
  CHECK(forecast(4).archetype_overlap[0] > .9999);
  CHECK(!forecast(.5).detectable[0]);
}

TEST_CASE("privacy's noise shrinks with the samples that are still needed") {
  DetectabilityQuestion question = one_client(256, 2000, .5, {.1});
  question.privacy_noise = 10;
  const Detectability before = ask(question);
  REQUIRE(!before.detectable[0]);
  const double extra = before.extra_samples_needed[0];
  question.samples[0] += extra;
  CHECK(ask(question).detectable[0]);
  question.samples[0] -= extra * 1e-3 + 2;
  CHECK(!ask(question).detectable[0]);
  // The noise alone: theta = N r^2 / 10 = 6.4 against sigma sqrt(N), sigma = 10 N / M.
  CHECK(2000 + extra == Approx(256 * 10 * 16 / 6.4).epsilon(0.02));
  question.privacy_noise = -1;
  CHECK(detectability(question, always).status().code() == StatusCode::kRange);
}

}  // namespace
}  // namespace engram::spectral
