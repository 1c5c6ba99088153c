#include "spectral/hebbian_operator.h"

#include <doctest/doctest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "support/noisy_clients.h"

namespace engram::spectral {
namespace {

using doctest::Approx;
using Eigen::MatrixXd;

struct Examples {
  MatrixXd dense;
  std::vector<int8_t> signs;
  engine::Rows rows() const {
    return {signs.data(), engine::Element::kInt8, static_cast<size_t>(dense.rows()),
            static_cast<size_t>(dense.cols())};
  }
};

Examples make_examples(int samples, double quality, int dim, uint64_t trial) {
  RandomStream random(5, trial);
  const MatrixXd archetypes = support::random_archetypes(2, dim, random);
  Examples examples;
  examples.dense = support::noisy_examples(
      {.samples = samples, .quality = quality, .weight = 1, .exposure = {0.5, 0.5}}, archetypes, random);
  for (int i = 0; i < samples; ++i) {
    for (int n = 0; n < dim; ++n) examples.signs.push_back(static_cast<int8_t>(examples.dense(i, n)));
  }
  return examples;
}

HebbianOperator message_of(const Examples& examples, const EncodeOptions& options = {}) {
  const Result<HebbianOperator> message = encode(examples.rows(), options, {});
  REQUIRE(message.ok());
  return message.value();
}

TEST_CASE("a message holds the leading eigenpairs of the second moment, and its trace") {
  for (const int samples : {40, 400}) {
    const Examples examples = make_examples(samples, 0.6, 300, 1);
    const HebbianOperator message = message_of(examples, {.rank = 12, .client = "north"});
    const MatrixXd second_moment = examples.dense.transpose() * examples.dense / samples;
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(second_moment);
    CHECK(message.rank() == 12);
    CHECK(message.sample_count == static_cast<uint64_t>(samples));
    CHECK(message.trace == Approx(300).epsilon(1e-12));
    CHECK(message.client == "north");
    double left = 300;
    for (size_t k = 0; k < message.rank(); ++k) {
      const double expected = solver.eigenvalues()[299 - static_cast<Eigen::Index>(k)];
      CHECK(message.eigenvalues[k] == Approx(expected).epsilon(1e-5));
      left -= expected;
      const Eigen::Map<const Eigen::VectorXf> v(&message.factor[k * 300], 300);
      const Eigen::VectorXd residual = second_moment * v.cast<double>() - expected * v.cast<double>();
      CHECK(residual.norm() <= 1e-4 * message.eigenvalues[0]);
    }
    CHECK(message.rest() == Approx(left / 288).epsilon(1e-4));
    CHECK(check(message).ok());
  }
}

TEST_CASE("noise and quality are those of the examples") {
  const HebbianOperator message = message_of(make_examples(600, 0.6, 300, 2));
  CHECK(message.quality == Approx(0.6).epsilon(0.03));
  CHECK(message.noise_variance == Approx(1 - 0.36).epsilon(0.03));
  const HebbianOperator noise = message_of(make_examples(600, 0, 300, 3));
  CHECK(noise.quality == 0);
  CHECK(noise.noise_variance == 1);
}

TEST_CASE("real examples are measured on their own scale") {
  const Examples examples = make_examples(600, 0.6, 300, 2);
  std::vector<float> scaled(examples.signs.begin(), examples.signs.end());
  for (float& x : scaled) x *= 25;
  const Result<HebbianOperator> message =
      encode({scaled.data(), engine::Element::kFloat32, 600, 300}, {}, {});
  REQUIRE(message.ok());
  CHECK(message.value().trace == Approx(300 * 625).epsilon(1e-9));
  CHECK(message.value().noise_variance == Approx(message_of(examples).noise_variance).epsilon(1e-4));
}

TEST_CASE("a message that would give its examples away is refused unless it is insisted on") {
  const Examples examples = make_examples(10, 0.8, 100, 4);
  CHECK(message_of(examples).rank() == 9);
  const Result<HebbianOperator> refused = encode(examples.rows(), {.rank = 10, .client = {}}, {});
  CHECK(refused.status().code() == StatusCode::kRange);
  CHECK(refused.status().message().find("rank 10 from 10 examples") != std::string::npos);
  CHECK(message_of(examples, {.rank = 10, .allow_leak = true, .client = {}}).rank() == 10);
  CHECK(message_of(examples, {.rank = 40, .allow_leak = true, .client = {}}).rank() == 10);
  CHECK(leak_risk(100, 10));
  CHECK_FALSE(leak_risk(100, 12));
}

TEST_CASE("examples that repeat have no more eigenpairs than there are different ones") {
  Examples examples = make_examples(1, 0.8, 100, 5);
  const std::vector<int8_t> one = examples.signs;
  examples.dense = MatrixXd(30, 100);
  for (int i = 1; i < 30; ++i) examples.signs.insert(examples.signs.end(), one.begin(), one.end());
  const HebbianOperator message = message_of(examples, {.rank = 8, .client = {}});
  CHECK(message.rank() == 1);
  CHECK(message.eigenvalues[0] == Approx(100).epsilon(1e-6));
  CHECK(message.noise_variance == Approx(0).epsilon(1e-6));
  CHECK(message.quality == Approx(1));
}

TEST_CASE("bad examples and options are refused") {
  const Examples examples = make_examples(20, 0.8, 50, 6);
  const auto code_of = [&](const EncodeOptions& options) {
    return encode(examples.rows(), options, {}).status().code();
  };
  CHECK(code_of({.rank = 51, .client = {}}) == StatusCode::kRange);
  CHECK(code_of({.client = "two\nlines"}) == StatusCode::kRange);
  CHECK(code_of({.client = std::string(257, 'x')}) == StatusCode::kRange);
  std::vector<float> numbers(100, 0.0F);
  const engine::Rows rows{numbers.data(), engine::Element::kFloat32, 2, 50};
  CHECK(encode(rows, {}, {}).status().code() == StatusCode::kRange);  // nothing but zeros
  numbers[70] = std::numeric_limits<float>::infinity();
  const Result<HebbianOperator> infinite = encode(rows, {}, {});
  CHECK(infinite.status().code() == StatusCode::kNonFinite);
  CHECK(infinite.status().message().find("example 1") != std::string::npos);
  CHECK(encode({nullptr, engine::Element::kFloat32, 0, 50}, {}, {}).status().code() == StatusCode::kShape);
}

TEST_CASE("a message that cannot be true is refused") {
  const HebbianOperator good = message_of(make_examples(40, 0.6, 100, 7), {.rank = 5, .client = {}});
  const std::vector<std::pair<const char*, std::function<void(HebbianOperator&)>>> lies{
      {"dim beyond any memory", [](HebbianOperator& m) { m.dim = size_t{1} << 63, m.factor.clear(); }},
      {"no samples", [](HebbianOperator& m) { m.sample_count = 0; }},
      {"trace zero", [](HebbianOperator& m) { m.trace = 0; }},
      {"trace NaN", [](HebbianOperator& m) { m.trace = std::nan(""); }},
      {"noise above 1", [](HebbianOperator& m) { m.noise_variance = 1.5; }},
      {"quality below 0", [](HebbianOperator& m) { m.quality = -0.1; }},
      {"eigenvalue 0", [](HebbianOperator& m) { m.eigenvalues[4] = 0; }},
      {"eigenvalue NaN", [](HebbianOperator& m) { m.eigenvalues[4] = std::nan(""); }},
      {"eigenvalues rise", [](HebbianOperator& m) { m.eigenvalues[4] = m.eigenvalues[0] + 1; }},
      {"beyond the trace", [](HebbianOperator& m) { m.eigenvalues[0] = 101; }},
      {"below the rest", [](HebbianOperator& m) { m.eigenvalues[4] = 1e-3; }},
      {"rank 0", [](HebbianOperator& m) { m.eigenvalues.clear(), m.factor.clear(); }},
      {"factor too short", [](HebbianOperator& m) { m.factor.pop_back(); }},
      {"not orthonormal", [](HebbianOperator& m) { m.factor[3] += 0.1F; }},
      {"factor NaN", [](HebbianOperator& m) { m.factor[3] = std::nanf(""); }},
      {"name", [](HebbianOperator& m) { m.client = "a\tb"; }}};
  for (const auto& [name, lie] : lies) {
    CAPTURE(name);
    HebbianOperator message = good;
    lie(message);
    CHECK(check(message).code() == StatusCode::kFormat);
  }
}

}  // namespace
}  // namespace engram::spectral
