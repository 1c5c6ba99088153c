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

// How far a pair is, and when it ends. Iterations go on round by round: scalings by Float32 until they are
// good enough or leave the safe range, then a pass by Float64 that says what is left.
class PairProgress {
 public:
  __host__ __device__ PairProgress(double tolerance, uint32_t max_iterations)
      : tolerance_(tolerance), max_iterations_(max_iterations) {}

  __host__ __device__ uint32_t iterations() const { return iterations_; }
  __host__ __device__ void count(uint32_t iterations) { iterations_ = iterations; }
  __host__ __device__ uint32_t max_iterations() const { return max_iterations_; }
  __host__ __device__ bool used_up() const { return iterations_ >= max_iterations_; }
  __host__ __device__ bool converged(double residual) const { return residual <= tolerance_; }

  // Within a round: whether residuals are looked at (otherwise all iterations are used), and this one ends
  // it.
  __host__ __device__ bool looks() const { return tolerance_ > 0; }
  __host__ __device__ bool is_enough(double residual) {
    const double goal = tolerance_ > kFloat32Residual ? tolerance_ : kFloat32Residual;
    return residual <= goal || is_slow(residual);
  }

  // After a round, with the residual of its pass; `safe`: no scaling had left the safe range.
  __host__ __device__ bool ends(double residual, bool safe) {
    unsafe_ = safe ? 0 : unsafe_ + 1;
    if (safe) ++refinements_;
    return converged(residual) || used_up() || slow_ || refinements_ > kMostRefinements ||
           unsafe_ > kMostUnsafe;
  }

 private:
  __host__ __device__ bool is_slow(double residual) {
    if (iterations_ % kRateEvery != 0) return false;
    slow_ = looked_residual_ > 0 && residual > kSlow * looked_residual_;
    looked_residual_ = residual;
    return slow_;
  }

  double tolerance_;
  uint32_t max_iterations_;
  uint32_t iterations_ = 0;
  uint32_t refinements_ = 0;
  uint32_t unsafe_ = 0;  // rounds in a row
  bool slow_ = false;
  double looked_residual_ = 0;
};

}  // namespace engram::cuda
