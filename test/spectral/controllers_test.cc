#include "spectral/controllers.h"

#include <doctest/doctest.h>

#include <Eigen/Core>
#include <cmath>
#include <vector>

#include "spectral/random_stream.h"
#include "support/archetypes.h"
#include "support/federation.h"

namespace engram::spectral {
namespace {

using support::Device;
using support::patterns;
using support::random_archetypes;

// p over all pairs i < j with A_ij != 0, from the whole of J and A.
double agreement_of_all(const std::vector<int8_t>& xi, const std::vector<int8_t>& examples, size_t dim) {
  const auto n = static_cast<Eigen::Index>(dim);
  const auto columns = [n](const std::vector<int8_t>& rows) {
    return Eigen::Map<const Eigen::Matrix<int8_t, Eigen::Dynamic, Eigen::Dynamic>>(
               rows.data(), n, static_cast<Eigen::Index>(rows.size()) / n)
        .cast<float>();
  };
  const Eigen::MatrixXf x = columns(examples);
  const Eigen::MatrixXf memory = columns(xi);
  const Eigen::MatrixXf j = x * x.transpose();
  const Eigen::MatrixXf a = memory * memory.transpose();
  double agree = 0;
  double all = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index k = 0; k < i; ++k) {
      if (a(i, k) == 0 || j(i, k) == 0) continue;
      agree += (a(i, k) > 0) == (j(i, k) > 0) ? 1 : 0;
      ++all;
    }
  }
  return agree / all;
}

double binary_entropy(double p) { return -p * std::log2(p) - (1 - p) * std::log2(1 - p); }

struct Client {
  Client(const std::vector<int8_t>& xi, size_t dim_, size_t samples, double quality_,
         const std::vector<double>& exposure, uint64_t seed)
      : dim(dim_), quality(quality_) {
    RandomStream random(seed, 5);
    const Device device{samples, quality, exposure, ""};
    examples = support::seen_by(device, xi, dim, random);
  }
  FactorOperator moments() const {
    const engine::Rows rows = support::as_rows(examples, dim);
    return {rows, 1 / static_cast<double>(rows.count)};
  }
  double plasticity(Controller rule, const MatrixView<const int8_t>& known) const {
    const FactorOperator operator_ = moments();
    const ClientModel model{.weight = 1,
                            .samples = static_cast<double>(operator_.rows().count),
                            .noise_variance = 1 - quality * quality};
    const Experience experience{
        .moments = operator_, .noise = {{model}, static_cast<double>(dim)}, .quality = quality};
    return raw_plasticity({.rule = rule, .plasticity = 0.3}, known, experience, 0.9793, {}).value();
  }

  size_t dim;
  double quality;
  std::vector<int8_t> examples;
};

TEST_CASE("sign agreement is that of all pairs, and within 0.002 of it where not all are looked at") {
  for (const size_t dim : {101, 512, 1500}) {
    for (const size_t count : {1, 2, 3, 4}) {
      const std::vector<int8_t> xi = random_archetypes(count, dim, dim + count);
      const std::vector<double> exposure(count, 1.0 / static_cast<double>(count));
      const Client client(xi, dim, 30, 0.7, exposure, count);
      const Result<double> p = sign_agreement(patterns(xi, dim), client.moments(), {});
      REQUIRE(p.ok());
      const double expected = agreement_of_all(xi, client.examples, dim);
      CHECK(std::abs(p.value() - expected) <= (dim <= 512 ? 1e-3 : 3e-3));
    }
  }
}

TEST_CASE("without a pair to compare, half of them agree") {
  const std::vector<int8_t> xi = {1, 1, 1, -1};  // of two entries: every product balances
  const std::vector<int8_t> examples = {1, 1};
  const FactorOperator moments(support::as_rows(examples, 2), 1);
  CHECK(sign_agreement(patterns(xi, 2), moments, {}).value() == 0.5);
}

TEST_CASE("the paper's rules at the ends and between") {
  const double least = (1 + 0.8 * 0.8) / 2;
  CHECK(entropy_rule(0.5, 0.8) == 1);
  CHECK(entropy_rule(least, 0.8) == doctest::Approx(0));
  CHECK(entropy_rule(1, 0.8) == 0);
  const double floor = binary_entropy(least);
  CHECK(entropy_rule(0.7, 0.8) == doctest::Approx((binary_entropy(0.7) - floor) / (1 - floor)));
  CHECK(trust_rule(0.5, 0.8) == 0);
  CHECK(trust_rule(0.4, 0.8) == 0);
  CHECK(trust_rule(least, 0.8) == doctest::Approx(1));
  CHECK(trust_rule(1, 0.8) == 1);
  CHECK(trust_rule(0.66, 0.8) == doctest::Approx(0.5));
}

TEST_CASE("a client that shows no quality is judged as one of quality one, not by 0 / 0") {
  for (const double quality : {0.0, 1e-200, 1e-9}) {
    CHECK(entropy_rule(0.5, quality) == 1);
    CHECK(entropy_rule(0.9, quality) == doctest::Approx(binary_entropy(0.9)));
    CHECK(trust_rule(0.5, quality) == 0);
    CHECK(trust_rule(0.9, quality) == doctest::Approx(0.8));
  }
}

// Section 1.8, the defects measured: the entropy rule hears noise, the trust rule those who agree.
TEST_CASE("who is heard: noise, the usual, and news") {
  constexpr size_t kDim = 500;
  const std::vector<int8_t> xi = random_archetypes(4, kDim, 1);
  const MatrixView<const int8_t> known(xi.data(), 3, kDim);
  const Client noise(xi, kDim, 160, 0, {1, 0, 0, 0}, 1);
  const Client usual(xi, kDim, 160, 0.9, {1 / 3.0, 1 / 3.0, 1 / 3.0, 0}, 2);
  const Client news(xi, kDim, 160, 0.9, {0, 0, 0, 1}, 3);

  CHECK(noise.plasticity(Controller::kEntropy, known) > 0.98);
  CHECK(usual.plasticity(Controller::kEntropy, known) < 0.02);
  CHECK(news.plasticity(Controller::kEntropy, known) > 0.95);

  CHECK(noise.plasticity(Controller::kTrust, known) < 0.1);
  CHECK(usual.plasticity(Controller::kTrust, known) > 0.98);
  CHECK(news.plasticity(Controller::kTrust, known) < 0.15);

  CHECK(noise.plasticity(Controller::kSpectral, known) == kLeastSpectral);
  CHECK(usual.plasticity(Controller::kSpectral, known) == kLeastSpectral);
  CHECK(news.plasticity(Controller::kSpectral, known) == 1);
  const Client mixed(xi, kDim, 160, 0.9, {0.2, 0.2, 0.2, 0.4}, 4);
  CHECK(std::abs(mixed.plasticity(Controller::kSpectral, known) - 0.4) < 0.1);

  CHECK(noise.plasticity(Controller::kFixed, known) == 0.3);
}

// With ties as disagreement, as in the paper, perfect memories give .858 (K = 4), .675 (6), .520 (8) at r =
// 0.8: p is the share of pairs that do not tie, here counted as what it is, nothing.
TEST_CASE("an even number of archetypes looks no less known than an odd one") {
  constexpr size_t kDim = 400;
  for (const size_t count : {2, 3, 4, 6, 8}) {
    const std::vector<int8_t> xi = random_archetypes(count, kDim, count);
    const FactorOperator perfect(support::as_rows(xi, kDim), 1 / static_cast<double>(count));
    const Result<double> p = sign_agreement(patterns(xi, kDim), perfect, {});
    CHECK(p.value() == 1);
    CHECK(entropy_rule(p.value(), 0.8) == 0);
    CHECK(trust_rule(p.value(), 0.8) == 1);
  }
}

TEST_CASE("everything is new to an empty memory") {
  const std::vector<int8_t> xi = random_archetypes(1, 100, 1);
  const Client client(xi, 100, 20, 0.5, {1}, 1);
  for (const Controller rule :
       {Controller::kFixed, Controller::kEntropy, Controller::kTrust, Controller::kSpectral}) {
    CHECK(client.plasticity(rule, {nullptr, 0, 100}) == 1);
  }
}

}  // namespace
}  // namespace engram::spectral
