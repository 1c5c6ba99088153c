#include <cmath>

#include "cuda/launch.h"
#include "cuda/pair_problem.h"
#include "cuda/pair_rules.h"
#include "cuda/pair_solver.h"
#include "cuda/register_scalings.h"
#include "cuda/shared_scalings.h"

// A block solves a pair from beginning to end. Iterations are products with the Gibbs kernel
// K_ij = 2^(h_j - c_ij rate - lse_i) in Float32, whose rows sum to 1, with scalings v of its columns near 1;
// when they leave a safe range they are absorbed into the potentials, which are Float64, and the kernel is
// built anew. At the end one pass in Float64 finds the soft c-transform, the second marginal and the value:
// it certifies what Float32 has found.
//
// Floor: two multiply-adds for each entry and iteration, which are 64 cycles of a multiprocessor for 64 x 64
// entries. From registers (register_scalings.h) an iteration issues about as many other instructions; from
// shared memory (shared_scalings.h) it is bound by 128 bytes a cycle: 256 cycles and more. The log-domain
// form takes two exponentials for each entry, at 16 a cycle 512 cycles.

namespace engram::cuda {
namespace {

using SmallScalings = RegisterScalings<4, 8>;
using MediumScalings = RegisterScalings<8, 16>;

constexpr uint32_t kLookEvery = 4;  // iterations between looks at the residual

template <typename Scalings>
class PairSolve {
 public:
  __device__ __forceinline__ PairSolve(const PairBatch& batch, const Pair& pair, double* shared)
      : batch_(batch),
        problem_(load(batch, pair, shared)),
        rows_(pair.rows),
        columns_(pair.columns),
        rate_(problem_.rate),
        pair_(pair),
        progress_(batch.tolerance, batch.max_iterations) {}

  // Iterates until the problem is solved, or no further on this way.
  __device__ __forceinline__ void run(EngramPairSolution* out) {
    double residual = 0;
    for (;;) {
      const bool safe = iterate();
      absorb(safe ? problem_.at.v : problem_.at.before);
      residual = pass();
      if (progress_.ends(residual, safe)) break;
      update();
    }
    write(residual, out);
    if (batch_.projections != nullptr) project();
  }

 private:
  __device__ __forceinline__ static PairProblem load(const PairBatch& batch, const Pair& pair,
                                                     double* shared) {
    PairProblem problem{.rows = pair.rows,
                        .columns = pair.columns,
                        .dim = batch.dim,
                        .cost_scale = batch.cost_scale,
                        .rate = 1.4426950408889634 / batch.epsilon,
                        .at = {}};
    PairArrays& at = problem.at;
    at = PairArrays::cut(shared, pair.rows, pair.columns, batch.dim);
    for (uint32_t i = threadIdx.x; i < pair.rows * batch.dim; i += kPairThreads) {
      at.x[i] = batch.x[uint64_t{pair.first_x} * batch.dim + i];
    }
    for (uint32_t j = threadIdx.x; j < pair.columns * batch.dim; j += kPairThreads) {
      at.y[j] = pair.y[j];
    }
    for (uint32_t i = threadIdx.x; i < pair.rows; i += kPairThreads) at.a[i] = batch.a[pair.first_x + i];
    for (uint32_t j = threadIdx.x; j < pair.columns; j += kPairThreads) {
      at.b[j] = pair.b[j];
      at.z[j] = batch.potentials[pair.potential + j] * problem.rate;
    }
    __syncthreads();
    return problem;
  }
  __device__ __forceinline__ double cost(uint32_t i, uint32_t j) const { return problem_.cost(i, j); }
  __device__ __forceinline__ double exponent(uint32_t i, uint32_t j) const { return problem_.exponent(i, j); }

  __device__ __forceinline__ void set_exponents() {
    for (uint32_t j = threadIdx.x; j < columns_; j += kPairThreads) {
      problem_.at.h[j] = problem_.at.b[j] > 0 ? problem_.at.z[j] + log2(problem_.at.b[j]) : -INFINITY;
    }
    __syncthreads();
  }

  // The scalings of a round. False when the last update left the safe range: `before` is to be used then.
  __device__ __forceinline__ bool iterate() {
    set_exponents();
    Scalings scalings(problem_);
    scalings.build();
    bool safe = true;
    while (!progress_.used_up()) {
      progress_.count(progress_.iterations() + 1);
      const bool looks = progress_.looks() && progress_.iterations() % kLookEvery == 0;
      double residual = 0;
      safe = scalings.step(looks, residual);
      if (!safe) break;
      if (looks && progress_.is_enough(residual)) break;
    }
    scalings.finish();
    return safe;
  }

  __device__ __forceinline__ void absorb(const float* scaling) {
    for (uint32_t j = threadIdx.x; j < columns_; j += kPairThreads) {
      if (problem_.at.b[j] > 0) problem_.at.z[j] += log2(static_cast<double>(scaling[j]));
    }
    set_exponents();
  }

  // The soft c-transform of z, and the second marginal, in Float64; the residual, for all threads.
  __device__ __forceinline__ double pass() {
    const uint32_t lane = threadIdx.x % kWarp;
    for (uint32_t i = threadIdx.x / kWarp; i < rows_; i += kPairWarps) {
      double most = -INFINITY;
      for (uint32_t j = lane; j < columns_; j += kWarp) most = fmax(most, exponent(i, j));
      most = warp_max(most);
      double sum = 0;
      for (uint32_t j = lane; j < columns_; j += kWarp) sum += exp2(exponent(i, j) - most);
      sum = warp_sum(sum);
      if (lane == 0) problem_.at.lse[i] = most + log2(sum);
    }
    __syncthreads();
    double residual = 0;
    for (uint32_t j = threadIdx.x; j < columns_; j += kPairThreads) {
      double sum = 0;
      for (uint32_t i = 0; i < rows_; ++i)
        sum = fma(problem_.at.a[i], exp2(exponent(i, j) - problem_.at.lse[i]), sum);
      problem_.at.marginal[j] = sum;
      residual += fabs(sum - problem_.at.b[j]);
    }
    return block_sum(residual);
  }

  // One Sinkhorn update of z by the marginal of the last pass.
  __device__ __forceinline__ void update() {
    for (uint32_t j = threadIdx.x; j < columns_; j += kPairThreads) {
      if (problem_.at.b[j] > 0)
        problem_.at.z[j] += fmin(log2(problem_.at.b[j]) - log2(problem_.at.marginal[j]), kMostUpdate);
    }
    progress_.count(progress_.iterations() + 1);
    __syncthreads();
  }

  // What the last pass says of each row: its transform, and the mean of y under its part of the plan.
  __device__ __forceinline__ void project() {
    const uint32_t lane = threadIdx.x % kWarp;
    for (uint32_t i = threadIdx.x / kWarp; i < rows_; i += kPairWarps) {
      if (lane == 0) batch_.transforms[pair_.row + i] = -problem_.at.lse[i] / rate_;
      for (uint32_t d = 0; d < batch_.dim; d += kProjectedAtOnce) project(i, d);
    }
  }
  // Components [d, d + kProjectedAtOnce) of row i.
  __device__ __forceinline__ void project(uint32_t i, uint32_t d) {
    double sums[kProjectedAtOnce] = {};
    for (uint32_t j = threadIdx.x % kWarp; j < columns_; j += kWarp) {
      const double share = exp2(exponent(i, j) - problem_.at.lse[i]);
#pragma unroll
      for (uint32_t k = 0; k < kProjectedAtOnce; ++k) {
        if (d + k < batch_.dim) sums[k] = fma(share, problem_.at.y[j * batch_.dim + d + k], sums[k]);
      }
    }
#pragma unroll
    for (uint32_t k = 0; k < kProjectedAtOnce; ++k) {
      const double sum = warp_sum(sums[k]);
      if (threadIdx.x % kWarp == 0 && d + k < batch_.dim)
        batch_.projections[(pair_.row + i) * batch_.dim + d + k] = sum;
    }
  }

  // The sum of one number for each thread, for all threads; the same order always.
  __device__ __forceinline__ double block_sum(double value) {
    return reduce(value, [](double p, double q) { return p + q; });
  }
  __device__ __forceinline__ double block_max(double value) {
    return reduce(value, [](double p, double q) { return fmax(p, q); });
  }
  template <typename Operation>
  __device__ __forceinline__ double reduce(double value, Operation operation) {
    __syncthreads();
    problem_.at.scratch[threadIdx.x] = value;
    for (uint32_t half = kPairThreads / 2; half > 0; half /= 2) {
      __syncthreads();
      if (threadIdx.x < half) {
        problem_.at.scratch[threadIdx.x] =
            operation(problem_.at.scratch[threadIdx.x], problem_.at.scratch[threadIdx.x + half]);
      }
    }
    __syncthreads();
    return problem_.at.scratch[0];
  }

  __device__ __forceinline__ void write(double residual, EngramPairSolution* out) {
    double value = 0;
    double spread = 0;
    for (uint32_t i = threadIdx.x; i < rows_; i += kPairThreads) {
      if (!(problem_.at.a[i] > 0)) continue;
      value -= problem_.at.a[i] * problem_.at.lse[i];
      double least = INFINITY;
      double most = -INFINITY;
      for (uint32_t j = 0; j < columns_; ++j) {
        if (!(problem_.at.b[j] > 0)) continue;
        least = fmin(least, cost(i, j));
        most = fmax(most, cost(i, j));
      }
      spread = fmax(spread, most - least);
    }
    double least = INFINITY;
    double most = -INFINITY;
    for (uint32_t j = threadIdx.x; j < columns_; j += kPairThreads) {
      batch_.potentials[pair_.potential + j] = problem_.at.z[j] / rate_;
      if (!(problem_.at.b[j] > 0)) continue;
      value = fma(problem_.at.b[j], problem_.at.z[j], value);
      least = fmin(least, problem_.at.z[j]);
      most = fmax(most, problem_.at.z[j]);
    }
    value = block_sum(value) / rate_;
    spread = block_max(spread);
    const double range = (block_max(most) + block_max(-least)) / rate_;
    if (threadIdx.x > 0) return;
    out->value = value;
    out->residual = residual;
    out->spread = spread;
    out->range = range;
    out->iterations = progress_.iterations();
    out->converged = progress_.converged(residual) ? 1 : 0;
  }

  const PairBatch batch_;
  const PairProblem problem_;
  const uint32_t rows_;
  const uint32_t columns_;
  const double rate_;
  const Pair pair_;
  PairProgress progress_;
};

template <typename Scalings>
__global__ void __launch_bounds__(kPairThreads, 2) solve_pairs_kernel(PairBatch batch) {
  for (uint32_t p = blockIdx.x; p < batch.count; p += gridDim.x) {
    const Pair pair = batch.pairs[p];
    PairSolve<Scalings> solve(batch, pair, dynamic_shared<double>());
    solve.run(batch.solutions + pair.solution);
    __syncthreads();
  }
}

template <typename Scalings>
uint64_t bytes_with(uint64_t rows, uint64_t columns, uint64_t dim) {
  return PairArrays::bytes(rows, columns, dim) + Scalings::bytes(rows, columns);
}

}  // namespace

PairPath pair_path(uint64_t rows, uint64_t columns) {
  if (rows <= SmallScalings::kRows && columns <= SmallScalings::kColumns) return PairPath::kSmall;
  if (rows <= MediumScalings::kRows && columns <= MediumScalings::kColumns) return PairPath::kMedium;
  return PairPath::kShared;
}

uint64_t pair_bytes(uint64_t rows, uint64_t columns, uint64_t dim) {
  switch (pair_path(rows, columns)) {
    case PairPath::kSmall: return bytes_with<SmallScalings>(rows, columns, dim);
    case PairPath::kMedium: return bytes_with<MediumScalings>(rows, columns, dim);
    case PairPath::kShared: break;
  }
  return bytes_with<SharedScalings>(rows, columns, dim);
}

cudaError_t most_pair_bytes(uint64_t& bytes) {
  constexpr uint64_t kMost = uint64_t{160} << 10;
  int device = 0;
  int of_block = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&of_block, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  }
  bytes = static_cast<uint64_t>(of_block) < kMost ? static_cast<uint64_t>(of_block) : kMost;
  return error;
}

cudaError_t solve_pairs(const PairBatch& batch, PairPath path, uint64_t most_bytes, cudaStream_t stream) {
  constexpr uint32_t kMostBlocks = 1 << 16;
  const Shape shape{.grid = dim3(batch.count < kMostBlocks ? batch.count : kMostBlocks),
                    .block = dim3(kPairThreads),
                    .shared_bytes = most_bytes};
  switch (path) {
    case PairPath::kSmall: return launch(solve_pairs_kernel<SmallScalings>, shape, stream, batch);
    case PairPath::kMedium: return launch(solve_pairs_kernel<MediumScalings>, shape, stream, batch);
    case PairPath::kShared: break;
  }
  return launch(solve_pairs_kernel<SharedScalings>, shape, stream, batch);
}

}  // namespace engram::cuda
