#include <cmath>

#include "cuda/large_pairs.h"
#include "cuda/launch.h"
#include "cuda/pair_rules.h"
#include "cuda/ptx.h"
#include "cuda/warp_sums.h"

// blockIdx.y is the pair. The iterations of pair_solver.cu with the Gibbs kernel in memory of the device.
// Floor: the kernel is read twice an iteration, from the second cache where it fits (32 MB for 2,896 x 2,896
// points).

namespace engram::cuda {
namespace {

constexpr uint32_t kRowWarps = 8;      // of a block, each with a row of its own
constexpr uint32_t kColumnWarps = 32;  // of a block, which share the rows of 32 columns
constexpr uint32_t kRun = 16;          // products summed in Float32; runs are summed in Float64

__device__ __forceinline__ double cost(const LargePair& pair, uint32_t i, uint32_t j) {
  double sum = 0;
#pragma unroll 1
  for (uint32_t d = 0; d < pair.dim; ++d) {
    const double apart =
        pair.x[uint64_t{i} * pair.dim + d] - static_cast<double>(pair.y[uint64_t{j} * pair.dim + d]);
    sum = fma(apart, apart, sum);
  }
  return pair.cost_scale * sum;
}
__device__ __forceinline__ double exponent(const LargePair& pair, const double* h, uint32_t i, uint32_t j) {
  return fma(-1.4426950408889634 / pair.epsilon, cost(pair, i, j), h[j]);
}

__device__ __forceinline__ uint32_t row_of_warp() { return blockIdx.x * kRowWarps + threadIdx.x / kWarp; }

// Exponents in Float64 less the largest of their row: what is left is small where it counts, and Float32
// holds it.
__global__ void __launch_bounds__(kRowWarps* kWarp, 2) build_kernel(LargeTurns turns) {
  const LargePair pair = turns.pairs[blockIdx.y];
  if (turns.turns[blockIdx.y].builds == 0) return;
  const uint32_t lane = threadIdx.x % kWarp;
  if (blockIdx.x == 0) {
    for (uint32_t j = threadIdx.x; j < pair.stride; j += kRowWarps * kWarp) pair.v[j] = pair.before[j] = 1.0F;
    if (threadIdx.x == 0) *pair.unsafe_at = 0xFFFFFFFFU;
  }
  const uint32_t i = row_of_warp();
  if (i >= pair.rows) return;
  double most = -INFINITY;
  for (uint32_t j = lane; j < pair.columns; j += kWarp) most = fmax(most, exponent(pair, pair.h, i, j));
  most = warp_max(most);
  float* const row = pair.kernel + uint64_t{i} * pair.stride;
  double sum = 0;
  for (uint32_t j = lane; j < pair.stride; j += kWarp) {
    const float entry =
        j < pair.columns ? exp2_fast(static_cast<float>(exponent(pair, pair.h, i, j) - most)) : 0.0F;
    row[j] = entry;
    sum += static_cast<double>(entry);
  }
  const auto inverse = static_cast<float>(1 / warp_sum(sum));
  for (uint32_t j = lane; j < pair.stride; j += kWarp) row[j] *= inverse;
}

// u = a / (K v)
__global__ void __launch_bounds__(kRowWarps* kWarp, 2) row_scalings_kernel(LargeTurns turns, uint32_t step) {
  const LargePair pair = turns.pairs[blockIdx.y];
  const uint32_t iteration = turns.turns[blockIdx.y].first + step;
  if (iteration > turns.turns[blockIdx.y].last) return;
  const uint32_t i = row_of_warp();
  if (i >= pair.rows || *pair.unsafe_at < iteration) return;
  const float* const row = pair.kernel + uint64_t{i} * pair.stride;
  double sum = 0;
  for (uint32_t first = threadIdx.x % kWarp; first < pair.stride; first += kRun * kWarp) {
    float run = 0;
#pragma unroll
    for (uint32_t k = 0; k < kRun; ++k) {
      const uint32_t j = first + k * kWarp;
      if (j < pair.stride) run = fmaf(row[j], pair.v[j], run);
    }
    sum += static_cast<double>(run);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % kWarp == 0) pair.u[i] = static_cast<float>(pair.a[i] / sum);
}

// The sum of the warps' numbers of a column, for the first warp; always in the same order.
__device__ __forceinline__ double sum_of_warps(double mine) {
  double* const all = dynamic_shared<double>();
  all[threadIdx.x] = mine;
  __syncthreads();
  double sum = 0;
  for (uint32_t w = 0; threadIdx.x < kWarp && w < kColumnWarps; ++w) sum += all[w * kWarp + threadIdx.x];
  return sum;
}

// v = b / (K^T u)
__global__ void __launch_bounds__(kColumnWarps* kWarp)
    column_scalings_kernel(LargeTurns turns, uint32_t step) {
  const LargePair pair = turns.pairs[blockIdx.y];
  const uint32_t iteration = turns.turns[blockIdx.y].first + step;
  if (blockIdx.x * kWarp >= pair.stride || iteration > turns.turns[blockIdx.y].last) return;
  if (*pair.unsafe_at < iteration) return;
  const uint32_t j = blockIdx.x * kWarp + threadIdx.x % kWarp;
  double mine = 0;
  for (uint32_t first = threadIdx.x / kWarp; first < pair.rows; first += kRun * kColumnWarps) {
    float run = 0;
#pragma unroll
    for (uint32_t k = 0; k < kRun; ++k) {
      const uint32_t i = first + k * kColumnWarps;
      if (i < pair.rows) run = fmaf(pair.u[i], pair.kernel[uint64_t{i} * pair.stride + j], run);
    }
    mine += static_cast<double>(run);
  }
  const double sum = sum_of_warps(mine);
  if (threadIdx.x >= kWarp || j >= pair.columns) return;
  const double mass = pair.b[j];
  const float scaling = mass > 0 ? next_scaling(mass, sum, pair.v[j]) : 0.0F;
  pair.off[j] = static_cast<float>(fabs(fma(static_cast<double>(pair.v[j]), sum, -mass)));
  pair.before[j] = pair.v[j];
  pair.v[j] = scaling;
  // All that write it write the same.
  if (mass > 0 && !is_safe(scaling)) *pair.unsafe_at = iteration;
}

__global__ void __launch_bounds__(kRowWarps* kWarp, 2) lse_kernel(LargeTurns turns) {
  const LargePair pair = turns.pairs[blockIdx.y];
  if (turns.turns[blockIdx.y].certifies == 0) return;
  const uint32_t i = row_of_warp();
  if (i >= pair.rows) return;
  const uint32_t lane = threadIdx.x % kWarp;
  double most = -INFINITY;
  double dearest = -INFINITY;
  double cheapest = INFINITY;
  for (uint32_t j = lane; j < pair.columns; j += kWarp) {
    most = fmax(most, exponent(pair, pair.h, i, j));
    if (!(pair.b[j] > 0)) continue;
    dearest = fmax(dearest, cost(pair, i, j));
    cheapest = fmin(cheapest, cost(pair, i, j));
  }
  most = warp_max(most);
  dearest = warp_max(dearest);
  cheapest = -warp_max(-cheapest);
  double sum = 0;
  for (uint32_t j = lane; j < pair.columns; j += kWarp) sum += exp2(exponent(pair, pair.h, i, j) - most);
  sum = warp_sum(sum);
  if (lane > 0) return;
  pair.lse[i] = most + log2(sum);
  pair.spread[i] = pair.a[i] > 0 ? dearest - cheapest : 0;
}

__global__ void __launch_bounds__(kColumnWarps* kWarp) marginal_kernel(LargeTurns turns) {
  const LargePair pair = turns.pairs[blockIdx.y];
  if (blockIdx.x * kWarp >= pair.stride || turns.turns[blockIdx.y].certifies == 0) return;
  const uint32_t j = blockIdx.x * kWarp + threadIdx.x % kWarp;
  double mine = 0;
  for (uint32_t i = threadIdx.x / kWarp; i < pair.rows && j < pair.columns; i += kColumnWarps) {
    mine = fma(pair.a[i], exp2(exponent(pair, pair.h, i, j) - pair.lse[i]), mine);
  }
  const double sum = sum_of_warps(mine);
  if (threadIdx.x < kWarp && j < pair.columns) pair.marginal[j] = sum;
}

__global__ void __launch_bounds__(kRowWarps* kWarp, 2) project_kernel(LargeTurns turns) {
  const LargePair pair = turns.pairs[blockIdx.y];
  const uint32_t i = row_of_warp();
  if (i >= pair.rows) return;
  const uint32_t lane = threadIdx.x % kWarp;
  if (lane == 0) pair.transforms[i] = -pair.lse[i] * pair.epsilon / 1.4426950408889634;
  for (uint32_t d = 0; d < pair.dim; d += kProjectedAtOnce) {
    double sums[kProjectedAtOnce] = {};
    for (uint32_t j = lane; j < pair.columns; j += kWarp) {
      const double share = exp2(exponent(pair, pair.h, i, j) - pair.lse[i]);
#pragma unroll
      for (uint32_t k = 0; k < kProjectedAtOnce; ++k) {
        if (d + k < pair.dim)
          sums[k] = fma(share, static_cast<double>(pair.y[uint64_t{j} * pair.dim + d + k]), sums[k]);
      }
    }
#pragma unroll
    for (uint32_t k = 0; k < kProjectedAtOnce; ++k) {
      const double sum = warp_sum(sums[k]);
      if (lane == 0 && d + k < pair.dim) pair.projections[uint64_t{i} * pair.dim + d + k] = sum;
    }
  }
}

Shape by_rows(const LargeTurns& turns) {
  return {.grid = dim3((turns.most_rows + kRowWarps - 1) / kRowWarps, turns.count),
          .block = dim3(kRowWarps * kWarp)};
}
Shape by_columns(const LargeTurns& turns) {
  return {.grid = dim3((turns.most_columns + kWarp - 1) / kWarp, turns.count),
          .block = dim3(kColumnWarps * kWarp),
          .shared_bytes = kColumnWarps * kWarp * sizeof(double)};
}

}  // namespace

cudaError_t build_large(const LargeTurns& turns, cudaStream_t stream) {
  return launch(build_kernel, by_rows(turns), stream, turns);
}

cudaError_t iterate_large(const LargeTurns& turns, uint32_t step, cudaStream_t stream) {
  const cudaError_t error = launch(row_scalings_kernel, by_rows(turns), stream, turns, step);
  if (error != cudaSuccess) return error;
  return launch(column_scalings_kernel, by_columns(turns), stream, turns, step);
}

cudaError_t certify_large(const LargeTurns& turns, cudaStream_t stream) {
  const cudaError_t error = launch(lse_kernel, by_rows(turns), stream, turns);
  if (error != cudaSuccess) return error;
  return launch(marginal_kernel, by_columns(turns), stream, turns);
}

cudaError_t project_large(const LargeTurns& turns, cudaStream_t stream) {
  return launch(project_kernel, by_rows(turns), stream, turns);
}

}  // namespace engram::cuda
