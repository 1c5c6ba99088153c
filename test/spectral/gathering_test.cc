#include "spectral/gathering.h"

#include <doctest/doctest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <vector>

#include "spectral/eigenpairs.h"
#include "support/noisy_clients.h"

namespace engram::spectral {
namespace {

using doctest::Approx;
using Eigen::MatrixXd;

constexpr size_t kDim = 300;

HebbianOperator message_of(const MatrixXd& archetypes, uint64_t trial, size_t rank) {
  RandomStream random(9, trial);
  const MatrixXd dense = support::noisy_examples(
      {.samples = 60, .quality = 0.5, .weight = 1, .exposure = {0.5, 0.5}}, archetypes, random);
  std::vector<int8_t> signs;
  for (Eigen::Index i = 0; i < dense.rows(); ++i) {
    for (Eigen::Index n = 0; n < dense.cols(); ++n) signs.push_back(static_cast<int8_t>(dense(i, n)));
  }
  const Result<HebbianOperator> message =
      encode({signs.data(), engine::Element::kInt8, 60, kDim}, {.rank = rank, .client = {}}, {});
  REQUIRE(message.ok());
  return message.value();
}

std::vector<HebbianOperator> messages_of(size_t count, size_t rank) {
  RandomStream random(8, 0);
  const MatrixXd archetypes = support::random_archetypes(2, kDim, random);
  std::vector<HebbianOperator> messages;
  for (size_t c = 0; c < count; ++c) messages.push_back(message_of(archetypes, c, rank));
  return messages;
}

// What the messages stand for, in Float64.
MatrixXd dense_sum(const std::vector<HebbianOperator>& messages) {
  MatrixXd sum = MatrixXd::Zero(kDim, kDim);
  for (const HebbianOperator& m : messages) {
    const auto rank = static_cast<Eigen::Index>(m.rank());
    using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const MatrixXd v = Eigen::Map<const RowMajor>(m.factor.data(), rank, kDim).cast<double>();
    const Eigen::VectorXd weights = Eigen::VectorXd::Map(m.eigenvalues.data(), rank).array() - m.rest();
    sum += v.transpose() * weights.asDiagonal() * v + m.rest() * MatrixXd::Identity(kDim, kDim);
  }
  return sum;
}

MatrixXd written_out(const SumOperator& sum) {
  std::vector<double> unit(kDim * kDim, 0);
  for (size_t i = 0; i < kDim; ++i) unit[i * kDim + i] = 1;
  std::vector<double> product(kDim * kDim);
  REQUIRE(sum.apply(unit.data(), kDim, product.data(), {}).ok());
  return MatrixXd::Map(product.data(), kDim, kDim);
}

TEST_CASE("messages that fit the budget add up to exactly what they stand for, in any order") {
  const std::vector<HebbianOperator> messages = messages_of(5, 20);
  Gathering forwards(kDim, {});
  Gathering backwards(kDim, {});
  for (size_t c = 0; c < 5; ++c) {
    REQUIRE(forwards.add(messages[c], 1, {}).ok());
    REQUIRE(backwards.add(messages[4 - c], 1, {}).ok());
  }
  REQUIRE(forwards.finish({}).ok());
  REQUIRE(backwards.finish({}).ok());
  CHECK_FALSE(forwards.compressed());
  CHECK(forwards.discarded_trace(1) == 0);
  const MatrixXd sum = written_out(forwards.sum(0.2));
  CHECK((sum - 0.2 * dense_sum(messages)).cwiseAbs().maxCoeff() < 1e-5);
  CHECK((sum.array() == written_out(backwards.sum(0.2)).array()).all());
}

TEST_CASE("beyond the budget the leading eigenpairs and the trace survive") {
  const std::vector<HebbianOperator> messages = messages_of(24, 50);     // 1,200 rows into 256
  Gathering gathering(kDim, {.budget = 3 * 50 * kDim * sizeof(float)});  // three messages fit
  for (const HebbianOperator& message : messages) REQUIRE(gathering.add(message, 1, {}).ok());
  REQUIRE(gathering.finish({}).ok());
  CHECK(gathering.compressed());
  CHECK(gathering.discarded_trace(1) > 0);
  const MatrixXd found = written_out(gathering.sum(1));
  const MatrixXd expected = dense_sum(messages);
  CHECK(found.trace() == Approx(expected.trace()).epsilon(1e-5));
  const Eigen::SelfAdjointEigenSolver<MatrixXd> found_pairs(found);
  const Eigen::SelfAdjointEigenSolver<MatrixXd> expected_pairs(expected);
  for (Eigen::Index k = kDim - 2; k < static_cast<Eigen::Index>(kDim); ++k) {
    CHECK(found_pairs.eigenvalues()[k] == Approx(expected_pairs.eigenvalues()[k]).epsilon(1e-3));
    const double overlap = found_pairs.eigenvectors().col(k).dot(expected_pairs.eigenvectors().col(k));
    CHECK(std::abs(overlap) > 0.999);
  }
}

}  // namespace
}  // namespace engram::spectral
