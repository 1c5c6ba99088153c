#include "spectral/subspace.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/archetypes.h"

namespace engram::spectral {
namespace {

// Rows of a longer matrix, so that a stride that is taken for a length shows.
struct Case {
  Case(size_t rows, size_t cols) : storage(rows * (cols + 3)), x(cols), c(rows) {
    support::NormalNumbers normal(rows * 1000 + cols);
    for (float& entry : storage) entry = static_cast<float>(normal());
    for (float& entry : x) entry = static_cast<float>(normal());
    for (double& entry : c) entry = normal();
    v = FloatRows(storage.data(), rows, cols, cols + 3);
  }
  std::vector<float> storage;
  std::vector<float> x;
  std::vector<double> c;
  FloatRows v;
};

TEST_CASE("products agree with Float64 for all remainders of rows and columns") {
  for (const size_t rows : {1, 2, 3, 4, 5, 9}) {
    for (const size_t cols : {1, 15, 16, 17, 1023, 1024, 1025, 5000}) {
      const Case given(rows, cols);
      std::vector<double> c(rows);
      multiply(given.v, given.x.data(), c.data());
      for (size_t k = 0; k < rows; ++k) {
        double sum = 0;
        double size = 0;
        for (size_t n = 0; n < cols; ++n) {
          const double term = static_cast<double>(given.v.at(k, n)) * static_cast<double>(given.x[n]);
          sum += term;
          size += std::abs(term);
        }
        // A run has 64 roundings of 2^-24; random signs leave far less than the bound.
        CHECK(std::abs(c[k] - sum) <= 64 * 0x1p-24 * size);
      }
      std::vector<float> x(cols);
      multiply_transposed(given.v, given.c.data(), x.data());
      for (size_t n = 0; n < cols; ++n) {
        double sum = 0;
        double size = 0;
        for (size_t k = 0; k < rows; ++k) {
          const double term = given.c[k] * static_cast<double>(given.v.at(k, n));
          sum += term;
          size += std::abs(term);
        }
        CHECK(std::abs(static_cast<double>(x[n]) - sum) <= static_cast<double>(rows + 2) * 0x1p-24 * size);
      }
    }
  }
}

TEST_CASE("a zero has the sign it had before, and plus where there was none") {
  CHECK(sign(0.5F, -1) == 1);
  CHECK(sign(-0.5F, 1) == -1);
  CHECK(sign(0.0F, -1) == -1);
  CHECK(sign(-0.0F, 1) == 1);
  CHECK(sign(0.0F, 0.0F) == 1);
  CHECK(sign(-0.0F, -0.0F) == 1);
}

TEST_CASE("a subspace has orthonormal, finite rows, no more than columns") {
  const std::vector<int8_t> xi = support::random_archetypes(3, 50, 1);
  const std::vector<float> good = support::estimated_subspace(xi, 50, 0.9, 2);
  CHECK(check_orthonormal(FloatRows(good.data(), 3, 50)).ok());
  CHECK(check_orthonormal(FloatRows(good.data(), 0, 50)).ok());
  CHECK(check_orthonormal(FloatRows(good.data(), 3, 2)).code() == StatusCode::kShape);
  CHECK(check_orthonormal(FloatRows(good.data(), 0, 0)).code() == StatusCode::kShape);

  std::vector<float> bad = good;
  for (size_t n = 0; n < 50; ++n) bad[50 + n] *= 1.01F;
  CHECK(check_orthonormal(FloatRows(bad.data(), 3, 50)).code() == StatusCode::kRange);
  bad = good;
  std::copy(good.begin(), good.begin() + 50, bad.begin() + 100);
  CHECK(check_orthonormal(FloatRows(bad.data(), 3, 50)).code() == StatusCode::kRange);
  for (const float poison :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    bad = good;
    bad[120] = poison;
    CHECK(check_orthonormal(FloatRows(bad.data(), 3, 50)).code() == StatusCode::kNonFinite);
  }
}

}  // namespace
}  // namespace engram::spectral
