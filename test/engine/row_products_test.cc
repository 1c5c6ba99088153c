#include "engine/row_products.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support/reference.h"

namespace engram::engine {
namespace {

using runtime::Parallel;

TEST_CASE("products with rows equal Float64 loops at every size around the tiles") {
  for (const size_t count : {1, 7, 255, 256, 300}) {
    for (const size_t dim : {1, 31, 256, 530}) {
      for (const size_t width : {1, 5, 33, 72}) {
        const std::vector<float> x = reference::random_floats(count * dim, count + dim);
        const std::vector<float> block = reference::random_floats(width * dim, width);
        const std::vector<float> coefficients = reference::random_floats(count * width, width + 1);
        std::vector<float> scores(count * width);
        std::vector<float> combined(width * dim);
        const Rows rows{x.data(), Element::kFloat32, count, dim};
        REQUIRE(row_scores(rows, block.data(), width, scores.data(), Parallel()).ok());
        REQUIRE(combine_rows(rows, coefficients.data(), width, combined.data(), Parallel()).ok());
        for (const size_t i : {size_t{0}, count / 2, count - 1}) {
          for (size_t k = 0; k < width; ++k) {
            const double exact = reference::dot(x.data() + i * dim, block.data() + k * dim, dim);
            REQUIRE(std::abs(scores[i * width + k] - exact) <= 4e-7 * static_cast<double>(dim));
          }
        }
        for (const size_t d : {size_t{0}, dim / 2, dim - 1}) {
          for (size_t k = 0; k < width; ++k) {
            double exact = 0;
            for (size_t i = 0; i < count; ++i)
              exact += static_cast<double>(x[i * dim + d]) * coefficients[i * width + k];
            REQUIRE(std::abs(combined[k * dim + d] - exact) <= 4e-7 * static_cast<double>(count));
          }
        }
      }
    }
  }
}

TEST_CASE("Gram matrices are symmetric and equal Float64 sums") {
  for (const auto& [count, dim] : {std::pair<size_t, size_t>{1, 1}, {40, 700}, {600, 300}, {257, 513}}) {
    const std::vector<float> x = reference::random_floats(count * dim, dim);
    const Rows rows{x.data(), Element::kFloat32, count, dim};
    std::vector<double> by_rows(count * count);
    std::vector<double> by_columns(dim * dim);
    REQUIRE(gram_of_rows(rows, by_rows.data(), Parallel()).ok());
    REQUIRE(gram_of_columns(rows, by_columns.data(), Parallel()).ok());
    for (size_t i = 0; i < count; i += 1 + count / 9) {
      for (size_t j = 0; j < count; j += 1 + count / 7) {
        const double exact = reference::dot(x.data() + i * dim, x.data() + j * dim, dim);
        REQUIRE(std::abs(by_rows[i * count + j] - exact) <= 4e-7 * static_cast<double>(dim));
        REQUIRE(by_rows[i * count + j] == by_rows[j * count + i]);
      }
    }
    for (size_t i = 0; i < dim; i += 1 + dim / 9) {
      for (size_t j = 0; j < dim; j += 1 + dim / 7) {
        double exact = 0;
        for (size_t r = 0; r < count; ++r) exact += static_cast<double>(x[r * dim + i]) * x[r * dim + j];
        REQUIRE(std::abs(by_columns[i * dim + j] - exact) <= 4e-7 * static_cast<double>(count));
        REQUIRE(by_columns[i * dim + j] == by_columns[j * dim + i]);
      }
    }
  }
}

TEST_CASE("bytes and packed signs are the numbers they stand for") {
  constexpr size_t kCount = 70;
  constexpr size_t kDim = 301;
  std::vector<float> floats(kCount * kDim);
  std::vector<int8_t> bytes(kCount * kDim);
  std::vector<uint8_t> bits(kCount * row_bytes(kDim, Element::kSign), 0);
  for (size_t i = 0; i < kCount; ++i) {
    for (size_t d = 0; d < kDim; ++d) {
      const bool up = (i * 31 + d * 17) % 5 < 2;
      floats[i * kDim + d] = up ? 1.0F : -1.0F;
      bytes[i * kDim + d] = up ? 1 : -1;
      if (up) bits[i * row_bytes(kDim, Element::kSign) + d / 8] |= static_cast<uint8_t>(1U << (d % 8));
    }
  }
  const std::vector<float> block = reference::random_floats(3 * kDim, 1);
  std::vector<std::vector<float>> results;
  for (const Rows& rows :
       {Rows{floats.data(), Element::kFloat32, kCount, kDim},
        Rows{bytes.data(), Element::kInt8, kCount, kDim}, Rows{bits.data(), Element::kSign, kCount, kDim}}) {
    std::vector<float> scores(kCount * 3);
    REQUIRE(row_scores(rows, block.data(), 3, scores.data(), Parallel()).ok());
    results.push_back(scores);
  }
  CHECK(results[1] == results[0]);
  CHECK(results[2] == results[0]);
}

// Random signs, one bit each, and their products in integers.
struct Signs {
  size_t count;
  size_t dim;
  std::vector<uint8_t> bits;

  Signs(size_t rows, size_t columns) : count(rows), dim(columns) {
    const std::vector<float> noise =
        reference::random_floats(rows * row_bytes(columns, Element::kSign), rows);
    for (const float x : noise)
      bits.push_back(static_cast<uint8_t>(static_cast<int>(std::abs(x) * 4096) & 255));
  }
  Rows rows() const { return {bits.data(), Element::kSign, count, dim}; }
  int at(size_t i, size_t d) const {
    return (bits[i * row_bytes(dim, Element::kSign) + d / 8] >> (d % 8) & 1) != 0 ? 1 : -1;
  }
};

TEST_CASE("sums too long for one go are whole: of many tiles, of several strips") {
  const Signs tall(12800, 1930);
  const Signs wide(1930, 12800);
  const Signs strips(45, 100000);
  // Coefficients that are whole numbers, so that sums in Float32 are exact.
  std::vector<float> ones(12800, 1);
  ones[3] = 5;
  std::vector<float> combined(1930);
  REQUIRE(combine_rows(tall.rows(), ones.data(), 1, combined.data(), Parallel()).ok());
  std::vector<float> scores(1930);
  REQUIRE(row_scores(wide.rows(), ones.data(), 1, scores.data(), Parallel()).ok());
  for (const size_t at : {0, 127, 128, 1000, 1929}) {
    int column = 0;
    int row = 0;
    for (size_t i = 0; i < 12800; ++i) {
      column += static_cast<int>(ones[i]) * tall.at(i, at);
      row += static_cast<int>(ones[i]) * wide.at(at, i);
    }
    CHECK(combined[at] == column);
    CHECK(scores[at] == row);
  }
  std::vector<double> gram(45 * 45);
  REQUIRE(gram_of_rows(strips.rows(), gram.data(), Parallel()).ok());
  for (const auto& [i, j] : {std::pair<size_t, size_t>{0, 0}, {44, 3}, {3, 44}, {31, 32}}) {
    int dot = 0;
    for (size_t d = 0; d < strips.dim; ++d) dot += strips.at(i, d) * strips.at(j, d);
    CHECK(gram[i * 45 + j] == dot);
  }
}

TEST_CASE("Gram matrices of signs are exact, whatever they are stored as, and so is one odd element") {
  for (const auto& [count, dim] : {std::pair<size_t, size_t>{1, 1}, {70, 1100}, {1100, 70}, {129, 64}}) {
    const Signs signs(count, dim);
    std::vector<float> floats(count * dim);
    std::vector<int8_t> bytes(count * dim);
    for (size_t i = 0; i < floats.size(); ++i) {
      bytes[i] = static_cast<int8_t>(signs.at(i / dim, i % dim));
      floats[i] = bytes[i];
    }
    std::vector<float> odd = floats;
    odd.back() = 3;
    std::vector<double> by_rows(count * count);
    std::vector<double> by_columns(dim * dim);
    for (const Rows& rows : {signs.rows(), Rows{bytes.data(), Element::kInt8, count, dim},
                             Rows{floats.data(), Element::kFloat32, count, dim},
                             Rows{odd.data(), Element::kFloat32, count, dim}}) {
      const std::vector<float>& x = rows.data == odd.data() ? odd : floats;
      REQUIRE(gram_of_rows(rows, by_rows.data(), Parallel()).ok());
      REQUIRE(gram_of_columns(rows, by_columns.data(), Parallel()).ok());
      for (size_t i = 0; i < count; i += count > 9 ? count / 9 : 1) {
        for (const size_t j : {i, count - 1, count / 3})
          REQUIRE(by_rows[i * count + j] == reference::dot(x.data() + i * dim, x.data() + j * dim, dim));
      }
      for (size_t i = 0; i < dim; i += dim > 9 ? dim / 9 : 1) {
        for (const size_t j : {i, dim - 1, dim / 3}) {
          double exact = 0;
          for (size_t r = 0; r < count; ++r) exact += static_cast<double>(x[r * dim + i]) * x[r * dim + j];
          REQUIRE(by_columns[i * dim + j] == exact);
        }
      }
    }
  }
}

TEST_CASE("nothing times something is nothing") {
  const Rows none{nullptr, Element::kFloat32, 0, 5};
  std::vector<float> out(5, 7);
  REQUIRE(combine_rows(none, nullptr, 1, out.data(), Parallel()).ok());
  for (const float x : out) CHECK(x == 0);
  REQUIRE(row_scores(none, out.data(), 1, nullptr, Parallel()).ok());
}

TEST_CASE("dense products equal Float64 loops") {
  for (const size_t n : {1, 15, 16, 100}) {
    const std::vector<float> noise = reference::random_floats(n * n, n);
    std::vector<double> a(noise.begin(), noise.end());
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < i; ++j) a[i * n + j] = a[j * n + i];
    }
    const std::vector<double> block(a.begin(),
                                    a.begin() + static_cast<ptrdiff_t>(std::min<size_t>(3, n) * n));
    const size_t width = block.size() / n;
    std::vector<double> out(n * width);
    REQUIRE(dense_product(a.data(), n, block.data(), width, out.data(), Parallel()).ok());
    for (size_t i = 0; i < n; ++i) {
      for (size_t k = 0; k < width; ++k) {
        double exact = 0;
        for (size_t j = 0; j < n; ++j) exact += a[i * n + j] * block[k * n + j];
        REQUIRE(std::abs(out[i * width + k] - exact) <= 1e-13 * static_cast<double>(n));
      }
    }
  }
}

}  // namespace
}  // namespace engram::engine
