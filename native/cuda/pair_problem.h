// A pair of small clouds in the shared memory of the block that solves it.
#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/pair_solver.h"
#include "cuda/warp_sums.h"

namespace engram::cuda {

inline constexpr uint32_t kPairThreads = 128;
inline constexpr uint32_t kPairWarps = kPairThreads / kWarp;

// What every way to iterate begins and ends with.
struct PairArrays {
  double* z;         // columns: potential in exponents of two
  double* h;         // columns: z + log2 b
  double* b;         // columns
  double* marginal;  // columns: of the last Float64 pass
  double* lse;       // rows
  double* a;         // rows
  double* scratch;   // threads
  double* x;         // rows x dim
  double* y;         // columns x dim
  float* v;          // columns: scalings
  float* before;     // columns: v before its last update
  float* work;       // of the iterations

  // Bytes before `work`, which begins at a multiple of 16.
  static uint64_t bytes(uint64_t rows, uint64_t columns, uint64_t dim) {
    const uint64_t doubles = 4 * columns + 2 * rows + kPairThreads + (rows + columns) * dim;
    const uint64_t floats = 2 * columns;
    return (doubles * sizeof(double) + floats * sizeof(float) + 15) / 16 * 16;
  }

  __device__ __forceinline__ static PairArrays cut(double* shared, uint32_t rows, uint32_t columns,
                                                   uint32_t dim) {
    PairArrays at;
    at.z = shared;
    at.h = at.z + columns;
    at.b = at.h + columns;
    at.marginal = at.b + columns;
    at.lse = at.marginal + columns;
    at.a = at.lse + rows;
    at.scratch = at.a + rows;
    at.x = at.scratch + kPairThreads;
    at.y = at.x + rows * dim;
    at.v = reinterpret_cast<float*>(at.y + columns * dim);
    at.before = at.v + columns;
    const auto used = static_cast<uint32_t>(at.before + columns - reinterpret_cast<float*>(shared));
    at.work = reinterpret_cast<float*>(shared) + (used + 3) / 4 * 4;
    return at;
  }
};

struct PairProblem {
  uint32_t rows;
  uint32_t columns;
  uint32_t dim;
  double cost_scale;
  double rate;  // log2(e) / epsilon
  PairArrays at;

  __device__ __forceinline__ double cost(uint32_t i, uint32_t j) const {
    double sum = 0;
#pragma unroll 1
    for (uint32_t d = 0; d < dim; ++d) {
      const double apart = at.x[i * dim + d] - at.y[j * dim + d];
      sum = fma(apart, apart, sum);
    }
    return cost_scale * sum;
  }
  __device__ __forceinline__ double exponent(uint32_t i, uint32_t j) const {
    return fma(-rate, cost(i, j), at.h[j]);
  }
};

}  // namespace engram::cuda
