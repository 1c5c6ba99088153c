// Floating point of 16 and 19 bits, by the definitions.
#pragma once

#include <cstdint>

namespace engram::simulator {

float bf16_value(uint16_t bits);
float f16_value(uint16_t bits);
// Rounded to nearest, ties to even; NaN to 0x7FFF.
uint16_t bf16_bits(float x);
uint16_t f16_bits(float x);
// The first 19 of the 32 bits, as tf32 operands are read.
float tf32_value(uint32_t bits);
// 10 bits of mantissa, ties away from zero.
uint32_t tf32_bits(float x);

}  // namespace engram::simulator
