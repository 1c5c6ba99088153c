// The one operation of the engine: score every stored item against every query and fold the scores
// into an answer, in one pass over the memory and without a score matrix.
//
//   score  s_ij = scale_i * (multiplier_j * <q_i, x_j> + bias_j)
//
// What multiplier and bias are follows from KeyTerm; scale is the caller's. A removed item has bias -inf:
// it takes part in nothing. The exponential folds take powers of two, p ~ 2^s: a softmax at inverse
// temperature beta has scale = beta * log2(e).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/resident.h"

namespace engram::engine {

// Stored rows that lie together; row r is item first + r.
struct KeyBlock {
  const float* keys = nullptr;    // rows x dim
  const float* values = nullptr;  // rows x value_dim
  uint64_t first = 0;
  uint64_t rows = 0;
  Resident* resident =
      nullptr;  // of the backend that plans the operation; null: the rows are in host memory only
};

// What a key adds to its dot product. Computed from the keys in the pass itself: the memory may be
// written by its owner between calls, so nothing derived from it is kept.
enum class KeyTerm : uint8_t {
  kNone,            // s = <q, x>
  kHalfSquareNorm,  // s = <q, x> - |x|^2 / 2: the Euclidean similarity up to -|q|^2 / 2
  kReciprocalNorm,  // s = <q, x> / |x|, 0 for x = 0: the cosine for unit queries
};

// An item that passed a fold, with its score.
struct Candidate {
  uint64_t index;
  float score;
};

// Folds. Each has its outputs, owned by the caller, written before the pass ends.
enum class Fold : uint8_t {
  kLogSumExp,   // lse[i] = log sum_j 2^s_ij (natural logarithm)
  kReadout,     // readout[i] = sum_j 2^s_ij v_j / sum_j 2^s_ij, and lse
  kTopK,        // the k largest scores, best first, ties by lower index
  kCandidates,  // every item with s_ij > threshold_i, by rising item number
};

struct ScoreFold {
  // the memory
  std::span<const KeyBlock> blocks;  // ascending and gap-free from item 0
  uint64_t count = 0;                // items in all blocks
  size_t dim = 0;
  std::span<const uint64_t> removed;  // bit j of word j/64: item j is removed; may be shorter than count
  KeyTerm term = KeyTerm::kNone;
  bool separate_values = false;  // values are a matrix of their own, of width value_dim
  DeviceOptions device;          // what devices do with it; the CPU computes in Float32
  bool in_float32 = false;       // a device that rounds is not to, or to leave the pass to the CPU

  // the queries: query_count x dim, and one scale for each
  const float* queries = nullptr;
  uint64_t query_count = 0;
  const float* scale = nullptr;

  Fold fold = Fold::kLogSumExp;
  double* lse = nullptr;                         // kLogSumExp, kReadout: query_count
  bool read_keys = true;                         // kReadout: read out keys (width dim), else values
  size_t value_dim = 0;                          // width of the values
  float* readout = nullptr;                      // kReadout: query_count x width
  uint32_t k = 0;                                // kTopK: 1 <= k <= live items
  Candidate* top = nullptr;                      // kTopK: query_count x k
  const float* threshold = nullptr;              // kCandidates: query_count
  std::vector<Candidate>* candidates = nullptr;  // kCandidates: query_count vectors
  float* max_square_norm = nullptr;  // any fold, may be null: the largest |x|^2 of items not removed, or the
                                     // value found there where that is larger
};

}  // namespace engram::engine
