// Rows and queries on their way in, on the simulated device.
#include "cuda/intake.h"

#include <doctest/doctest.h>

#include <cfloat>

#include "device_arrays.h"

namespace engram::cuda {
namespace {

using testing::as_stored;
using testing::DeviceArray;
using testing::kElements;
using testing::pitch_for;
using testing::stored;

std::vector<float> random_numbers(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(count);
  for (float& number : x) number = normal(random);
  return x;
}

struct Taken {
  std::vector<uint8_t> rows;
  std::vector<float> norms;
  IntakeFacts facts;
};

Taken taken(const std::vector<float>& packed, uint32_t dim, Element element, IntakeFacts facts = {}) {
  const uint32_t pitch = pitch_for(dim, element);
  const size_t count = packed.size() / dim;
  const DeviceArray<float> from(packed);
  const DeviceArray<uint8_t> to(count * pitch * (element == Element::kFloat32 ? 4 : 2));
  const DeviceArray<float> norms(count);
  const DeviceArray<IntakeFacts> device_facts(std::vector<IntakeFacts>{facts});
  REQUIRE(take_rows(from.get(), count, dim, to.get(), pitch, element, norms.get(), device_facts.get(),
                    nullptr) == cudaSuccess);
  return {to.read(), norms.read(), device_facts.read()[0]};
}

}  // namespace

TEST_CASE("rows are stored rounded to the nearest, with zeros behind and the norms of what is stored") {
  for (const Element element : kElements) {
    for (const uint32_t dim : {1U, 3U, 8U, 16U, 100U, 1023U}) {
      for (const uint32_t count : {1U, 7U, 300U}) {
        CAPTURE(dim);
        CAPTURE(count);
        const std::vector<float> packed = random_numbers(size_t{count} * dim, dim + count);
        const Taken found = taken(packed, dim, element);
        CHECK(found.rows == as_stored(packed, dim, element));
        double largest = 0;
        for (uint32_t j = 0; j < count; ++j) {
          double norm = 0;
          for (uint32_t d = 0; d < dim; ++d) norm += std::pow(stored(packed[j * dim + d], element), 2.0);
          CHECK(std::abs(found.norms[j] - norm) <= norm * 0x1p-21);
          largest = std::max<double>(largest, found.norms[j]);
        }
        CHECK(found.facts.largest_square_norm == largest);
      }
    }
  }
}

TEST_CASE("halfway numbers are rounded to even, and subnormal ones are kept") {
  const std::vector<float> packed = {1.0F + 0x1p-11F, 1.0F + 0x3p-11F, 1.0F + 0x1p-8F, 1.0F + 0x3p-8F,
                                     0x1p-24F,        0x1p-25F,        0x3p-25F,       65519.0F};
  for (const Element element : kElements) {
    CHECK(taken(packed, 8, element).rows == as_stored(packed, 8, element));
  }
}

// Stored: the number is kept. Refused: the row is zeros, its norm infinite.
enum class Fate : uint8_t { kStored, kRefused };

Fate fate_of(float x, Element element) {
  const std::vector<float> packed = random_numbers(size_t{50} * 20, 1);
  std::vector<float> some = packed;
  some[31 * 20 + 19] = x;
  const Taken found = taken(some, 20, element);
  if (std::isfinite(found.norms[31])) {
    CHECK(found.rows == as_stored(some, 20, element));
    CHECK(found.facts.largest_square_norm == found.norms[31]);
    return Fate::kStored;
  }
  CHECK(found.norms[31] == INFINITY);
  std::vector<float> zeroed = packed;
  std::fill_n(zeroed.begin() + 31 * 20, 20, 0.0F);
  CHECK(found.rows == as_stored(zeroed, 20, element));
  CHECK(found.facts.largest_square_norm < 100);
  return Fate::kRefused;
}

TEST_CASE("rows that cannot be scored are kept as zeros with an infinite norm") {
  for (const Element element : kElements) {
    CAPTURE(static_cast<int>(element));
    for (const float x : {INFINITY, -INFINITY, std::numeric_limits<float>::quiet_NaN(), FLT_MAX, 1e19F}) {
      CHECK(fate_of(x, element) == Fate::kRefused);
    }
    const bool half = element == Element::kFloat16;
    CHECK(fate_of(-65520, element) == (half ? Fate::kRefused : Fate::kStored));  // rounds to 65536
    CHECK(fate_of(65519, element) == Fate::kStored);
    CHECK(fate_of(9e18F, element) == (half ? Fate::kRefused : Fate::kStored));
  }
}

TEST_CASE("values that no arithmetic keeps finite refuse their keys") {
  for (const Element element : kElements) {
    for (const float x : {INFINITY, -FLT_MAX, 7e4F, 3.0F}) {
      CAPTURE(x);
      std::vector<float> packed = random_numbers(size_t{400} * 9, 2);
      packed[321 * 9 + 8] = x;
      const uint32_t pitch = pitch_for(9, element);
      const DeviceArray<float> from(packed);
      const DeviceArray<uint8_t> values(size_t{400} * pitch * (element == Element::kFloat32 ? 4 : 2));
      const DeviceArray<float> norms(std::vector<float>(400, 2.0F));
      REQUIRE(take_rows(from.get(), 400, 9, values.get(), pitch, element, nullptr, nullptr, nullptr) ==
              cudaSuccess);
      REQUIRE(refuse_values(values.get(), 400, pitch, element, norms.get(), nullptr) == cudaSuccess);
      const bool refused = !std::isfinite(stored(x, element)) || x == -FLT_MAX;
      std::vector<float> expected(400, 2.0F);
      if (refused) {
        expected[321] = INFINITY;
        std::fill_n(packed.begin() + 321 * 9, 9, 0.0F);
      }
      CHECK(norms.read() == expected);
      CHECK(values.read() == as_stored(packed, 9, element));
    }
  }
}

TEST_CASE("facts are joined to those of earlier rows") {
  const std::vector<float> packed = {3, 4, 0, 0};
  CHECK(taken(packed, 2, Element::kFloat32, {.largest_square_norm = 100}).facts.largest_square_norm == 100);
  CHECK(taken(packed, 2, Element::kFloat32).facts.largest_square_norm == 25);
}

TEST_CASE("values and queries are taken in without norms") {
  const std::vector<float> packed = random_numbers(size_t{9} * 5, 3);
  const DeviceArray<float> from(packed);
  const DeviceArray<uint8_t> to(size_t{9} * 8 * 4);
  REQUIRE(take_queries(from.get(), 9, 5, reinterpret_cast<float*>(to.get()), 8, nullptr) == cudaSuccess);
  CHECK(to.read() == as_stored(packed, 5, Element::kFloat32));
  const DeviceArray<IntakeFacts> facts(std::vector<IntakeFacts>{IntakeFacts{}});
  REQUIRE(take_rows(from.get(), 9, 5, to.get(), 8, Element::kFloat32, nullptr, facts.get(), nullptr) ==
          cudaSuccess);
  CHECK(facts.read()[0].largest_square_norm == 0);
}

TEST_CASE("the largest norm is that of rows that are not removed") {
  for (const uint32_t count : {1U, 100U, 3000U}) {
    std::vector<float> norms(count);
    for (uint32_t j = 0; j < count; ++j) norms[j] = static_cast<float>(j * 2654435761U % 10007);
    for (const bool all_removed : {false, true}) {
      std::vector<uint64_t> removed((count + 137) / 64 + 1, all_removed ? ~uint64_t{0} : 0);
      float expected = 0.5F;
      const auto most = static_cast<uint64_t>(std::max_element(norms.begin(), norms.end()) - norms.begin());
      removed[(137 + most) / 64] |= uint64_t{1} << ((137 + most) % 64);
      for (uint32_t j = 0; j < count && !all_removed; ++j) {
        if (j != most) expected = std::max(expected, norms[j]);
      }
      const DeviceArray<float> device_norms(norms);
      const DeviceArray<uint64_t> device_removed(removed);
      const DeviceArray<float> largest(std::vector<float>{0.5F});
      Rows rows;
      rows.square_norms = device_norms.get();
      rows.removed = device_removed.get();
      rows.removed_bits = removed.size() * 64;
      rows.first = 137;
      rows.count = count;
      REQUIRE(largest_norm(rows, largest.get(), nullptr) == cudaSuccess);
      CHECK(largest.read()[0] == expected);
    }
  }
}

}  // namespace engram::cuda
