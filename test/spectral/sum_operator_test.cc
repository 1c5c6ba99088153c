#include "spectral/sum_operator.h"

#include <doctest/doctest.h>

#include <Eigen/Core>
#include <limits>
#include <vector>

#include "spectral/random_stream.h"

namespace engram::spectral {
namespace {

using doctest::Approx;
using Eigen::MatrixXd;

// Row-major numbers as a matrix in Float64.
template <typename T>
MatrixXd matrix_of(const std::vector<T>& numbers, Eigen::Index rows, Eigen::Index cols) {
  MatrixXd matrix(rows, cols);
  for (Eigen::Index i = 0; i < rows; ++i) {
    for (Eigen::Index j = 0; j < cols; ++j)
      matrix(i, j) = static_cast<double>(numbers[static_cast<size_t>(i * cols + j)]);
  }
  return matrix;
}

TEST_CASE("a sum of factors, signs and a level multiplies like the dense matrix that it stands for") {
  constexpr size_t kDim = 301;  // no multiple of anything
  constexpr size_t kWidth = 5;
  RandomStream random(3, 1);
  std::vector<float> numbers(7 * kDim);
  for (float& x : numbers) x = static_cast<float>(random.gaussian());
  std::vector<int8_t> signs(4 * kDim);
  for (int8_t& x : signs) x = random.uniform() < 0.5 ? -1 : 1;
  const std::vector<double> weights{3, 1, 0.5, 0, 2, -1, 4};
  std::vector<double> block(kWidth * kDim);
  for (double& x : block) x = random.gaussian();

  const SumOperator sum(
      kDim,
      {{.rows = {numbers.data(), engine::Element::kFloat32, 7, kDim}, .scale = 0.5, .row_weights = weights},
       {.rows = {signs.data(), engine::Element::kInt8, 4, kDim}, .scale = 2, .row_weights = {}},
       {.rows = {nullptr, engine::Element::kFloat32, 0, kDim}, .scale = 2, .row_weights = {}}},
      0.25);
  std::vector<double> product(block.size());
  REQUIRE(sum.apply(block.data(), kWidth, product.data(), {}).ok());

  const MatrixXd x = matrix_of(numbers, 7, kDim);
  const MatrixXd s = matrix_of(signs, 4, kDim);
  const MatrixXd dense = 0.5 * x.transpose() * Eigen::VectorXd::Map(weights.data(), 7).asDiagonal() * x +
                         2 * s.transpose() * s + 0.25 * MatrixXd::Identity(kDim, kDim);
  const MatrixXd expected = matrix_of(block, kWidth, kDim) * dense;
  const double error = (matrix_of(product, kWidth, kDim) - expected).cwiseAbs().maxCoeff();
  CHECK(error <= 1e-5 * expected.cwiseAbs().maxCoeff());
}

TEST_CASE("products that are not finite are refused") {
  const std::vector<float> rows{std::numeric_limits<float>::quiet_NaN(), 1};
  const SumOperator sum(
      2, {{.rows = {rows.data(), engine::Element::kFloat32, 1, 2}, .scale = 1, .row_weights = {}}});
  const std::vector<double> block{1, 1};
  std::vector<double> product(2);
  CHECK(sum.apply(block.data(), 1, product.data(), {}).code() == StatusCode::kNonFinite);
}

}  // namespace
}  // namespace engram::spectral
