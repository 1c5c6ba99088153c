// Scalings of a pair whose kernel lies in registers.
#pragma once

#include "cuda/pair_problem.h"
#include "cuda/pair_rules.h"
#include "cuda/ptx.h"

namespace engram::cuda {

// Each warp has 4 kR rows and all 8 kC columns: lane (r, c) of its 4 x 8 lanes has the entries (r + 4 k, c +
// 8 l). Both products of an iteration read registers only. Sums over lanes are exchanged halves at a time, so
// that each lane ends with some of them; what it makes of them goes back the same way. The second marginal of
// the warps meets in shared memory, once an iteration, and all warps make the same of it.
template <uint32_t kR, uint32_t kC>
class RegisterScalings {
 public:
  static constexpr uint32_t kRows = 4 * kR * kPairWarps;
  static constexpr uint32_t kColumns = 8 * kC;

  // Bytes of PairArrays::work.
  static uint64_t bytes(uint64_t /*rows*/, uint64_t /*columns*/) {
    return 2 * kPairWarps * kColumns * sizeof(float);
  }

  __device__ __forceinline__ explicit RegisterScalings(const PairProblem& problem)
      : problem_(problem), work_(problem.at.work) {
#pragma unroll
    for (uint32_t k = 0; k < kRowsKept; ++k) {
      const uint32_t i = row(kept_row() + k);
      a_[k] = i < problem.rows ? static_cast<float>(problem.at.a[i]) : 0.0F;
    }
#pragma unroll
    for (uint32_t l = 0; l < kColumnsKept; ++l) {
      const uint32_t j = column(kept_column() + l);
      b_[l] = j < problem.columns ? static_cast<float>(problem.at.b[j]) : 0.0F;
      // Mass below Float32 is mass all the same; how little is felt by Float64 alone.
      if (j < problem.columns && problem.at.b[j] > 0) b_[l] = fmaxf(b_[l], kSmallest);
    }
  }

  // As SharedScalings.
  __device__ __forceinline__ void build() {
#pragma unroll
    for (uint32_t k = 0; k < kR; ++k) build_row(k);
#pragma unroll
    for (uint32_t l = 0; l < kC; ++l) v_[l] = 1.0F;
#pragma unroll
    for (uint32_t l = 0; l < kColumnsKept; ++l) kept_[l] = before_[l] = 1.0F;
  }

  __device__ __forceinline__ bool step(bool wanted, double& residual) {
    float u[kR];
    rows_of(u);
    float* const partial = work_ + turn_ * (kPairWarps * kColumns);
    turn_ ^= 1;  // a warp may be an iteration ahead, not two
    columns_of(u, partial);
    __syncthreads();
    bool safe = true;
    float off = 0;
#pragma unroll
    for (uint32_t l = 0; l < kColumnsKept; ++l) {
      const uint32_t j = column(kept_column() + l);
      float sum = 0;
#pragma unroll
      for (uint32_t w = 0; w < kPairWarps; ++w) sum += partial[w * kColumns + j];
      before_[l] = kept_[l];
      off += fabsf(fmaf(kept_[l], sum, -b_[l]));
      kept_[l] = b_[l] > 0 ? next_scaling(b_[l], sum, before_[l]) : 0.0F;
      if (b_[l] > 0 && !is_safe(kept_[l])) safe = false;
    }
    if (wanted) residual = warp_sum(static_cast<double>(off));
    spread(kept_, v_, ColumnLanes());
    return __all_sync(0xFFFFFFFFU, safe ? 1 : 0) != 0;
  }

  __device__ __forceinline__ void finish() {
    if (threadIdx.x < kWarp) {
#pragma unroll
      for (uint32_t l = 0; l < kColumnsKept; ++l) {
        const uint32_t j = column(kept_column() + l);
        if (j < problem_.columns) {
          problem_.at.v[j] = kept_[l];
          problem_.at.before[j] = before_[l];
        }
      }
    }
    __syncthreads();
  }

 private:
  // The lanes that a sum goes over: neighbours at kFirst, 2 kFirst, ... below kEnd.
  template <uint32_t kFirst_, uint32_t kEnd_>
  struct Lanes {
    static constexpr uint32_t kFirst = kFirst_;
    static constexpr uint32_t kEnd = kEnd_;
    static constexpr uint32_t kCount = kEnd / kFirst;
  };
  using RowLanes = Lanes<1, 8>;      // of one row: all c
  using ColumnLanes = Lanes<8, 32>;  // of one column: all r
  static constexpr uint32_t kept(uint32_t count, uint32_t lanes) { return count > lanes ? count / lanes : 1; }
  static constexpr uint32_t kRowsKept = kept(kR, RowLanes::kCount);
  static constexpr uint32_t kColumnsKept = kept(kC, ColumnLanes::kCount);

  __device__ static uint32_t lane() { return threadIdx.x % kWarp; }
  __device__ static uint32_t row(uint32_t k) { return threadIdx.x / kWarp * (4 * kR) + lane() / 8 + 4 * k; }
  __device__ static uint32_t column(uint32_t l) { return lane() % 8 + 8 * l; }
  __device__ static uint32_t kept_row() { return first_kept<kR>(RowLanes()); }
  __device__ static uint32_t kept_column() { return first_kept<kC>(ColumnLanes()); }

  // Which of the sums this lane ends with.
  template <uint32_t kCount, typename L>
  __device__ static uint32_t first_kept(L) {
    uint32_t first = 0;
    uint32_t half = kCount / 2;
#pragma unroll
    for (uint32_t apart = L::kFirst; apart < L::kEnd; apart *= 2, half /= 2) {
      if (half > 0 && (lane() & apart) != 0) first += half;
    }
    return first;
  }

  // Sums over the lanes; the first ones of `sums` are then those of first_kept().
  template <uint32_t kCount, typename L>
  __device__ __forceinline__ static void gather(float (&sums)[kCount], L) {
    uint32_t half = kCount / 2;
#pragma unroll
    for (uint32_t apart = L::kFirst; apart < L::kEnd; apart *= 2, half /= 2) {
      const bool upper = (lane() & apart) != 0;
      if (half == 0) sums[0] += __shfl_xor_sync(0xFFFFFFFFU, sums[0], apart);
#pragma unroll
      for (uint32_t k = 0; k < kCount / 2; ++k) {
        if (k >= half) continue;
        const float keep = upper ? sums[k + half] : sums[k];
        const float give = upper ? sums[k] : sums[k + half];
        sums[k] = keep + __shfl_xor_sync(0xFFFFFFFFU, give, apart);
      }
    }
  }

  // The way back: all of them for every lane.
  template <uint32_t kKept, uint32_t kCount, typename L>
  __device__ __forceinline__ static void spread(const float (&kept)[kKept], float (&all)[kCount], L) {
#pragma unroll
    for (uint32_t k = 0; k < kKept; ++k) all[k] = kept[k];
    uint32_t half = kKept;
#pragma unroll
    for (uint32_t apart = L::kEnd / 2; apart >= L::kFirst; apart /= 2) {
      // As many lanes as there are sums have gathered; the others have the same as their neighbours.
      if (kCount / 2 * L::kFirst < apart) continue;
      const bool upper = (lane() & apart) != 0;
#pragma unroll
      for (uint32_t k = 0; k < kCount / 2; ++k) {
        if (k >= half) continue;
        const float other = __shfl_xor_sync(0xFFFFFFFFU, all[k], apart);
        const float mine = all[k];
        all[k] = upper ? other : mine;
        all[k + half] = upper ? mine : other;
      }
      half *= 2;
    }
  }

  __device__ __forceinline__ void build_row(uint32_t k) {
    const uint32_t i = row(k);
    double exponent[kC];
    double most = -INFINITY;
#pragma unroll
    for (uint32_t l = 0; l < kC; ++l) {
      const uint32_t j = column(l);
      exponent[l] = i < problem_.rows && j < problem_.columns ? problem_.exponent(i, j) : -INFINITY;
      most = fmax(most, exponent[l]);
    }
#pragma unroll
    for (uint32_t apart = 1; apart < 8; apart *= 2) {
      most = fmax(most, __shfl_xor_sync(0xFFFFFFFFU, most, apart));
    }
    float sum = 0;
#pragma unroll
    for (uint32_t l = 0; l < kC; ++l) {
      const bool empty = exponent[l] == -INFINITY;
      kernel_[k][l] = empty ? 0.0F : exp2_fast(static_cast<float>(exponent[l] - most));
      sum += kernel_[k][l];
    }
#pragma unroll
    for (uint32_t apart = 1; apart < 8; apart *= 2) sum += __shfl_xor_sync(0xFFFFFFFFU, sum, apart);
    const float inverse = sum > 0 ? 1.0F / sum : 0.0F;
#pragma unroll
    for (uint32_t l = 0; l < kC; ++l) kernel_[k][l] *= inverse;
  }

  // u = a / (K v)
  __device__ __forceinline__ void rows_of(float (&u)[kR]) {
    float sums[kR];
#pragma unroll
    for (uint32_t k = 0; k < kR; ++k) {
      sums[k] = 0;
#pragma unroll
      for (uint32_t l = 0; l < kC; ++l) sums[k] = fmaf(kernel_[k][l], v_[l], sums[k]);
    }
    gather(sums, RowLanes());
    float mine[kRowsKept];
#pragma unroll
    for (uint32_t k = 0; k < kRowsKept; ++k) mine[k] = a_[k] > 0 ? a_[k] / sums[k] : 0.0F;
    spread(mine, u, RowLanes());
  }

  // This warp's part of K^T u.
  __device__ __forceinline__ void columns_of(const float (&u)[kR], float* partial) {
    float sums[kC];
#pragma unroll
    for (uint32_t l = 0; l < kC; ++l) {
      sums[l] = 0;
#pragma unroll
      for (uint32_t k = 0; k < kR; ++k) sums[l] = fmaf(kernel_[k][l], u[k], sums[l]);
    }
    gather(sums, ColumnLanes());
#pragma unroll
    for (uint32_t l = 0; l < kColumnsKept; ++l) {
      partial[threadIdx.x / kWarp * kColumns + column(kept_column() + l)] = sums[l];
    }
  }

  static constexpr float kSmallest = 0x1p-126F;

  const PairProblem problem_;
  float kernel_[kR][kC];
  float v_[kC];               // of all columns of this lane
  float kept_[kColumnsKept];  // v of the columns that this lane ends with
  float before_[kColumnsKept];
  float a_[kRowsKept];
  float b_[kColumnsKept];
  float* const work_;
  uint32_t turn_ = 0;
};

}  // namespace engram::cuda
