// How pairs of all sizes are iterated, and when that ends.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace engram::cuda {

inline constexpr uint32_t kRateEvery = 64;  // iterations between looks at the rate of convergence
inline constexpr double kSlow = 0.7;  // decay of the residual over kRateEvery iterations that is too slow
inline constexpr double kFloat32Residual = 1e-6;  // what products in Float32 reach
inline constexpr double kMostUpdate = 900;        // exponents: a mass below the smallest Float64
inline constexpr float kSafe = 0x1p30F;           // scalings stay within this factor of 1
inline constexpr uint32_t kMostRefinements = 8;
inline constexpr uint32_t kMostUnsafe = 16;  // rounds in a row that end because a scaling left the safe range
inline constexpr double kLeastMass = 0x1p-100;  // of a column that iterations in Float32 can speak of

// Written so that NaN is not safe.
__device__ __forceinline__ bool is_safe(float scaling) { return scaling <= kSafe && scaling >= 1 / kSafe; }

// The scaling of a column of mass b > 0 whose entries sum up to `sum` under scalings of the rows; `before`:
// the one it has. Columns of less mass than counts in Float32 never leave the safe range: updates in Float64
// move their potentials.
template <typename Sum>
__device__ __forceinline__ float next_scaling(double b, Sum sum, float before) {
  if (b >= kLeastMass) return static_cast<float>(static_cast<Sum>(b) / sum);
  const float scaling = static_cast<float>(b / static_cast<double>(sum));
  return is_safe(scaling) ? scaling : before;
}

}  // namespace engram::cuda
