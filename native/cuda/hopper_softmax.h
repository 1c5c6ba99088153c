// The running softmax of the queries of a warpgroup, on the accumulators of its products.
#pragma once

#include <cuda_runtime.h>

#include <cfloat>
#include <cstdint>

#include "cuda/fold.h"
#include "cuda/ptx.h"

namespace engram::cuda {

// A thread has parts of two queries, four threads of a quad the same two; accumulator 4j + i is of query i /
// 2 and of row 8j + 2 (lane % 4) + i % 2 of the tile.
//
// Weights are 2^(score - max + kShift): where they are rounded to f16 they use its whole range, for else
// those below 2^-14 would lose their bits, and those below 2^-25 be lost.
template <bool kBfloat16>
struct HopperSoftmax {
  static constexpr float kShift = kBfloat16 ? 0.0F : 14.0F;
  static constexpr float kUnshift = kBfloat16 ? 1.0F : 0x1p-14F;  // takes it off sums of weights

  float scale[2];
  float max[2];  // of the scores; -inf before the first
  float sum[2];  // of the thread's weights

  // `query` is the thread's first of two; the other is eight further on.
  __device__ HopperSoftmax(const float* scales, uint32_t query, uint32_t queries) {
#pragma unroll
    for (uint32_t half = 0; half < 2; ++half) {
      const uint32_t at = query + 8 * half;
      scale[half] = at < queries ? scales[at] : 1.0F;
      max[half] = -INFINITY;
      sum[half] = 0;
    }
  }

  // Turns scores, before they are multiplied by the scale, into weights, and tells by what earlier weights
  // have to be multiplied.
  template <uint32_t kCount>
  __device__ __forceinline__ void take(float (&scores)[kCount], float (&rescale)[2]) {
    float most[4] = {scores[0], scores[1], scores[2], scores[3]};  // four chains: each waits for itself
#pragma unroll
    for (uint32_t i = 4; i < kCount; ++i) most[i % 4] = fmaxf(most[i % 4], scores[i]);
    float factor[2];
    float base[2];
    float largest = 0;
#pragma unroll
    for (uint32_t half = 0; half < 2; ++half) {
      float m = fmaxf(most[2 * half], most[2 * half + 1]);
      m = fmaxf(m, __shfl_xor_sync(0xFFFFFFFFU, m, 1));
      m = fmaxf(m, __shfl_xor_sync(0xFFFFFFFFU, m, 2));
      m = fmaxf(max[half], m * scale[half]);
      base[half] = m == -INFINITY ? 0.0F : m;  // all removed so far: weights 0
      rescale[half] = exp2_fast(max[half] - base[half]);
      max[half] = m;
      sum[half] *= rescale[half];
      factor[half] = scale[half];
      largest = fmaxf(largest, fabsf(base[half]));
    }
    // The maximum is a rounded product, but what is subtracted from it below is not: of scores this large the
    // difference is felt, and they are rounded first.
    const bool large = __any_sync(0xFFFFFFFFU, largest >= 0x1p22F) != 0;
    if (large) {
#pragma unroll
      for (uint32_t i = 0; i < kCount; ++i) {
        scores[i] = __fmul_rn(scores[i], scale[i / 2 % 2]) - base[i / 2 % 2];
      }
    }
#pragma unroll
    for (uint32_t half = 0; half < 2; ++half) {
      factor[half] = large ? 1.0F : factor[half];
      base[half] = (large ? 0.0F : base[half]) - kShift;
    }
    float part[4] = {};
#pragma unroll
    for (uint32_t i = 0; i < kCount; ++i) {
      scores[i] = exp2_fast(fmaf(scores[i], factor[i / 2 % 2], -base[i / 2 % 2]));
      part[i % 4] += scores[i];
    }
    sum[0] += part[0] + part[1];
    sum[1] += part[2] + part[3];
  }

  // Partial answers of this split.
  __device__ __forceinline__ void write(const SoftmaxPartials& out, uint32_t query, uint32_t queries) const {
#pragma unroll
    for (uint32_t half = 0; half < 2; ++half) {
      float all = sum[half];
      all += __shfl_xor_sync(0xFFFFFFFFU, all, 1);
      all += __shfl_xor_sync(0xFFFFFFFFU, all, 2);
      const uint32_t at = query + 8 * half;
      if (threadIdx.x % 4 != 0 || at >= queries) continue;
      const uint64_t answer = uint64_t{blockIdx.y} * queries + at;
      out.max[answer] = max[half] == -INFINITY ? -FLT_MAX : max[half];
      out.sum[answer] = all * kUnshift;
    }
  }
};

}  // namespace engram::cuda
