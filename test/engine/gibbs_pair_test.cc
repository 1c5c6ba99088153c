#include "engine/gibbs_pair.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/reference.h"

namespace engram::engine {
namespace {

struct Clouds {
  Clouds(size_t rows, size_t columns, size_t dim) {
    for (const float v : reference::random_floats(rows * dim, 1)) x.push_back(v);
    for (const float v : reference::random_floats(columns * dim, 2)) y.push_back(v);
    a.assign(rows, 1.0 / static_cast<double>(rows));
    b.assign(columns, 1.0 / static_cast<double>(columns));
  }
  std::vector<double> x, y, a, b;
};

std::vector<double> exponents(size_t columns, size_t stride) {
  std::vector<double> h(stride, -std::numeric_limits<double>::infinity());
  for (size_t j = 0; j < columns; ++j) h[j] = std::log2(1.0 / static_cast<double>(columns));
  return h;
}

TEST_CASE("a pass over kept costs equals one that computes them tile by tile, whole or in parts") {
  constexpr size_t kRows = 700;
  constexpr size_t kColumns = 300;
  constexpr size_t kDim = 3;
  const Clouds clouds(kRows, kColumns, kDim);
  std::vector<std::vector<double>> results;
  for (const bool keep : {true, false}) {
    for (const size_t part : {kRows, size_t{1}, size_t{37}}) {
      GibbsPair pair;
      REQUIRE(pair.load({clouds.x.data(), clouds.a.data(), kRows},
                        {clouds.y.data(), clouds.b.data(), kColumns}, kDim, 0.5, 0.1, keep)
                  .ok());
      while (pair.compute_costs(100) > 0) {
      }
      const std::vector<double> h = exponents(kColumns, pair.stride());
      std::vector<double> lse(kRows);
      std::vector<double> sums(pair.stride());
      std::vector<double> means(kRows * kDim);
      for (size_t first = 0; first < kRows; first += part) {
        pair.pass(first, std::min(part, kRows - first), h.data(), clouds.a.data(), lse.data(), sums.data(),
                  means.data());
      }
      std::vector<double> all = lse;
      all.insert(all.end(), sums.begin(), sums.end());
      all.insert(all.end(), means.begin(), means.end());
      all.push_back(pair.spread());
      results.push_back(all);
    }
  }
  for (const std::vector<double>& result : results) {
    for (size_t i = 0; i < result.size(); ++i) {
      REQUIRE(result[i] == doctest::Approx(results[0][i]).epsilon(1e-12));
    }
  }
}

TEST_CASE("a pair is reused for larger and smaller ones") {
  GibbsPair pair;
  for (const size_t n : {5, 200, 3, 64}) {
    const Clouds clouds(n, n + 1, 2);
    REQUIRE(pair.load({clouds.x.data(), clouds.a.data(), n}, {clouds.y.data(), clouds.b.data(), n + 1}, 2,
                      0.5, 0.5, true)
                .ok());
    while (pair.compute_costs(100) > 0) {
    }
    GibbsPair fresh;
    REQUIRE(fresh
                .load({clouds.x.data(), clouds.a.data(), n}, {clouds.y.data(), clouds.b.data(), n + 1}, 2,
                      0.5, 0.5, true)
                .ok());
    while (fresh.compute_costs(100) > 0) {
    }
    const std::vector<double> h = exponents(n + 1, pair.stride());
    std::vector<double> lse(n);
    std::vector<double> expected(n);
    pair.row_constants(h.data(), lse.data());
    fresh.row_constants(h.data(), expected.data());
    CHECK(lse == expected);
    CHECK(pair.spread() == fresh.spread());
  }
}

TEST_CASE("iterations on scalings lead to both marginals") {
  constexpr size_t kRows = 40;
  constexpr size_t kColumns = 30;
  const Clouds clouds(kRows, kColumns, 2);
  GibbsPair pair;
  REQUIRE(pair.load({clouds.x.data(), clouds.a.data(), kRows}, {clouds.y.data(), clouds.b.data(), kColumns},
                    2, 0.5, 0.5, true)
              .ok());
  while (pair.compute_costs(100) > 0) {
  }
  const std::vector<double> h = exponents(kColumns, pair.stride());
  std::vector<double> lse(kRows);
  REQUIRE(pair.build<double>(h.data(), lse.data()).ok());
  std::vector<double> b(pair.stride());
  std::fill(b.begin(), b.begin() + kColumns, 1.0 / kColumns);
  std::vector<double> v(pair.stride(), 1);
  std::vector<double> sums(pair.stride());
  double residual = 1;
  for (int k = 0; k < 200 && residual > 1e-13; ++k) {
    pair.iterate<double>(clouds.a.data(), v.data(), sums.data());
    residual = pair.scale<double>(b.data(), sums.data(), v.data()).residual;
  }
  CHECK(residual <= 1e-13);
}

}  // namespace
}  // namespace engram::engine
