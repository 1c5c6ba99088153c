// One number of each lane brought together for all of them, in the same order always.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

namespace engram::cuda {

inline constexpr uint32_t kWarp = 32;

template <typename T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (uint32_t half = kWarp / 2; half > 0; half /= 2) value += __shfl_xor_sync(0xFFFFFFFFU, value, half);
  return value;
}

__device__ __forceinline__ double warp_max(double value) {
#pragma unroll
  for (uint32_t half = kWarp / 2; half > 0; half /= 2) {
    value = fmax(value, __shfl_xor_sync(0xFFFFFFFFU, value, half));
  }
  return value;
}

}  // namespace engram::cuda
