// When iterations end, for pairs of all sizes.
#pragma once

#include <cstdint>

namespace engram::cuda {

inline constexpr uint32_t kRateEvery = 64;  // iterations between looks at the rate of convergence
inline constexpr double kSlow = 0.7;  // decay of the residual over kRateEvery iterations that is too slow
inline constexpr double kFloat32Residual = 1e-6;  // what products in Float32 reach
inline constexpr double kMostUpdate = 900;        // exponents: a mass below the smallest Float64
inline constexpr float kSafe = 0x1p30F;           // scalings stay within this factor of 1
inline constexpr uint32_t kMostRefinements = 8;

}  // namespace engram::cuda
