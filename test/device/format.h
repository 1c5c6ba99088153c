// How the rows of a memory are stored and multiplied, and how exact that is.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "engine/device_table.h"

namespace engram::device_test {

struct Format {
  const char* name;
  uint32_t element;     // ENGRAM_ELEMENT_*
  uint32_t arithmetic;  // ENGRAM_ARITHMETIC_*
  // Largest relative error by which a factor of a product is rounded on its way into the matrix units.
  double query_rounding;
  double key_rounding;     // beside what storing does
  double weight_rounding;  // of the weights in a readout
};

inline constexpr double kFloatUnit = 0x1p-24;

// Three products of tf32 halves leave out the product of the two low halves.
inline constexpr std::array<Format, 5> kFormats = {{
    {"f32", ENGRAM_ELEMENT_F32, ENGRAM_ARITHMETIC_TF32X3, 0x1p-22, 0x1p-22, 0x1p-21},
    {"f32 by tf32", ENGRAM_ELEMENT_F32, ENGRAM_ARITHMETIC_TF32, 0x1p-11, 0x1p-11, 0x1p-10},
    {"f32 by bf16", ENGRAM_ELEMENT_F32, ENGRAM_ARITHMETIC_BF16, 0x1p-8, 0x1p-8, 0x1p-7},
    {"f16", ENGRAM_ELEMENT_F16, ENGRAM_ARITHMETIC_TF32X3, 0x1p-11, 0, 0x1p-11},
    {"bf16", ENGRAM_ELEMENT_BF16, ENGRAM_ARITHMETIC_TF32X3, 0x1p-8, 0, 0x1p-8},
}};

// x with its last `bits` bits rounded away, halves to even.
inline float without_bits(float x, int bits) {
  const auto word = std::bit_cast<uint32_t>(x);
  const uint32_t rest = (1U << bits) - 1;
  return std::bit_cast<float>((word + (rest >> 1) + (word >> bits & 1)) & ~rest);
}

// x as a row of the format stores it.
inline float stored(const Format& format, float x) {
  constexpr float kLeastNormalHalf = 0x1p-14F;
  switch (format.element) {
    case ENGRAM_ELEMENT_BF16: return without_bits(x, 16);
    case ENGRAM_ELEMENT_F16:
      if (std::abs(x) < kLeastNormalHalf) return std::nearbyintf(x * 0x1p24F) * 0x1p-24F;
      return without_bits(x, 13);
    default: return x;
  }
}

inline uint64_t element_bytes(const Format& format) { return format.element == ENGRAM_ELEMENT_F32 ? 4 : 2; }

}  // namespace engram::device_test
