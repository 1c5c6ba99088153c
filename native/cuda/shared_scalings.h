// Scalings of a pair whose kernel lies in shared memory.
#pragma once

#include "cuda/pair_problem.h"
#include "cuda/pair_rules.h"
#include "cuda/ptx.h"

namespace engram::cuda {

// Both products of an iteration read the kernel from shared memory, which bounds them.
class SharedScalings {
 public:
  // Bytes of PairArrays::work.
  static uint64_t bytes(uint64_t rows, uint64_t columns) {
    const auto stride = static_cast<uint64_t>(padded(static_cast<uint32_t>(columns)));
    return (rows * stride + rows + parts_of(static_cast<uint32_t>(stride)) * stride) * sizeof(float);
  }

  __device__ explicit SharedScalings(const PairProblem& problem)
      : problem_(problem),
        stride_(padded(problem.columns)),
        kernel_(problem.at.work),
        u_(kernel_ + problem.rows * stride_),
        partial_(u_ + problem.rows) {}

  // The kernel of the potentials, its rows with sum 1, and scalings of 1. Exponents in Float64 less the
  // largest of their row: what is left is small where it counts, and Float32 holds it.
  __device__ void build() {
    const uint32_t lane = threadIdx.x % kWarp;
    for (uint32_t i = threadIdx.x / kWarp; i < problem_.rows; i += kPairWarps) {
      double most = -INFINITY;
      for (uint32_t j = lane; j < problem_.columns; j += kWarp) most = fmax(most, problem_.exponent(i, j));
      most = warp_max(most);
      float* const row = kernel_ + i * stride_;
      float sum = 0;
      for (uint32_t j = lane; j < stride_; j += kWarp) {
        row[j] = j < problem_.columns ? exp2_fast(static_cast<float>(problem_.exponent(i, j) - most)) : 0.0F;
        sum += row[j];
      }
      const float inverse = 1.0F / warp_sum(sum);
      for (uint32_t j = lane; j < stride_; j += kWarp) row[j] *= inverse;
    }
    for (uint32_t j = threadIdx.x; j < problem_.columns; j += kPairThreads) {
      problem_.at.v[j] = problem_.at.before[j] = 1.0F;
    }
    __syncthreads();
  }

  // One iteration; true where all scalings stayed safe. `residual`: where it is wanted, the L1 residual of
  // the scalings before. Both are the same for all threads.
  __device__ bool step(bool wanted, double& residual) {
    multiply();
    float mine = 0;
    const bool safe = scale(mine);
    if (wanted) residual = sum_of_block(mine);
    return safe;
  }

  // Leaves v and `before` in the arrays.
  __device__ void finish() { __syncthreads(); }

 private:
  static __host__ __device__ uint32_t padded(uint32_t columns) {
    return (columns + kWarp - 1) / kWarp * kWarp;
  }
  // Threads share a column's sum where there are more of them than columns.
  static __host__ __device__ uint32_t parts_of(uint32_t stride) {
    return stride < kPairThreads ? kPairThreads / stride : 1;
  }

  // u = a / (K v), then the parts of K^T u.
  __device__ void multiply() {
    const uint32_t lane = threadIdx.x % kWarp;
    for (uint32_t i = threadIdx.x / kWarp; i < problem_.rows; i += kPairWarps) {
      const float* const row = kernel_ + i * stride_;
      float sum = 0;
      for (uint32_t j = lane; j < problem_.columns; j += kWarp) sum = fmaf(row[j], problem_.at.v[j], sum);
      sum = warp_sum(sum);
      if (lane == 0) u_[i] = static_cast<float>(problem_.at.a[i]) / sum;
    }
    __syncthreads();
    const uint32_t parts = parts_of(stride_);
    const uint32_t part = parts > 1 ? threadIdx.x / stride_ : 0;
    if (part < parts) {
      const uint32_t first = problem_.rows * part / parts;
      const uint32_t end = problem_.rows * (part + 1) / parts;
      for (uint32_t j = parts > 1 ? threadIdx.x % stride_ : threadIdx.x; j < stride_; j += kPairThreads) {
        float sum = 0;
        for (uint32_t i = first; i < end; ++i) sum = fmaf(u_[i], kernel_[i * stride_ + j], sum);
        partial_[part * stride_ + j] = sum;
      }
    }
    __syncthreads();
  }

  // v = b / (K^T u); this thread's part of the residual of the scalings before. Whether all are safe, for all
  // threads.
  __device__ bool scale(float& residual) {
    bool safe = true;
    for (uint32_t j = threadIdx.x; j < problem_.columns; j += kPairThreads) {
      float sum = 0;
      for (uint32_t part = 0; part < parts_of(stride_); ++part) sum += partial_[part * stride_ + j];
      const double mass = problem_.at.b[j];
      const float scaling = mass > 0 ? next_scaling(mass, sum, problem_.at.v[j]) : 0.0F;
      residual += fabsf(fmaf(problem_.at.v[j], sum, -static_cast<float>(mass)));
      problem_.at.before[j] = problem_.at.v[j];
      problem_.at.v[j] = scaling;
      if (mass > 0 && !is_safe(scaling)) safe = false;
    }
    return __syncthreads_and(safe ? 1 : 0) != 0;
  }

  // The same order always.
  __device__ double sum_of_block(float mine) {
    __syncthreads();
    const double warp = warp_sum(static_cast<double>(mine));
    if (threadIdx.x % kWarp == 0) problem_.at.scratch[threadIdx.x / kWarp] = warp;
    __syncthreads();
    double sum = 0;
    for (uint32_t w = 0; w < kPairWarps; ++w) sum += problem_.at.scratch[w];
    return sum;
  }

  const PairProblem problem_;
  const uint32_t stride_;
  float* const kernel_;   // rows x stride
  float* const u_;        // rows: a / (K v)
  float* const partial_;  // parts x stride: of K^T u
};

}  // namespace engram::cuda
