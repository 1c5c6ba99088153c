#include "small_floats.h"

#include <bit>
#include <cmath>

namespace engram::simulator {
namespace {

constexpr uint32_t kTf32Dropped = 13;  // bits

}  // namespace

float bf16_value(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

float f16_value(uint16_t bits) {
  const int exponent = bits >> 10 & 0x1F;
  const int mantissa = bits & 0x3FF;
  float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                                  : std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  if (exponent == 31) magnitude = mantissa == 0 ? INFINITY : NAN;
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

uint16_t bf16_bits(float x) {
  if (std::isnan(x)) return 0x7FFF;
  const auto bits = std::bit_cast<uint32_t>(x);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

uint16_t f16_bits(float x) {
  if (std::isnan(x)) return 0x7FFF;
  const auto sign = static_cast<uint16_t>(std::signbit(x) ? 0x8000 : 0);
  const float magnitude = std::fabs(x);
  if (magnitude >= 65520.0F) return sign | 0x7C00;  // half a unit above the largest
  // In units of the last place; nearbyint() rounds ties to even, and a carry goes into the exponent by
  // itself.
  const int exponent = magnitude < 0x1p-14F ? -14 : std::ilogb(magnitude);
  const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  return static_cast<uint16_t>(sign | (static_cast<uint32_t>(exponent + 14) * 1024 + units));
}

float tf32_value(uint32_t bits) { return std::bit_cast<float>(bits >> kTf32Dropped << kTf32Dropped); }

uint32_t tf32_bits(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (!std::isfinite(x)) return bits >> kTf32Dropped << kTf32Dropped | (std::isnan(x) ? 0x7FFFE000U : 0U);
  return (bits + (1U << (kTf32Dropped - 1))) >> kTf32Dropped << kTf32Dropped;
}

}  // namespace engram::simulator
