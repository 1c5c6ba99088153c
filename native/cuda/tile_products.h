// Products of tiles in shared memory on the matrix units of a warp (mma.sync), for each kind of number.
//
// A chunk is 64 rows of 128 bytes. Its 16-byte pieces are permuted by the row (xor with row % 8), so that
// neither fragments nor copies meet a bank twice.
//
// Matrix units cut sums off towards zero. Over the rows of a memory that would add up to a bias, so a tile's
// readout is summed from zero and then added to the running one, rounded to nearest; compensated scores
// likewise, chunk by chunk; and the small products of a compensated readout have accumulators of their own.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/fold.h"
#include "cuda/ptx.h"

namespace engram::cuda {

inline constexpr uint32_t kTileRows = 64;  // of a tile of rows of the memory, and of one of queries
inline constexpr uint32_t kChunkRowBytes = 128;
inline constexpr uint32_t kChunkBytes = kTileRows * kChunkRowBytes;

// What is multiplied, and how.
enum class Products : uint8_t {
  kFloat16,
  kBfloat16,
  kTf32,         // Float32 rows
  kCompensated,  // Float32 rows: x = high + low in tf32 each; the three larger ones of their four products
  kRoundedBf16,  // Float32 rows, rounded when they are multiplied
};
__host__ __device__ constexpr bool has_halves(Products products) {
  return products == Products::kFloat16 || products == Products::kBfloat16;
}
// Elements of a row in a chunk.
__host__ __device__ constexpr uint32_t chunk_elements(Products products) {
  return has_halves(products) ? 64 : 32;
}

__device__ inline uint32_t chunk_offset(uint32_t row, uint32_t piece) {
  return row * kChunkRowBytes + ((piece ^ (row % 8)) * 16);
}
// Four numbers of a row of Float32.
__device__ inline float4 floats_at(const char* chunk, uint32_t row, uint32_t piece) {
  return *reinterpret_cast<const float4*>(chunk + chunk_offset(row, piece));
}

// Two numbers as one register of an operand.
template <Products kProducts>
__device__ inline uint32_t pack(float low, float high) {
  return kProducts == Products::kFloat16 ? pack_f16(low, high) : pack_bf16(low, high);
}

template <Products kProducts>
__device__ inline void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  if constexpr (kProducts == Products::kFloat16) {
    multiply_f16(d, a, b0, b1);
  } else {
    multiply_bf16(d, a, b0, b1);
  }
}

__device__ inline float4 as_floats(const uint32_t (&bits)[4]) {
  return {__uint_as_float(bits[0]), __uint_as_float(bits[1]), __uint_as_float(bits[2]),
          __uint_as_float(bits[3])};
}

// A finite number as an operand in tf32, rounded as round_to_tf32() does, which takes four instructions
// because it minds the infinite. Matrix units read the first 19 bits of what they are given.
__device__ inline uint32_t tf32_operand(float x) { return __float_as_uint(x) + 0x1000U; }

// Four numbers as operands in tf32. What rounding leaves is an operand, too, where products are compensated:
// cut off instead of rounded, by less than 2^-21 of the number, and as often up as down.
template <Products kProducts>
struct Tf32 {
  uint32_t high[4];
  uint32_t low[4];

  __device__ explicit Tf32(const float4& numbers) {
    const float x[4] = {numbers.x, numbers.y, numbers.z, numbers.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      high[i] = tf32_operand(x[i]);
      if constexpr (kProducts == Products::kCompensated) {
        high[i] &= 0xFFFFE000U;
        low[i] = __float_as_uint(x[i] - __uint_as_float(high[i]));
      }
    }
  }
};

// d += a b, where B is number i0 of b0 and number i1 of b1. `small` takes the small products of compensation;
// it may be d.
template <Products kProducts>
__device__ inline void multiply(float (&d)[4], float (&small)[4], const Tf32<kProducts>& a,
                                const Tf32<kProducts>& b0, int i0, const Tf32<kProducts>& b1, int i1) {
  if constexpr (kProducts == Products::kCompensated) {
    multiply_tf32(small, a.low, b0.high[i0], b1.high[i1]);
    multiply_tf32(small, a.high, b0.low[i0], b1.low[i1]);
  }
  multiply_tf32(d, a.high, b0.high[i0], b1.high[i1]);
}

// Scores of 16 queries of a warp against the 64 rows of a tile: as accumulators of m16n8, n-th for rows 8n to
// 8n + 7.
using TileScores = float[kTileRows / 8][4];

__device__ inline void set_zero(TileScores& score) {
#pragma unroll
  for (uint32_t n = 0; n < kTileRows / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) score[n][i] = 0;
  }
}

// Operands of step k of a chunk, 32 bytes of each row: A for 16 queries from `first` on, B for rows 16 n to
// 16 n + 15. The same for numbers of 16 bits and for tf32.
__device__ inline void load_queries(uint32_t (&a)[4], const char* queries, uint32_t first, uint32_t k) {
  const uint32_t lane = threadIdx.x % 32;
  load_matrices(a, queries + chunk_offset(first + lane % 16, 2 * k + lane / 16));
}
__device__ inline void load_rows(uint32_t (&b)[4], const char* rows, uint32_t n, uint32_t k) {
  const uint32_t lane = threadIdx.x % 32;
  load_matrices(b, rows + chunk_offset(16 * n + lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2));
}

template <Products kProducts>
__device__ inline void add_half_scores(TileScores& score, const char* queries, uint32_t first,
                                       const char* rows) {
#pragma unroll
  for (uint32_t k = 0; k < 4; ++k) {
    uint32_t a[4];
    load_queries(a, queries, first, k);
#pragma unroll
    for (uint32_t n = 0; n < 4; ++n) {
      uint32_t b[4];
      load_rows(b, rows, n, k);
      multiply<kProducts>(score[2 * n], a, b[0], b[1]);
      multiply<kProducts>(score[2 * n + 1], a, b[2], b[3]);
    }
  }
}

template <Products kProducts>
__device__ inline void add_tf32_scores(TileScores& score, const char* queries, uint32_t first,
                                       const char* rows) {
#pragma unroll
  for (uint32_t k = 0; k < 4; ++k) {
    uint32_t x[4];
    load_queries(x, queries, first, k);
    const Tf32<kProducts> a(as_floats(x));
#pragma unroll
    for (uint32_t n = 0; n < 4; ++n) {
      load_rows(x, rows, n, k);
      const Tf32<kProducts> b(as_floats(x));
      multiply<kProducts>(score[2 * n], score[2 * n], a, b, 0, b, 1);
      multiply<kProducts>(score[2 * n + 1], score[2 * n + 1], a, b, 2, b, 3);
    }
  }
}

// The order of a dot product is free: lane t of four takes the numbers of piece 2t + k, so that a load of 16
// bytes fills both registers of an operand and no bank is met twice.
__device__ inline void add_rounded_scores(TileScores& score, const char* queries, uint32_t first,
                                          const char* rows) {
  const uint32_t g = threadIdx.x % 32 / 4;
  const uint32_t t = threadIdx.x % 4;
#pragma unroll
  for (uint32_t k = 0; k < 2; ++k) {
    const float4 above = floats_at(queries, first + g, 2 * t + k);
    const float4 below = floats_at(queries, first + g + 8, 2 * t + k);
    const uint32_t a[4] = {pack_bf16(above.x, above.y), pack_bf16(below.x, below.y),
                           pack_bf16(above.z, above.w), pack_bf16(below.z, below.w)};
#pragma unroll
    for (uint32_t n = 0; n < 8; ++n) {
      const float4 b = floats_at(rows, 8 * n + g, 2 * t + k);
      multiply_bf16(score[n], a, pack_bf16(b.x, b.y), pack_bf16(b.z, b.w));
    }
  }
}

// score += queries x rows^T over one chunk. `first`: the warp's first query in its chunk.
template <Products kProducts>
__device__ inline void add_scores(TileScores& score, const char* queries, uint32_t first, const char* rows) {
  if constexpr (has_halves(kProducts)) {
    add_half_scores<kProducts>(score, queries, first, rows);
  } else if constexpr (kProducts == Products::kRoundedBf16) {
    add_rounded_scores(score, queries, first, rows);
  } else if constexpr (kProducts == Products::kTf32) {
    add_tf32_scores<kProducts>(score, queries, first, rows);
  } else {
    TileScores part;
    set_zero(part);
    add_tf32_scores<kProducts>(part, queries, first, rows);
#pragma unroll
    for (uint32_t n = 0; n < kTileRows / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) score[n][i] += part[n][i];
    }
  }
}

// Accumulators of a readout: chunk_elements / 8 of them for each chunk of columns. Column i (0 or 1) of a
// lane in the n-th is this column of the readout; Float32 rows are read 16 bytes to a lane, and so a lane's
// four numbers go to four accumulators.
template <Products kProducts>
__device__ inline uint32_t readout_column(uint32_t n, uint32_t i) {
  const uint32_t column = threadIdx.x % 4 * 2 + i;
  return has_halves(kProducts) ? 8 * n + column : n / 4 * 32 + 4 * column + n % 4;
}

// readout = readout x rescale + part, rows 0 to 7 and 8 to 15 each with their factor.
__device__ inline void take_part(float (&readout)[4], const float (&rescale)[2], const float (&part)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) readout[i] = fmaf(readout[i], rescale[i / 2], part[i]);
}

template <Products kProducts>
__device__ inline void add_half_readout(float (*readout)[4], const float (&rescale)[2],
                                        const uint32_t (&weight)[4][4], const char* rows) {
  const uint32_t lane = threadIdx.x % 32;
#pragma unroll
  for (uint32_t n = 0; n < 4; ++n) {
    float part[2][4] = {};
#pragma unroll
    for (uint32_t k = 0; k < 4; ++k) {
      uint32_t b[4];
      load_matrices_transposed(b, rows + chunk_offset(16 * k + lane % 16, 2 * n + lane / 16));
      multiply<kProducts>(part[0], weight[k], b[0], b[1]);
      multiply<kProducts>(part[1], weight[k], b[2], b[3]);
    }
    take_part(readout[2 * n], rescale, part[0]);
    take_part(readout[2 * n + 1], rescale, part[1]);
  }
}

__device__ inline void add_rounded_readout(float (&part)[4][4], const uint32_t (&weight)[4][4],
                                           const char* rows) {
  const uint32_t g = threadIdx.x % 32 / 4;
  const uint32_t t = threadIdx.x % 4;
#pragma unroll
  for (uint32_t k = 0; k < 4; ++k) {
    uint32_t b[2][4];
#pragma unroll
    for (uint32_t half = 0; half < 2; ++half) {
      const uint32_t row = 16 * k + 8 * half + 2 * t;
      const float4 above = floats_at(rows, row, g);
      const float4 below = floats_at(rows, row + 1, g);
      b[half][0] = pack_bf16(above.x, below.x);
      b[half][1] = pack_bf16(above.y, below.y);
      b[half][2] = pack_bf16(above.z, below.z);
      b[half][3] = pack_bf16(above.w, below.w);
    }
#pragma unroll
    for (uint32_t n = 0; n < 4; ++n) multiply_bf16(part[n], weight[k], b[0][n], b[1][n]);
  }
}

template <Products kProducts>
__device__ inline void add_tf32_readout(float (&part)[4][4], float (&small)[4][4], const TileScores& weight,
                                        const char* rows) {
  const uint32_t g = threadIdx.x % 32 / 4;
  const uint32_t t = threadIdx.x % 4;
#pragma unroll
  for (uint32_t k = 0; k < 8; ++k) {
    const Tf32<kProducts> a(make_float4(weight[k][0], weight[k][2], weight[k][1], weight[k][3]));
    const Tf32<kProducts> b0(floats_at(rows, 8 * k + 2 * t, g));
    const Tf32<kProducts> b1(floats_at(rows, 8 * k + 2 * t + 1, g));
#pragma unroll
    for (int n = 0; n < 4; ++n) multiply<kProducts>(part[n], small[n], a, b0, n, b1, n);
  }
}

// readout = readout x rescale + weights x rows, over the columns of one chunk. The accumulators of the scores
// are the operand of the weights: as they lie for 16 bits; for tf32 the rows are taken in another order, 2t
// for t and 2t + 1 for t + 4.
template <Products kProducts>
__device__ inline void add_readout(float (*readout)[4], const float (&rescale)[2], const TileScores& weight,
                                   const char* rows) {
  if constexpr (kProducts == Products::kTf32 || kProducts == Products::kCompensated) {
    float part[4][4] = {};
    float small[4][4] = {};
    add_tf32_readout<kProducts>(part, small, weight, rows);
#pragma unroll
    for (uint32_t n = 0; n < 4; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) part[n][i] += small[n][i];
      take_part(readout[n], rescale, part[n]);
    }
  } else {
    uint32_t packed[4][4];
#pragma unroll
    for (uint32_t k = 0; k < 4; ++k) {
#pragma unroll
      for (uint32_t i = 0; i < 4; ++i) {
        const float* const pair = weight[2 * k + i / 2] + i % 2 * 2;
        packed[k][i] = pack<kProducts>(pair[0], pair[1]);
      }
    }
    if constexpr (has_halves(kProducts)) {
      add_half_readout<kProducts>(readout, rescale, packed, rows);
    } else {
      float part[4][4] = {};
      add_rounded_readout(part, packed, rows);
#pragma unroll
      for (uint32_t n = 0; n < 4; ++n) take_part(readout[n], rescale, part[n]);
    }
  }
}

}  // namespace engram::cuda
