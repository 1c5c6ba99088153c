// Score and fold on a device: what the kernels read and write.
//
// One launch folds a run of rows that lies on the device for a batch of queries; what it finds are partial
// answers, `splits` for each query, which combine.h brings together in a fixed order. See engine/score_fold.h
// for the operation itself:
//   score s_ij = scale_i * (multiplier_j * <q_i, x_j> + bias_j), removed items excluded.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace engram::cuda {

enum class Element : uint8_t { kFloat32, kFloat16, kBfloat16 };
// How Float32 rows are multiplied where there are many queries. Rows of 16 bits are multiplied as they are.
enum class Arithmetic : uint8_t {
  kCompensated,  // three products of tf32 halves: the accuracy of Float32
  kTf32,
  kBfloat16,
};
enum class KeyTerm : uint8_t { kNone, kHalfSquareNorm, kReciprocalNorm };  // as engine::KeyTerm

inline constexpr uint32_t kMostFoldK = 1024;   // of top-k on a device
inline constexpr uint32_t kRowAlignment = 16;  // bytes: every row of keys, values and queries begins on it

// Rows of a memory, on the device. Elements behind dim (width) up to the pitch are zeros.
struct Rows {
  const void* keys = nullptr;    // count x key_pitch elements
  const void* values = nullptr;  // count x value_pitch elements; the same as keys where keys are read out
  const float* square_norms = nullptr;  // |x|^2 of the rows as stored
  const uint64_t* removed = nullptr;    // bit (item % 64) of word item / 64; null: none
  uint64_t removed_bits = 0;            // items from here on are not removed
  uint64_t first = 0;                   // item number of row 0; first + count <= 2^32
  uint32_t count = 0;
  uint32_t dim = 0;
  uint32_t key_pitch = 0;  // elements
  uint32_t width = 0;      // of the readout; 0: no readout
  uint32_t value_pitch = 0;
  Element element = Element::kFloat32;
  Arithmetic arithmetic = Arithmetic::kCompensated;
  KeyTerm term = KeyTerm::kNone;
};

// Queries, on the device, always in Float32.
struct Queries {
  const float* data = nullptr;   // count x pitch; zeros behind dim
  const float* scale = nullptr;  // count, > 0
  uint32_t count = 0;
  uint32_t pitch = 0;  // elements, a multiple of 4
};

// Partial answers of the exponential folds: 2^s sums under a running maximum.
struct SoftmaxPartials {
  float* max = nullptr;      // splits x queries; -FLT_MAX where no item took part
  float* sum = nullptr;      // splits x queries: sum_j 2^(s_ij - max)
  float* readout = nullptr;  // splits x queries x width: sum_j 2^(s_ij - max) v_j; null without readout
};

// An item as a number that sorts: larger is better; equal scores by lower item. 0 stands for no item.
using Ranked = uint64_t;

__host__ __device__ inline uint32_t sortable_bits(float score) {
  uint32_t bits;
  memcpy(&bits, &score, sizeof bits);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}
__host__ __device__ inline Ranked rank(float score, uint32_t item) {
  return static_cast<Ranked>(sortable_bits(score)) << 32 | static_cast<uint32_t>(~item);
}
__host__ __device__ inline uint32_t item_of(Ranked ranked) { return ~static_cast<uint32_t>(ranked); }
__host__ __device__ inline float score_of(Ranked ranked) {
  const auto key = static_cast<uint32_t>(ranked >> 32);
  const uint32_t bits = (key & 0x80000000U) != 0 ? key & 0x7FFFFFFFU : ~key;
  float score;
  memcpy(&score, &bits, sizeof score);
  return score;
}

// Partial answers of top-k: the k best of each split, best first, 0 where there are fewer.
struct TopPartials {
  Ranked* best = nullptr;        // splits x queries x k
  const float* floor = nullptr;  // queries: scores below it need not be looked at; may be null
  uint32_t k = 0;                // 1..kMostFoldK
};

// Items above a threshold, in any order. `found` counts on beyond the capacity; nothing is written there.
struct Hit {
  uint32_t query;
  uint32_t item;
  float score;
};
struct HitList {
  Hit* hits = nullptr;
  unsigned long long* found = nullptr;
  uint64_t capacity = 0;
  const float* threshold = nullptr;  // queries: s > threshold
};

// What a key adds to its dot product.
struct Term {
  float multiplier;
  float bias;
};

__device__ inline bool is_removed(const Rows& rows, uint32_t row) {
  const uint64_t item = rows.first + row;
  if (rows.removed == nullptr || item >= rows.removed_bits) return false;
  return (rows.removed[item / 64] >> (item % 64) & 1) != 0;
}

// Of a key of that |x|^2 that is not removed.
__device__ inline Term term_with(KeyTerm term, float square_norm) {
  switch (term) {
    case KeyTerm::kHalfSquareNorm: return {1.0F, -0.5F * square_norm};
    case KeyTerm::kReciprocalNorm: return {square_norm > 0 ? 1.0F / sqrtf(square_norm) : 0.0F, 0.0F};
    case KeyTerm::kNone: break;
  }
  return {1.0F, 0.0F};
}

// Of a row below rows.count. An excluded item has bias -inf and multiplier 0: no score of it is NaN.
__device__ inline Term term_of(const Rows& rows, uint32_t row) {
  if (is_removed(rows, row)) return {0.0F, -INFINITY};
  return term_with(rows.term, rows.term == KeyTerm::kNone ? 0.0F : rows.square_norms[row]);
}

}  // namespace engram::cuda
