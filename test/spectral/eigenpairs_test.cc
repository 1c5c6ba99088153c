#include "spectral/eigenpairs.h"

#include <doctest/doctest.h>

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <cmath>
#include <vector>

#include "support/reference.h"

namespace engram::spectral {
namespace {

using runtime::Parallel;

// A dense symmetric matrix with the given eigenvalues: Q diag(values) Q^T for a random orthogonal Q.
std::vector<double> matrix_with(const std::vector<double>& values, uint64_t seed) {
  const auto n = static_cast<Eigen::Index>(values.size());
  const std::vector<float> noise = reference::random_floats(values.size() * values.size(), seed);
  Eigen::MatrixXd g(n, n);
  for (Eigen::Index i = 0; i < n * n; ++i) g.data()[i] = noise[static_cast<size_t>(i)];
  const Eigen::MatrixXd q = Eigen::HouseholderQR<Eigen::MatrixXd>(g).householderQ();
  const Eigen::MatrixXd a =
      q * Eigen::Map<const Eigen::VectorXd>(values.data(), n).asDiagonal() * q.transpose();
  return {a.data(), a.data() + n * n};
}

double worst_orthogonality(const Eigenpairs& pairs, size_t dim) {
  double worst = 0;
  for (size_t i = 0; i < pairs.eigenvalues.size(); ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double dot = 0;
      for (size_t d = 0; d < dim; ++d) dot += pairs.vectors[i * dim + d] * pairs.vectors[j * dim + d];
      worst = std::max(worst, std::abs(dot - (i == j ? 1 : 0)));
    }
  }
  return worst;
}

void check_against(const Eigenpairs& pairs, const std::vector<double>& matrix,
                   const std::vector<double>& expected, double tolerance) {
  const size_t n = expected.size();
  const double norm = std::abs(expected[0]);
  CHECK(worst_orthogonality(pairs, n) <= 1e-11);
  for (size_t j = 0; j < pairs.eigenvalues.size(); ++j) {
    CHECK(std::abs(pairs.eigenvalues[j] - expected[j]) <= tolerance * norm);
    double residual = 0;
    for (size_t i = 0; i < n; ++i) {
      double product = 0;
      for (size_t d = 0; d < n; ++d) product += matrix[i * n + d] * pairs.vectors[j * n + d];
      residual += std::pow(product - pairs.eigenvalues[j] * pairs.vectors[j * n + i], 2);
    }
    CHECK(std::sqrt(residual) / norm <= tolerance * 1.01 + 1e-14);
    CHECK(pairs.residuals[j] == doctest::Approx(std::sqrt(residual) / norm).epsilon(0.01).scale(1e-10));
  }
}

TEST_CASE("a slowly falling spectrum, small and large, to the tolerance asked for") {
  for (const size_t n : {5, 100, 400, 1100}) {
    std::vector<double> values;
    for (size_t i = 0; i < n; ++i) values.push_back(10 / (1 + 0.1 * static_cast<double>(i)));
    const std::vector<double> matrix = matrix_with(values, n);
    for (const double tolerance : {1e-4, 1e-10}) {
      EigenOptions options;
      options.k = std::min<size_t>(n, 12);
      options.tolerance = tolerance;
      Result<Eigenpairs> pairs = top_eigenpairs(DenseOperator(matrix.data(), n), options, Parallel());
      REQUIRE(pairs.ok());
      CHECK(pairs.value().converged);
      check_against(pairs.value(), matrix, values, tolerance);
    }
  }
}

TEST_CASE("every member of a cluster, and of a multiple eigenvalue, is found") {
  std::vector<double> values(600, 1);
  for (size_t i = 0; i < 6; ++i) values[i] = 5;  // six times the same
  for (size_t i = 6; i < 12; ++i) values[i] = 3 + 1e-7 * static_cast<double>(12 - i);
  for (size_t i = 12; i < 600; ++i) values[i] = 2 - 0.003 * static_cast<double>(i);
  const std::vector<double> matrix = matrix_with(values, 3);
  for (const size_t block : {size_t{0}, size_t{13}, size_t{20}}) {
    EigenOptions options;
    options.k = 12;
    options.block = block;
    options.tolerance = 1e-9;
    Result<Eigenpairs> pairs = top_eigenpairs(DenseOperator(matrix.data(), 600), options, Parallel());
    REQUIRE(pairs.ok());
    CHECK(pairs.value().converged);
    check_against(pairs.value(), matrix, values, 1e-9);
  }
}

TEST_CASE("operators of low rank, of rank zero and the identity end, with what there is") {
  std::vector<double> values(500, 0);
  values[0] = 4;
  values[1] = 2;
  const std::vector<double> low = matrix_with(values, 4);
  EigenOptions options;
  options.k = 5;
  Result<Eigenpairs> pairs = top_eigenpairs(DenseOperator(low.data(), 500), options, Parallel());
  REQUIRE(pairs.ok());
  CHECK(pairs.value().converged);
  check_against(pairs.value(), low, values, 1e-6);

  const std::vector<double> nothing(500 * 500, 0);
  pairs = top_eigenpairs(DenseOperator(nothing.data(), 500), options, Parallel());
  REQUIRE(pairs.ok());
  for (const double value : pairs.value().eigenvalues) CHECK(value == 0);

  std::vector<double> identity(500 * 500, 0);
  for (size_t i = 0; i < 500; ++i) identity[i * 500 + i] = 1;
  pairs = top_eigenpairs(DenseOperator(identity.data(), 500), options, Parallel());
  REQUIRE(pairs.ok());
  CHECK(pairs.value().converged);
  for (const double value : pairs.value().eigenvalues) CHECK(value == doctest::Approx(1));
}

TEST_CASE("starts that depend on each other and blocks that are too narrow give k pairs all the same") {
  std::vector<double> values(400, 0);
  values[0] = 4;
  const std::vector<double> one = matrix_with(values, 8);
  EigenOptions options;
  options.k = 12;
  options.block = 12;
  options.most_products = 1;
  options.start.assign(12 * 400, 1);
  Result<Eigenpairs> pairs = top_eigenpairs(DenseOperator(one.data(), 400), options, Parallel());
  REQUIRE(pairs.ok());
  CHECK(pairs.value().vectors.size() == 12 * 400);
  CHECK(worst_orthogonality(pairs.value(), 400) <= 1e-10);

  options.start.clear();
  options.block = 2;
  pairs = top_eigenpairs(DenseOperator(one.data(), 400), options, Parallel());
  REQUIRE(pairs.ok());
  CHECK(pairs.value().eigenvalues.size() == 12);
  CHECK(worst_orthogonality(pairs.value(), 400) <= 1e-10);

  // Forty times the same example: all but one eigenvalue are 0.
  const std::vector<float> row = reference::random_floats(1000, 9);
  std::vector<float> rows;
  for (int i = 0; i < 40; ++i) {
    for (const float x : row) rows.push_back(x < 0 ? -1.0F : 1.0F);
  }
  EigenOptions all;
  all.k = 40;
  pairs = top_eigenpairs_of_factor({{rows.data(), engine::Element::kFloat32, 40, 1000}, 1.0 / 40}, all,
                                   Parallel());
  REQUIRE(pairs.ok());
  CHECK(pairs.value().eigenvalues[0] == doctest::Approx(1000).epsilon(1e-5));
  for (size_t j = 1; j < 40; ++j) CHECK(std::abs(pairs.value().eigenvalues[j]) <= 1e-3);
  CHECK(worst_orthogonality(pairs.value(), 1000) <= 1e-10);
}

TEST_CASE("a warm start saves products") {
  std::vector<double> values;
  for (size_t i = 0; i < 800; ++i) values.push_back(3 * std::pow(0.99, static_cast<double>(i)));
  const std::vector<double> matrix = matrix_with(values, 5);
  EigenOptions options;
  options.k = 6;
  const Eigenpairs cold = top_eigenpairs(DenseOperator(matrix.data(), 800), options, Parallel()).value();
  options.start = cold.vectors;
  const Eigenpairs warm = top_eigenpairs(DenseOperator(matrix.data(), 800), options, Parallel()).value();
  CHECK(warm.products < cold.products);
  check_against(warm, matrix, values, 1e-6);
}

TEST_CASE("of a factor: both Gram routes and the direct one agree, for every element type") {
  for (const auto& [count, dim] : {std::pair<size_t, size_t>{900, 300}, {280, 1500}}) {
    const std::vector<float> noise = reference::random_floats(count * dim, count);
    std::vector<float> floats(count * dim);
    std::vector<int8_t> bytes(count * dim);
    std::vector<uint8_t> bits(count * ((dim + 7) / 8), 0);
    for (size_t i = 0; i < count; ++i) {
      for (size_t d = 0; d < dim; ++d) {
        // Two hidden patterns, noisy.
        const bool pattern = ((d * (i % 2 + 3)) % 7) < 3;
        const bool up = noise[i * dim + d] < 0.2F ? pattern : noise[i * dim + d] < 0.6F;
        floats[i * dim + d] = up ? 1.0F : -1.0F;
        bytes[i * dim + d] = up ? 1 : -1;
        if (up) bits[i * ((dim + 7) / 8) + d / 8] |= static_cast<uint8_t>(1U << (d % 8));
      }
    }
    Eigen::MatrixXd x(static_cast<Eigen::Index>(count), static_cast<Eigen::Index>(dim));
    for (size_t i = 0; i < count; ++i) {
      for (size_t d = 0; d < dim; ++d)
        x(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(d)) = floats[i * dim + d];
    }
    const Eigen::MatrixXd gram = x * x.transpose() / static_cast<double>(count);
    const Eigen::VectorXd expected =
        Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(gram).eigenvalues().reverse();
    EigenOptions options;
    options.k = 4;
    const double scale = 1.0 / static_cast<double>(count);
    for (const engine::Rows& rows : {engine::Rows{floats.data(), engine::Element::kFloat32, count, dim},
                                     engine::Rows{bytes.data(), engine::Element::kInt8, count, dim},
                                     engine::Rows{bits.data(), engine::Element::kSign, count, dim}}) {
      const FactorOperator a(rows, scale);
      for (Result<Eigenpairs> pairs :
           {top_eigenpairs(a, options, Parallel()), top_eigenpairs_of_factor(a, options, Parallel())}) {
        REQUIRE(pairs.ok());
        CHECK(pairs.value().converged);
        CHECK(worst_orthogonality(pairs.value(), dim) <= 1e-10);
        for (size_t j = 0; j < 4; ++j) {
          CHECK(pairs.value().eigenvalues[j] ==
                doctest::Approx(expected[static_cast<Eigen::Index>(j)]).epsilon(2e-6));
        }
      }
    }
  }
}

TEST_CASE("the answer's bits do not depend on the number of threads") {
  const std::vector<float> x = reference::random_floats(400 * 700, 9);
  const FactorOperator a({x.data(), engine::Element::kFloat32, 400, 700}, 1.0 / 400);
  EigenOptions options;
  options.k = 7;
  Parallel one;
  one.max_threads = 1;
  const Eigenpairs single = top_eigenpairs_of_factor(a, options, one).value();
  for (unsigned threads = 2; threads <= 4; ++threads) {
    Parallel many;
    many.max_threads = threads;
    const Eigenpairs pairs = top_eigenpairs_of_factor(a, options, many).value();
    CHECK(pairs.eigenvalues == single.eigenvalues);
    CHECK(pairs.vectors == single.vectors);
  }
}

// An operator that misbehaves.
class Broken final : public LinearOperator {
 public:
  size_t dim() const override { return 300; }
  Status apply(const double* /*block*/, size_t width, double* out,
               const Parallel& /*parallel*/) const override {
    std::fill(out, out + width * 300, std::nan(""));
    return {};
  }
};

TEST_CASE("what cannot be is refused; a product that is not finite is named; cancelling ends it") {
  const std::vector<double> matrix = matrix_with(std::vector<double>(20, 1), 6);
  const DenseOperator a(matrix.data(), 20);
  EigenOptions options;
  options.k = 0;
  CHECK(top_eigenpairs(a, options, Parallel()).status().code() == StatusCode::kRange);
  options.k = 21;
  CHECK(top_eigenpairs(a, options, Parallel()).status().code() == StatusCode::kRange);
  options.k = 2;
  options.start = {1, 2, 3};
  CHECK(top_eigenpairs(a, options, Parallel()).status().code() == StatusCode::kShape);
  options.start.clear();
  CHECK(top_eigenpairs(Broken(), options, Parallel()).status().code() == StatusCode::kNonFinite);

  const std::vector<float> x = reference::random_floats(400 * 700, 9);
  const FactorOperator factor({x.data(), engine::Element::kFloat32, 400, 700}, 1);
  Parallel stopped;
  stopped.keep_going = [] { return false; };
  CHECK(top_eigenpairs(factor, options, stopped).status().code() == StatusCode::kAborted);
}

}  // namespace
}  // namespace engram::spectral
