#include "special_functions.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace engram::simulator {
namespace {

float without_subnormals(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0F, x) : x; }

// The result, moved by -1, 0 or 1 units in the last place as the bits of the argument will have it.
float moved(float result, float argument) {
  const uint32_t mixed = std::bit_cast<uint32_t>(argument) * 0x9E3779B9U >> 16;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(result) + mixed % 3 - 1);
}

}  // namespace

float approximate_exp2(float x) {
  const float argument = without_subnormals(x);
  const float result = without_subnormals(std::exp2(argument));
  const bool exact = argument == std::nearbyint(argument) || !std::isfinite(result) || result == 0.0F;
  return exact ? result : without_subnormals(moved(result, argument));
}

float approximate_log2(float x) {
  const float argument = without_subnormals(x);
  const float result = std::log2(argument);
  const bool exact = result == std::nearbyint(result) || !std::isfinite(result);
  return exact ? result : moved(result, argument);
}

}  // namespace engram::simulator
