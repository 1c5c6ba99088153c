#include "engine/basis.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support/reference.h"

namespace engram::engine {
namespace {

using runtime::Parallel;

std::vector<double> random_rows(size_t count, size_t dim, uint64_t seed) {
  const std::vector<float> floats = reference::random_floats(count * dim, seed);
  return {floats.begin(), floats.end()};
}

TEST_CASE("vectors come back as they went in, at dims around the pieces") {
  for (const size_t dim : {1, 271, 272, 2500}) {
    Basis basis = Basis::create(dim, 7).value();
    const std::vector<double> rows = random_rows(3, dim, dim);
    REQUIRE(basis.read(2, 3, rows.data(), Parallel()).ok());
    std::vector<double> back(3 * dim);
    REQUIRE(basis.write(2, 3, back.data(), Parallel()).ok());
    CHECK(back == rows);
  }
}

TEST_CASE("inner products, additions and recombinations equal plain loops") {
  for (const size_t dim : {5, 1500}) {
    const std::vector<double> x = random_rows(4, dim, 1);
    const std::vector<double> y = random_rows(3, dim, 2);
    Basis first = Basis::create(dim, 4).value();
    Basis second = Basis::create(dim, 3).value();
    REQUIRE(first.read(0, 4, x.data(), Parallel()).ok());
    REQUIRE(second.read(0, 3, y.data(), Parallel()).ok());
    double inner[12];
    REQUIRE(first.inner(0, 4, second, 0, 3, inner, Parallel()).ok());
    for (size_t i = 0; i < 4; ++i) {
      for (size_t j = 0; j < 3; ++j) {
        double exact = 0;
        for (size_t d = 0; d < dim; ++d) exact += x[i * dim + d] * y[j * dim + d];
        CHECK(inner[i * 3 + j] == doctest::Approx(exact).epsilon(1e-12).scale(1));
      }
    }
    const double coefficients[] = {1, -2, 0.5, 3, 0, 1, -1, 2};  // 4 x 2
    REQUIRE(second.add(1, 2, first, 0, 4, coefficients, Parallel()).ok());
    REQUIRE(first.recombine(0, 4, 2, coefficients, Parallel()).ok());
    std::vector<double> added(3 * dim);
    std::vector<double> combined(2 * dim);
    REQUIRE(second.write(0, 3, added.data(), Parallel()).ok());
    REQUIRE(first.write(0, 2, combined.data(), Parallel()).ok());
    for (size_t d = 0; d < dim; ++d) {
      CHECK(added[d] == y[d]);
      for (size_t j = 0; j < 2; ++j) {
        double exact = 0;
        for (size_t i = 0; i < 4; ++i) exact += coefficients[i * 2 + j] * x[i * dim + d];
        REQUIRE(combined[j * dim + d] == doctest::Approx(exact).epsilon(1e-13));
        REQUIRE(added[(j + 1) * dim + d] == doctest::Approx(y[(j + 1) * dim + d] + exact).epsilon(1e-13));
      }
    }
  }
}

}  // namespace
}  // namespace engram::engine
