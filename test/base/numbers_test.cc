#include "base/numbers.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace engram {
namespace {

TEST_CASE("numbers are printed as short as they can be read back") {
  CHECK(print_number(0.1F) == "0.1");
  CHECK(print_number(0.1) == "0.1");
  CHECK(print_number(3.0) == "3");
  CHECK(print_number(-2.5e-7) == "-2.5e-07");
  CHECK(print_number(1.0F / 3) == "0.33333334");
  CHECK(print_number(1.0 / 3) == "0.3333333333333333");
}

template <typename Float, typename Bits>
void check_round_trip(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Float> values = {0,
                               -Float{0},
                               std::numeric_limits<Float>::denorm_min(),
                               std::numeric_limits<Float>::min(),
                               std::numeric_limits<Float>::max(),
                               -std::numeric_limits<Float>::infinity()};
  while (values.size() < 2000) {
    const auto value = std::bit_cast<Float>(static_cast<Bits>(random()));
    if (!std::isnan(value)) values.push_back(value);
  }
  for (const Float value : values) {
    Float read = 0;
    REQUIRE(parse_number(print_number(value), read));
    CHECK(std::bit_cast<Bits>(read) == std::bit_cast<Bits>(value));
  }
}

TEST_CASE("every bit of a number survives as text") {
  check_round_trip<float, uint32_t>(1);
  check_round_trip<double, uint64_t>(2);
  double read = 0;
  REQUIRE(parse_number(print_number(std::numeric_limits<double>::quiet_NaN()), read));
  CHECK(std::isnan(read));
}

TEST_CASE("text is a number only as a whole") {
  double number = 0;
  uint32_t integer = 0;
  for (const char* text : {"", "x", "1x", "1 ", "1,5", "0.1.2"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_number(text, number));
    CHECK_FALSE(parse_number(text, integer));
  }
  CHECK_FALSE(parse_number(std::string("1\0", 2), number));
  CHECK_FALSE(parse_number("-1", integer));
  CHECK_FALSE(parse_number("4294967296", integer));
  CHECK(parse_number("4294967295", integer));
  CHECK(integer == 4294967295U);
  uint64_t wide = 0;
  CHECK_FALSE(parse_number("18446744073709551616", wide));
  CHECK_FALSE(parse_number("-1", wide));
  CHECK(parse_number("18446744073709551615", wide));
  CHECK(wide == 18446744073709551615U);
}

}  // namespace
}  // namespace engram
