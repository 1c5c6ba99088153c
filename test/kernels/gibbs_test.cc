// The transport kernels of every instruction set this CPU has, against scalar Float64 loops.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "support/reference.h"

namespace engram::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <typename Check>
void for_each_isa(Check check) {
  for (const std::string& isa : available_isas()) {
    CAPTURE(isa);
    check(*table_for(isa).value()->gibbs);
  }
}

std::vector<double> random_doubles(size_t count, uint64_t seed, double magnitude = 1) {
  const std::vector<float> floats = reference::random_floats(count, seed);
  std::vector<double> values(floats.begin(), floats.end());
  for (double& value : values) value *= magnitude;
  return values;
}

// A pair of clouds as the kernels want it, and its kernel by scalar loops.
struct Pair {
  Pair(size_t rows, size_t columns_, size_t dim_, double rate_)
      : shape{rows, gibbs_stride(columns_)}, columns(columns_), dim(dim_), rate(rate_) {
    x = random_doubles(rows * dim, rows * 7 + dim);
    y = random_doubles(shape.stride * dim, columns * 13 + dim);
    h.assign(shape.stride, -kInfinity);
    const std::vector<double> potentials = random_doubles(columns, columns + 3, 2);
    std::copy(potentials.begin(), potentials.end(), h.begin());
    if (columns > 3) h[2] = -kInfinity;  // a point without mass
    cost.resize(rows * shape.stride);
    kernel.resize(rows * shape.stride);
    lse.resize(rows);
    for (size_t i = 0; i < rows; ++i) fill_row(i);
    a = random_doubles(rows, 5);
    for (double& weight : a) weight = (weight + 1.25) / 2;
  }

  void fill_row(size_t i) {
    double sum = 0;
    for (size_t j = 0; j < shape.stride; ++j) {
      double square = 0;
      for (size_t d = 0; d < dim; ++d) square += std::pow(x[i * dim + d] - y[d * shape.stride + j], 2);
      cost[i * shape.stride + j] = scale * square;
      kernel[i * shape.stride + j] = std::exp2(h[j] - rate * scale * square);
      sum += kernel[i * shape.stride + j];
    }
    for (size_t j = 0; j < shape.stride; ++j) kernel[i * shape.stride + j] /= sum;
    lse[i] = std::log2(sum);
  }

  static constexpr double scale = 0.75;
  PairShape shape;
  size_t columns;
  size_t dim;
  double rate;
  std::vector<double> x, y, h, a, cost, kernel, lse;
};

template <typename Check>
void for_each_pair(Check check) {
  for (const size_t rows : {1, 2, 3, 4, 5, 67, 130}) {
    for (const size_t columns : {1, 5, 16, 17, 70}) {
      for (const double rate : {0.5, 40.0}) {
        CAPTURE(rows);
        CAPTURE(columns);
        CAPTURE(rate);
        check(Pair(rows, columns, 1 + rows % 5, rate));
      }
    }
  }
}

template <typename T>
const GibbsProducts<T>& products(const GibbsTable& table) {
  if constexpr (std::is_same_v<T, float>) {
    return table.f32;
  } else {
    return table.f64;
  }
}

template <typename T>
constexpr double kTolerance = std::is_same_v<T, float> ? 2e-6 : 1e-13;

TEST_CASE("costs are scaled squared distances, and spreads the range of each row") {
  for_each_isa([](const GibbsTable& table) {
    for_each_pair([&](const Pair& pair) {
      std::vector<double> cost(pair.cost.size());
      std::vector<double> spread(pair.shape.rows);
      table.costs(pair.shape, pair.dim, pair.x.data(), pair.y.data(), Pair::scale, cost.data(),
                  spread.data());
      for (size_t i = 0; i < pair.shape.rows; ++i) {
        const auto row = pair.cost.begin() + static_cast<ptrdiff_t>(i * pair.shape.stride);
        const auto [least, most] = std::minmax_element(row, row + static_cast<ptrdiff_t>(pair.shape.stride));
        REQUIRE(spread[i] == doctest::Approx(*most - *least).epsilon(1e-13));
      }
      for (size_t at = 0; at < cost.size(); ++at) {
        REQUIRE(cost[at] == doctest::Approx(pair.cost[at]).epsilon(1e-13));
      }
    });
  });
}

TEST_CASE("row constants hold for exponents of any size") {
  for_each_isa([](const GibbsTable& table) {
    for_each_pair([&](const Pair& pair) {
      for (const double shift : {0.0, 1e5, -1e5}) {
        std::vector<double> h = pair.h;
        for (double& exponent : h) exponent += shift;
        std::vector<double> lse(pair.shape.rows);
        table.row_lse(pair.shape, pair.cost.data(), h.data(), pair.rate, lse.data());
        for (size_t i = 0; i < lse.size(); ++i) {
          REQUIRE(std::abs(lse[i] - shift - pair.lse[i]) <= 1e-12 + 1e-15 * std::abs(shift));
        }
      }
    });
  });
}

template <typename T>
void check_rows(const GibbsTable& table, const Pair& pair) {
  std::vector<T> kernel(pair.kernel.size());
  std::vector<double> lse(pair.shape.rows);
  products<T>(table).rows(pair.shape, pair.cost.data(), pair.h.data(), pair.rate, kernel.data(), lse.data());
  for (size_t i = 0; i < lse.size(); ++i) REQUIRE(lse[i] == doctest::Approx(pair.lse[i]).epsilon(1e-12));
  for (size_t at = 0; at < kernel.size(); ++at) {
    REQUIRE(std::abs(kernel[at] - pair.kernel[at]) <= kTolerance<T>);
    if (pair.kernel[at] == 0) REQUIRE(kernel[at] == 0);
  }
}

TEST_CASE("the Gibbs kernel's rows sum to 1 and skip points without mass") {
  for_each_isa([](const GibbsTable& table) {
    for_each_pair([&](const Pair& pair) {
      check_rows<float>(table, pair);
      check_rows<double>(table, pair);
    });
  });
}

template <typename T>
void check_iterate(const GibbsTable& table, const Pair& pair) {
  const size_t stride = pair.shape.stride;
  const std::vector<T> kernel(pair.kernel.begin(), pair.kernel.end());
  const std::vector<T> a(pair.a.begin(), pair.a.end());
  std::vector<T> v(stride);
  for (size_t j = 0; j < stride; ++j) v[j] = static_cast<T>(0.5 + 0.1 * static_cast<double>(j % 7));
  std::vector<T> row_scale(pair.shape.rows);
  std::vector<T> part(stride);
  std::vector<double> sums(stride);
  products<T>(table).iterate(pair.shape, kernel.data(), a.data(), v.data(), row_scale.data(), sums.data(),
                             part.data());
  std::vector<double> expected(stride);
  for (size_t i = 0; i < pair.shape.rows; ++i) {
    double product = 0;
    for (size_t j = 0; j < stride; ++j) product += pair.kernel[i * stride + j] * static_cast<double>(v[j]);
    REQUIRE(row_scale[i] == doctest::Approx(1 / product).epsilon(kTolerance<T>));
    for (size_t j = 0; j < stride; ++j) expected[j] += pair.a[i] / product * pair.kernel[i * stride + j];
  }
  for (size_t j = 0; j < stride; ++j)
    REQUIRE(std::abs(sums[j] - expected[j]) <= kTolerance<T> * (1 + expected[j]));
}

TEST_CASE("an iteration gives the row scales and the column sums") {
  for_each_isa([](const GibbsTable& table) {
    for_each_pair([&](const Pair& pair) {
      check_iterate<float>(table, pair);
      check_iterate<double>(table, pair);
    });
  });
}

template <typename T>
void check_scale(const GibbsTable& table) {
  const std::vector<double> b{0.5, 0, 0.3, 0.2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  std::vector<double> sums(16, 0);
  sums[0] = 0.25;
  sums[2] = 0.6;
  sums[3] = 0.2;
  std::vector<T> v(16, T{1});
  const ScalingChange change = products<T>(table).scale(16, b.data(), sums.data(), v.data());
  CHECK(change.residual == doctest::Approx(0.25 + 0.3));
  CHECK(change.least == doctest::Approx(0.5));
  CHECK(change.most == doctest::Approx(2));
  CHECK(v[0] == doctest::Approx(2));
  CHECK(v[2] == doctest::Approx(0.5));
  CHECK(v[3] == doctest::Approx(1));
  CHECK(v[1] == 0);
  CHECK(v[15] == 0);
  sums[3] = 0;  // mass that no row reaches
  CHECK(std::isinf(products<T>(table).scale(16, b.data(), sums.data(), v.data()).most));
}

TEST_CASE("scalings give columns their mass") {
  for_each_isa([](const GibbsTable& table) {
    check_scale<float>(table);
    check_scale<double>(table);
  });
}

template <typename T>
void check_symmetric(const GibbsTable& table) {
  for (const size_t n : {1, 3, 4, 18}) {
    const Pair pair(n, n, 2, 3);
    const size_t stride = pair.shape.stride;
    const std::vector<T> kernel(pair.kernel.begin(), pair.kernel.end());
    std::vector<T> a(pair.a.begin(), pair.a.end());
    if (n > 3) a[1] = 0;
    std::vector<T> s(n);
    std::vector<T> v(stride, T{1});
    for (size_t i = 0; i < n; ++i) {
      s[i] = static_cast<T>(0.5 + 0.1 * static_cast<double>(i));
      v[i] = static_cast<T>(2 - 0.05 * static_cast<double>(i));
    }
    const std::vector<T> before = v;
    std::vector<T> product(n);
    const double residual =
        products<T>(table).symmetric(pair.shape, kernel.data(), a.data(), s.data(), v.data(), product.data());
    double expected = 0;
    for (size_t i = 0; i < n; ++i) {
      double excess = 0;
      for (size_t j = 0; j < n; ++j) excess += pair.kernel[i * stride + j] * static_cast<double>(before[j]);
      excess *= static_cast<double>(s[i]);
      expected += static_cast<double>(a[i]) * std::abs(static_cast<double>(before[i]) * excess - 1);
      if (a[i] == 0) {
        CHECK(v[i] == 0);
      } else {
        CHECK(v[i] ==
              doctest::Approx(std::sqrt(static_cast<double>(before[i]) / excess)).epsilon(kTolerance<T>));
      }
    }
    CHECK(residual == doctest::Approx(expected).epsilon(10 * kTolerance<T>));
  }
}

TEST_CASE("the symmetric update averages potentials") {
  for_each_isa([](const GibbsTable& table) {
    check_symmetric<float>(table);
    check_symmetric<double>(table);
  });
}

TEST_CASE("column sums, means and the Gram matrix are products with the kernel") {
  for_each_isa([](const GibbsTable& table) {
    for_each_pair([&](const Pair& pair) {
      const size_t stride = pair.shape.stride;
      std::vector<double> sums(stride, 1);
      table.add_columns(pair.shape, pair.kernel.data(), pair.a.data(), sums.data());
      std::vector<double> means(pair.shape.rows * pair.dim);
      table.means(pair.shape, pair.dim, pair.kernel.data(), pair.y.data(), means.data());
      for (const size_t count : {1, 5, 12, 13, 25}) {
        // Combination k has the weights a_i / (1 + k), on top of k.
        std::vector<double> w(pair.shape.rows * count);
        std::vector<double> combined(count * stride);
        for (size_t i = 0; i < w.size(); ++i) w[i] = pair.a[i / count] / (1 + static_cast<double>(i % count));
        for (size_t k = 0; k < combined.size(); ++k) combined[k] = static_cast<double>(k / stride);
        table.add_combinations(pair.shape, count, pair.kernel.data(), w.data(), combined.data());
        for (size_t k = 0; k < count; ++k) {
          const auto place = static_cast<double>(k);
          for (size_t j = 0; j < stride; ++j) {
            const double expected = place + (sums[j] - 1) / (1 + place);
            REQUIRE(combined[k * stride + j] == doctest::Approx(expected).epsilon(1e-13));
          }
        }
      }
      std::vector<double> gram(pair.columns * stride);
      table.gram(pair.shape, pair.columns, pair.kernel.data(), pair.a.data(), gram.data());
      for (size_t j = 0; j < stride; ++j) {
        double expected = 1;
        for (size_t i = 0; i < pair.shape.rows; ++i) expected += pair.a[i] * pair.kernel[i * stride + j];
        REQUIRE(sums[j] == doctest::Approx(expected).epsilon(1e-13));
      }
      for (size_t i = 0; i < pair.shape.rows; ++i) {
        for (size_t d = 0; d < pair.dim; ++d) {
          double expected = 0;
          for (size_t j = 0; j < stride; ++j)
            expected += pair.kernel[i * stride + j] * pair.y[d * stride + j];
          REQUIRE(std::abs(means[i * pair.dim + d] - expected) <= 1e-13);
        }
      }
      for (size_t j = 0; j < pair.columns; ++j) {
        for (size_t k = 0; k <= j; ++k) {
          double expected = 0;
          for (size_t i = 0; i < pair.shape.rows; ++i) {
            expected += pair.a[i] * pair.kernel[i * stride + j] * pair.kernel[i * stride + k];
          }
          REQUIRE(std::abs(gram[j * stride + k] - expected) <= 1e-12);
        }
      }
    });
  });
}

TEST_CASE("log2, exp2 and the weighted dot product are exact to rounding") {
  for_each_isa([](const GibbsTable& table) {
    for (const size_t count : {1, 3, 8, 19}) {
      std::vector<double> values = random_doubles(count, count, 1);
      for (double& value : values) value = std::exp2(900 * value);
      std::vector<double> logs = values;
      table.log2(count, logs.data());
      for (size_t i = 0; i < count; ++i) {
        REQUIRE(std::abs(logs[i] - std::log2(values[i])) <= 4e-16 * std::abs(logs[i]) + 1e-16);
      }
      table.exp2(count, logs.data());
      for (size_t i = 0; i < count; ++i) REQUIRE(logs[i] == doctest::Approx(values[i]).epsilon(1e-12));
    }
    std::vector<double> none{0, 1};
    table.log2(2, none.data());
    CHECK(none[0] == -kInfinity);
    CHECK(none[1] == 0);
    const std::vector<double> w = random_doubles(48, 1);
    const std::vector<double> x = random_doubles(48, 2);
    const std::vector<double> y = random_doubles(48, 3);
    double expected = 0;
    for (size_t j = 0; j < 48; ++j) expected += w[j] * x[j] * y[j];
    CHECK(table.weighted_dot(48, w.data(), x.data(), y.data()) == doctest::Approx(expected).epsilon(1e-13));
  });
}

}  // namespace
}  // namespace engram::kernels
