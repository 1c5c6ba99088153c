// Every kernel of every instruction set this CPU has, against scalar float64, over awkward sizes and
// alignments. Tolerances: n * 2^-24 relative to the sum of magnitudes is the textbook bound for a Float32
// sum of n terms; `kSlack` covers the constant.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "support/reference.h"

namespace engram::kernels {
namespace {

constexpr double kEpsilon = 0x1p-24;
constexpr double kSlack = 4;

// A float array that starts `offset` floats past a 64-byte boundary, with canaries behind its end.
class Misaligned {
 public:
  Misaligned(const std::vector<float>& values, size_t offset)
      : storage_(values.size() + offset + 64), offset_(offset), size_(values.size()) {
    std::fill(storage_.begin(), storage_.end(), kCanary);
    std::copy(values.begin(), values.end(), data());
  }
  float* data() { return storage_.data() + skew() + offset_; }
  bool intact() {
    for (size_t i = 0; i < 16; ++i) {
      if (data()[size_ + i] != kCanary) return false;
    }
    return true;
  }

 private:
  static constexpr float kCanary = 12345.678F;
  size_t skew() const {
    return (64 - reinterpret_cast<uintptr_t>(storage_.data()) % 64) % 64 / sizeof(float);
  }
  std::vector<float> storage_;
  size_t offset_;
  size_t size_;
};

template <typename Check>
void for_each_isa(Check check) {
  for (const std::string& isa : available_isas()) {
    CAPTURE(isa);
    check(*table_for(isa).value());
  }
}

TEST_CASE("the active instruction set is one of those available, and unknown names are refused") {
  const std::vector<std::string> isas = available_isas();
  CHECK(std::find(isas.begin(), isas.end(), isa_name()) != isas.end());
  CHECK(table_for("vax").status().code() == StatusCode::kRange);
}

TEST_CASE("square_norms and row_dots equal float64 sums") {
  for_each_isa([](const KernelTable& k) {
    for (const size_t dim : {1, 2, 7, 16, 17, 64, 100, 257}) {
      for (const size_t rows : {1, 2, 5, 9, 33}) {
        for (const size_t offset : {0, 1, 3}) {
          Misaligned keys(reference::random_floats(rows * dim, dim * 100 + rows), offset);
          std::vector<float> norms(rows);
          k.square_norms({keys.data(), rows, dim}, norms.data());
          for (size_t j = 0; j < rows; ++j) {
            const double exact = reference::dot(keys.data() + j * dim, keys.data() + j * dim, dim);
            CHECK(std::abs(norms[j] - exact) <= kSlack * dim * kEpsilon * exact);
          }
          for (size_t count = 1; count <= kMaxRowQueries; ++count) {
            Misaligned queries(reference::random_floats(count * dim, dim + rows), offset + 1);
            Misaligned dots(std::vector<float>(count * rows), offset);
            std::vector<float> fused(rows);
            k.row_dots({keys.data(), rows, dim}, queries.data(), count, dots.data(), fused.data());
            for (size_t i = 0; i < count; ++i) {
              for (size_t j = 0; j < rows; ++j) {
                const double exact = reference::dot(queries.data() + i * dim, keys.data() + j * dim, dim);
                CHECK(std::abs(dots.data()[i * rows + j] - exact) <= kSlack * dim * kEpsilon * dim);
              }
            }
            for (size_t j = 0; j < rows; ++j)
              CHECK(std::abs(fused[j] - norms[j]) <= kSlack * dim * kEpsilon * norms[j]);
            CHECK(dots.intact());
          }
        }
      }
    }
  });
}

TEST_CASE("panel scores, maxima, exponentials and readout equal float64") {
  for_each_isa([](const KernelTable& k) {
    for (const size_t width : k.panel_widths) {
      for (const size_t dim : {1, 3, 16, 33, 100}) {
        for (const size_t rows : {1, 2, 6, 11, 12, 13, 40}) {
          const size_t count = width > 1 ? width - 1 : 1;  // the last lane is padding where there is one
          const std::vector<float> queries = reference::random_floats(count * dim, 7 * dim + rows);
          Misaligned keys(reference::random_floats(rows * dim, dim + 31 * rows), 1);
          Misaligned panel(std::vector<float>(dim * width), 3);
          k.pack_panel(queries.data(), count, dim, width, panel.data());
          const std::vector<float> multiplier = reference::random_floats(rows, 5);
          const std::vector<float> bias = reference::random_floats(rows, 6);
          std::vector<float> scale(width, 2.5F);
          Misaligned scores(std::vector<float>(rows * width), 1);
          std::vector<float> max(width, -std::numeric_limits<float>::max());
          REQUIRE(k.panel_scores({keys.data(), rows, dim}, panel.data(), width, multiplier.data(),
                                 bias.data(), scale.data(), scores.data(), max.data()));
          const double tolerance = kSlack * 2.5 * (dim + 2) * kEpsilon * (dim + 1);
          for (size_t i = 0; i < count; ++i) {
            double largest = -HUGE_VAL;
            for (size_t j = 0; j < rows; ++j) {
              const double exact =
                  2.5 *
                  (multiplier[j] * reference::dot(&queries[i * dim], keys.data() + j * dim, dim) + bias[j]);
              CHECK(std::abs(scores.data()[j * width + i] - exact) <= tolerance);
              largest = std::max<double>(largest, scores.data()[j * width + i]);
            }
            CHECK(max[i] == largest);
          }

          std::vector<float> weights(scores.data(), scores.data() + rows * width);
          std::vector<float> sum(width);
          CHECK(k.panel_exp(weights.data(), rows, width, max.data(), sum.data()));
          for (size_t i = 0; i < count; ++i) {
            double total = 0;
            for (size_t j = 0; j < rows; ++j) {
              const double exact = std::exp2(static_cast<double>(scores.data()[j * width + i]) - max[i]);
              // 3 units for the polynomial and its argument, one more for each binade of s - max.
              CHECK(std::abs(weights[j * width + i] - exact) <=
                    (3 + max[i] - scores.data()[j * width + i]) * kEpsilon * exact);
              total += weights[j * width + i];
            }
            CHECK(std::abs(sum[i] - total) <= rows * kEpsilon * total);
          }

          std::vector<float> rescale(width, 0.5F);
          Misaligned accumulator(reference::random_floats(dim * width, 99), 1);
          const std::vector<float> before(accumulator.data(), accumulator.data() + dim * width);
          k.panel_readout({keys.data(), rows, dim}, weights.data(), width, rescale.data(),
                          accumulator.data());
          for (size_t d = 0; d < dim; ++d) {
            for (size_t i = 0; i < count; ++i) {
              double exact = 0.5 * before[d * width + i];
              for (size_t j = 0; j < rows; ++j)
                exact += static_cast<double>(weights[j * width + i]) * keys.data()[j * dim + d];
              CHECK(std::abs(accumulator.data()[d * width + i] - exact) <=
                    kSlack * (rows + 1) * kEpsilon * (rows + 1));
            }
          }
          CHECK(scores.intact());
          CHECK(accumulator.intact());
          CHECK(panel.intact());
        }
      }
    }
  });
}

TEST_CASE("row scores, exponentials and readout equal float64") {
  for_each_isa([](const KernelTable& k) {
    for (const size_t rows : {1, 3, 8, 16, 31, 100}) {
      const std::vector<float> dots = reference::random_floats(rows, rows);
      const std::vector<float> multiplier = reference::random_floats(rows, 5);
      const std::vector<float> bias = reference::random_floats(rows, 6);
      std::vector<float> scores = dots;
      float max = -std::numeric_limits<float>::max();
      REQUIRE(k.row_scores(scores.data(), rows, multiplier.data(), bias.data(), 3.0F, &max));
      for (size_t j = 0; j < rows; ++j) {
        const double exact = 3.0 * (static_cast<double>(dots[j]) * multiplier[j] + bias[j]);
        CHECK(std::abs(scores[j] - exact) <= 8 * kEpsilon * 6);
        CHECK(scores[j] <= max);
      }
      std::vector<float> weights = scores;
      const float sum = k.row_exp(weights.data(), rows, max);
      double total = 0;
      for (size_t j = 0; j < rows; ++j) {
        const double exact = std::exp2(static_cast<double>(scores[j]) - max);
        CHECK(std::abs(weights[j] - exact) <= (3 + max - scores[j]) * kEpsilon * exact);
        total += exact;
      }
      CHECK(std::abs(sum - total) <= (rows + 20) * kEpsilon * total);

      for (const size_t dim : {1, 15, 16, 130, 300}) {
        Misaligned values(reference::random_floats(rows * dim, dim), 1);
        Misaligned accumulator(std::vector<float>(dim, 1.0F), 1);
        k.row_readout({values.data(), rows, dim}, weights.data(), 0.25F, accumulator.data());
        for (size_t d = 0; d < dim; ++d) {
          double exact = 0.25;
          for (size_t j = 0; j < rows; ++j)
            exact += static_cast<double>(weights[j]) * values.data()[j * dim + d];
          CHECK(std::abs(accumulator.data()[d] - exact) <= kSlack * (rows + 1) * kEpsilon * (rows + 1));
        }
        CHECK(accumulator.intact());
      }
    }
  });
}

TEST_CASE("exponentials are exactly 1 at the maximum and exactly 0 far below it") {
  for_each_isa([](const KernelTable& k) {
    const float infinity = std::numeric_limits<float>::infinity();
    std::vector<float> scores = {0.0F, -126.0F, -126.5F, -1000.0F, -infinity, -1e38F, -0.5F, -1.0F, -0.0F};
    CHECK(k.row_exp(scores.data(), scores.size(), 0.0F) > 1);
    CHECK(scores[0] == 1.0F);
    CHECK(scores[1] == 0x1p-126F);
    for (const size_t j : {2, 3, 4, 5}) CHECK(scores[j] == 0.0F);
    CHECK(scores[7] == 0.5F);
    const size_t width = k.panel_widths[1];
    std::vector<float> panel(width, -200.0F);
    std::vector<float> max(width, 0.0F);
    std::vector<float> sum(width);
    CHECK_FALSE(k.panel_exp(panel.data(), 1, width, max.data(), sum.data()));
  });
}

TEST_CASE("non-finite dot products are reported, an excluded key is not") {
  for_each_isa([](const KernelTable& k) {
    const float infinity = std::numeric_limits<float>::infinity();
    const size_t dim = 5;
    for (const size_t width : k.panel_widths) {
      for (const float bad : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()}) {
        for (size_t at = 0; at < 13; ++at) {
          std::vector<float> keys(13 * dim, 0.5F);
          std::vector<float> panel(dim * width, 1.0F);
          std::vector<float> ones(13, 1.0F);
          std::vector<float> bias(13, 0.0F);
          bias[3] = -infinity;
          std::vector<float> scale(width, 1.0F);
          std::vector<float> scores(13 * width);
          std::vector<float> max(width, -1.0F);
          CHECK(k.panel_scores({keys.data(), 13, dim}, panel.data(), width, ones.data(), bias.data(),
                               scale.data(), scores.data(), max.data()));
          keys[at * dim + at % dim] = bad;
          CHECK_FALSE(k.panel_scores({keys.data(), 13, dim}, panel.data(), width, ones.data(), bias.data(),
                                     scale.data(), scores.data(), max.data()));
          CHECK_FALSE(k.all_finite(keys.data(), keys.size()));
          std::vector<float> row(13, 1.0F);
          float top = 0;
          CHECK(k.row_scores(row.data(), 13, nullptr, bias.data(), 1.0F, &top));
          row.assign(13, 1.0F);
          row[at] = bad;
          CHECK_FALSE(k.row_scores(row.data(), 13, nullptr, nullptr, 1.0F, &top));
        }
      }
    }
  });
}

TEST_CASE("panel_above lists exactly the rows with a score above a threshold") {
  for_each_isa([](const KernelTable& k) {
    for (const size_t width : k.panel_widths) {
      const size_t rows = 77;
      const std::vector<float> scores = reference::random_floats(rows * width, width);
      for (const float threshold : {-2.0F, 0.0F, 0.9F, 0.99F, 2.0F}) {
        const std::vector<float> thresholds(width, threshold);
        std::vector<uint32_t> hits(rows + 1);
        const size_t count = k.panel_above(scores.data(), rows, width, thresholds.data(), hits.data());
        std::vector<uint32_t> expected;
        for (size_t j = 0; j < rows; ++j) {
          bool any = false;
          for (size_t i = 0; i < width; ++i) any |= scores[j * width + i] > threshold;
          if (any) expected.push_back(static_cast<uint32_t>(j));
        }
        CHECK(std::vector<uint32_t>(hits.begin(), hits.begin() + static_cast<int64_t>(count)) == expected);
      }
    }
  });
}

TEST_CASE("signs are taken for what they are, and nothing else is") {
  for_each_isa([](const KernelTable& k) {
    for (const size_t count : {1, 15, 16, 64, 65, 130, 1000}) {
      std::vector<float> x = reference::random_floats(count, count);
      for (float& each : x) each = each < 0 ? -1.0F : 1.0F;
      std::vector<uint64_t> bits((count + 63) / 64);
      REQUIRE(k.sign_bits(x.data(), count, bits.data()));
      for (size_t i = 0; i < bits.size() * 64; ++i)
        REQUIRE((bits[i / 64] >> (i % 64) & 1) == (i < count && x[i] > 0 ? 1 : 0));
      for (const size_t at : {size_t{0}, count / 2, count - 1}) {
        for (const float odd : {0.0F, -0.0F, 2.0F, 0.999F, std::nanf(""), INFINITY}) {
          std::vector<float> y = x;
          y[at] = odd;
          REQUIRE_FALSE(k.sign_bits(y.data(), count, bits.data()));
        }
      }
    }
  });
}

TEST_CASE("differences of signs are counted, beyond what a byte holds") {
  for_each_isa([](const KernelTable& k) {
    for (const size_t lines : {1, 31, 32, 100}) {
      std::mt19937_64 random(lines);
      std::vector<uint64_t> a(lines * kSignPanel);
      std::vector<uint64_t> b(lines * kSignPanel);
      for (uint64_t& word : a) word = random();
      for (uint64_t& word : b) word = random();
      for (size_t line = 0; line < lines; ++line) b[line * kSignPanel + 3] = ~a[line * kSignPanel + 2];
      std::vector<uint64_t> differences(kSignPanel * kSignPanel, 7);
      k.sign_differences(a.data(), b.data(), lines, differences.data());
      for (size_t i = 0; i < kSignPanel; ++i) {
        for (size_t j = 0; j < kSignPanel; ++j) {
          uint64_t expected = 7;
          for (size_t line = 0; line < lines; ++line)
            expected +=
                static_cast<uint64_t>(std::popcount(a[line * kSignPanel + i] ^ b[line * kSignPanel + j]));
          REQUIRE(differences[i * kSignPanel + j] == expected);
        }
      }
      REQUIRE(differences[2 * kSignPanel + 3] == 7 + 64 * lines);
    }
  });
}

}  // namespace
}  // namespace engram::kernels
