// Random numbers that are a function of a seed and a position: any part of an array can be made, or made
// again, on its own.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engram::device_test {

inline uint64_t mixed(uint64_t seed, uint64_t position) {
  uint64_t z = seed * 0xD1342543DE82EF95ULL + (position + 1) * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

// Near normal, mean 0, variance 1: a sum of four uniform numbers.
inline float normal(uint64_t seed, uint64_t position) {
  const uint64_t bits = mixed(seed, position);
  const auto part = [bits](int i) { return static_cast<float>(bits >> (16 * i) & 0xFFFF); };
  constexpr float kMean = 2 * 65535.0F;
  constexpr float kDeviation = 37836.9F;  // of the sum: 2 x 65536 / sqrt(12)
  return (part(0) + part(1) + part(2) + part(3) - kMean) / kDeviation;
}

// Fills an array with normals times `size`, on several threads where it is long.
void fill_normal(float* to, size_t count, uint64_t seed, float size = 1);

}  // namespace engram::device_test
