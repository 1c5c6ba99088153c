// Reading rows for few queries: a group of lanes takes a row, 16 bytes to each, several rows at a time.
//
// What bounds these kernels is the bandwidth of the device, as long as a multiprocessor has enough bytes on
// their way (3.35 TB/s over 132 of them, for 700 ns: 18 KB) and little to do for each. So a lane asks for
// kPiecesAhead pieces before it uses the first, with 8 to 24 warps on a multiprocessor: 32 to 96 KB. The
// products of rows with a query are then summed over lanes all at once, in such a way that each lane ends
// with the score of one row: what follows from a score is computed once, not by every lane.
//
// A step of a warp brings 4 KB, 8 rows of 128 Float32 numbers, which at that bandwidth takes a multiprocessor
// 160 ns: 1100 issue slots at 1.7 GHz. Softmax with readout of the keys has, for sm_90a, 277 instructions in
// a step for one query and 1206 for eight; for rows of 16 bits (twice the numbers) 409 (bfloat16) and 472
// (float16) for one query, about 1050 for four.
#pragma once

#include "cuda/fold.h"
#include "cuda/ptx.h"

namespace engram::cuda {

inline constexpr uint32_t kWarp = 32;
inline constexpr uint32_t kAllLanes = 0xFFFFFFFFU;
inline constexpr uint32_t kRowBlocks = 2;    // of a launch on each multiprocessor
inline constexpr uint32_t kFewestLanes = 8;  // of a group: not fewer than rows that it has under way
inline constexpr int kPiecesAhead = 8;
inline constexpr uint32_t kMostNumbers = 32;  // of queries, in registers of a lane

__host__ __device__ constexpr uint32_t piece_elements(Element element) {
  return element == Element::kFloat32 ? 4 : 8;
}

enum class Readout : uint8_t { kNone, kKeys, kValues };

// An instance of the kernels: what a lane holds, and what follows from that.
template <Element kType, int kPieceCount, int kQueryCount, Readout kRead>
struct RowInstance {
  static constexpr Element kElement = kType;
  static constexpr int kPieces = kPieceCount;  // of a row in a lane
  static constexpr int kQueries = kQueryCount;
  static constexpr Readout kReadout = kRead;
  static constexpr uint32_t kElements = piece_elements(kType);
  static constexpr int kArrays = kRead == Readout::kValues ? 2 : 1;
  static constexpr int kRows = kPieces * kArrays >= kPiecesAhead ? 1 : kPiecesAhead / (kPieces * kArrays);

  // Registers of a lane, by experience; and as many warps as have them when there are kRowBlocks blocks.
  static constexpr uint32_t kNumbers = kQueries * kPieces * kElements;
  static constexpr uint32_t kRegisters = kNumbers * (kRead == Readout::kNone ? 1 : 2) +
                                         4 * kRows * kPieces * kArrays + kQueries * kRows + 2 * kElements +
                                         24;
  static constexpr uint32_t kWarps =
      kRegisters <= 80 ? 12 : (kRegisters <= 128 ? 8 : (kRegisters <= 168 ? 6 : 4));
  static constexpr uint32_t kThreads = kWarps * kWarp;
};

// The elements of a piece as Float32.
template <Element kElement>
__device__ inline void unpack(const uint4& piece, float (&x)[piece_elements(kElement)]) {
  const uint32_t words[4] = {piece.x, piece.y, piece.z, piece.w};
#pragma unroll
  for (int w = 0; w < 4; ++w) {
    if constexpr (kElement == Element::kFloat32) {
      x[w] = __uint_as_float(words[w]);
    } else {
      const float2 pair = kElement == Element::kFloat16 ? unpack_f16(words[w]) : unpack_bf16(words[w]);
      x[2 * w] = pair.x;
      x[2 * w + 1] = pair.y;
    }
  }
}

__device__ inline float warp_sum(float value) {
#pragma unroll
  for (uint32_t half = kWarp / 2; half > 0; half /= 2) value += __shfl_xor_sync(kAllLanes, value, half);
  return value;
}
__device__ inline float warp_max(float value) {
#pragma unroll
  for (uint32_t half = kWarp / 2; half > 0; half /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, half));
  }
  return value;
}

// Sums of kCount numbers (a power of two, at most `lanes`) over groups of lanes: lane l gets that of number
// l % kCount. Neighbours swap half of their numbers and add the other half, until one number is left.
template <int kCount, int kApart = 1>
__device__ inline float group_sum(const float (&x)[kCount], uint32_t lanes) {
  if constexpr (kCount > 1) {
    const bool odd = (threadIdx.x & kApart) != 0;
    float half[kCount / 2];
#pragma unroll
    for (int i = 0; i < kCount / 2; ++i) {
      const float theirs = odd ? x[2 * i] : x[2 * i + 1];
      half[i] = (odd ? x[2 * i + 1] : x[2 * i]) + __shfl_xor_sync(kAllLanes, theirs, kApart);
    }
    return group_sum<kCount / 2, kApart * 2>(half, lanes);
  } else {
    float sum = x[0];
#pragma unroll
    for (uint32_t apart = kApart; apart < kWarp; apart *= 2) {
      if (apart < lanes) sum += __shfl_xor_sync(kAllLanes, sum, apart);
    }
    return sum;
  }
}

// The share of the rows that a block folds.
struct RowRange {
  uint32_t begin;
  uint32_t end;
};
__device__ inline RowRange range_of(uint32_t rows, uint32_t split, uint32_t splits) {
  return {static_cast<uint32_t>(uint64_t{rows} * split / splits),
          static_cast<uint32_t>(uint64_t{rows} * (split + 1) / splits)};
}

// A warp's rows of a step: `lanes` lanes (a power of two) form a group, which has kRows of them. Of these a
// lane answers for one: it has the terms and the scores of row(). Loads go nowhere beyond the rows and their
// pitch: where there is nothing to load the last that is there is loaded again, to no effect.
template <typename Instance>
class RowReader {
 public:
  static constexpr int kQueries = Instance::kQueries;
  static constexpr int kPieces = Instance::kPieces;
  static constexpr int kRows = Instance::kRows;
  static constexpr uint32_t kElements = Instance::kElements;

  __device__ RowReader(const Rows& rows, const Queries& queries, uint32_t lanes)
      : rows_(rows),
        lanes_(kPieces > 1 ? kWarp : lanes),
        groups_(kWarp / lanes_),
        lane_(threadIdx.x % lanes_),
        own_(lane_ % kRows * groups_) {
    const uint32_t warp = threadIdx.x / kWarp;
    const uint32_t group = threadIdx.x % kWarp / lanes_;
    offset_ = warp * kRows * groups_ + group;
#pragma unroll
    for (int q = 0; q < kQueries; ++q) {
      const bool there = static_cast<uint32_t>(q) < queries.count;
      scale_[q] = there ? queries.scale[q] : 1.0F;
      const float* const data = queries.data + uint64_t{static_cast<uint32_t>(q)} * queries.pitch;
#pragma unroll
      for (int p = 0; p < kPieces; ++p) {
#pragma unroll
        for (uint32_t e = 0; e < kElements; ++e) {
          query_[q][p][e] = there && column(p) + e < rows.dim ? data[column(p) + e] : 0.0F;
        }
      }
    }
  }

  // Rows that a block takes in a step.
  __device__ uint32_t step() const { return Instance::kWarps * kRows * groups_; }
  __device__ uint32_t lanes() const { return lanes_; }
  // The first of the lane's columns in a piece.
  __device__ uint32_t column(int p) const { return (p * lanes_ + lane_) * kElements; }

  // The row whose scores the lane has. Others of its group may have them, too: one speaks for all.
  __device__ uint32_t row() const { return base_ + own_; }
  __device__ bool speaks() const { return lane_ < kRows; }

  // Starts to load the rows of a step that begins at `first`, below `end`.
  __device__ void load(uint32_t first, uint32_t end) {
    base_ = first + offset_;
    load_pieces(keys_, rows_.keys, rows_.key_pitch, end);
    if constexpr (Instance::kReadout == Readout::kValues) {
      load_pieces(values_, rows_.values, rows_.value_pitch, end);
    }
    taken_ = row() < end;
    const uint32_t last = end - 1;
    const uint32_t mine = row() < last ? row() : last;
    if (rows_.term != KeyTerm::kNone) square_norm_ = __ldg(rows_.square_norms + mine);
    const uint64_t item = rows_.first + mine;
    const bool may_be_removed = rows_.removed != nullptr && item < rows_.removed_bits;
    removed_ = may_be_removed ? __ldg(rows_.removed + item / 64) : 0;
  }

  // Of row(); -inf where there is none or where it is removed.
  __device__ void scores(float (&score)[kQueries]) const {
    float dot[kQueries][kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
#pragma unroll
      for (int q = 0; q < kQueries; ++q) dot[q][r] = 0;
#pragma unroll
      for (int p = 0; p < kPieces; ++p) {
        float x[kElements];
        unpack<Instance::kElement>(keys_[r][p], x);
#pragma unroll
        for (int q = 0; q < kQueries; ++q) {
#pragma unroll
          for (uint32_t e = 0; e < kElements; ++e) dot[q][r] = fmaf(query_[q][p][e], x[e], dot[q][r]);
        }
      }
    }
    const Term term = own_term();
#pragma unroll
    for (int q = 0; q < kQueries; ++q) {
      score[q] = scale_[q] * fmaf(term.multiplier, group_sum(dot[q], lanes_), term.bias);
    }
  }

  // What is read out of row r of the group, columns column(p) and on.
  __device__ void readout(int r, int p, float (&x)[kElements]) const {
    if constexpr (Instance::kReadout == Readout::kValues) {
      unpack<Instance::kElement>(values_[r][p], x);
    } else {
      unpack<Instance::kElement>(keys_[r][p], x);
    }
  }

 private:
  __device__ void load_pieces(uint4 (&to)[kRows][kPieces], const void* from, uint32_t pitch, uint32_t end) {
    const uint32_t pieces = pitch / kElements;
    const auto* const data = static_cast<const uint4*>(from);
    const uint32_t last = end - 1;
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const uint32_t at = base_ + r * groups_;
      const uint4* const row = data + uint64_t{at < last ? at : last} * pieces;
#pragma unroll
      for (int p = 0; p < kPieces; ++p) {
        const uint32_t piece = p * lanes_ + lane_;
        to[r][p] = load_once(row + (piece < pieces ? piece : pieces - 1));
      }
    }
  }

  __device__ Term own_term() const {
    const auto item = static_cast<uint32_t>(rows_.first + row());
    const bool removed = rows_.removed != nullptr && (removed_ >> (item % 64) & 1) != 0;
    if (!taken_ || removed) return {0.0F, -INFINITY};
    return term_with(rows_.term, square_norm_);
  }

  const Rows& rows_;
  const uint32_t lanes_;
  const uint32_t groups_;  // in a warp
  const uint32_t lane_;    // in its group
  const uint32_t own_;     // from the group's first row to the lane's own
  uint32_t offset_;        // from the step's first row to the group's
  uint32_t base_ = 0;      // the group's first row
  bool taken_ = false;     // row() is below the end
  float square_norm_ = 0;  // of row()
  uint64_t removed_ = 0;   // the word with its bit
  float query_[kQueries][kPieces][kElements];
  float scale_[kQueries];
  uint4 keys_[kRows][kPieces];
  uint4 values_[Instance::kArrays == 2 ? kRows : 1][kPieces];
};

// The score of a row too long for registers, for a single query: by all lanes of a warp, in all of them.
template <Element kElement>
__device__ inline float wide_score(const Rows& rows, const Queries& queries, uint32_t row) {
  constexpr uint32_t kElements = piece_elements(kElement);
  const uint32_t pieces = rows.key_pitch / kElements;
  const uint4* const from = static_cast<const uint4*>(rows.keys) + uint64_t{row} * pieces;
  const auto* const query = reinterpret_cast<const float4*>(queries.data);
  float dot = 0;
#pragma unroll 8
  for (uint32_t piece = threadIdx.x % kWarp; piece < pieces; piece += kWarp) {
    float x[kElements];
    unpack<kElement>(load_once(from + piece), x);
#pragma unroll
    for (uint32_t quarter = 0; quarter < kElements / 4; ++quarter) {
      const uint32_t at = piece * (kElements / 4) + quarter;
      if (at * 4 >= queries.pitch) continue;
      const float4 q = __ldg(query + at);
      dot = fmaf(q.x, x[4 * quarter], dot);
      dot = fmaf(q.y, x[4 * quarter + 1], dot);
      dot = fmaf(q.z, x[4 * quarter + 2], dot);
      dot = fmaf(q.w, x[4 * quarter + 3], dot);
    }
  }
  const Term term = term_of(rows, row);
  return queries.scale[0] * fmaf(term.multiplier, warp_sum(dot), term.bias);
}

}  // namespace engram::cuda
