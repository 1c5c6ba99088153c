// The kernels of one instruction set, as function pointers.
//
// Two layouts serve all shapes:
//   rows:   one to four queries; vector lanes run over the dimensions of a key. Bandwidth-bound.
//   panels: a panel is `width` queries side by side; lanes run over queries. Keys and values are read
//           where they lie, each element broadcast to all lanes, and everything a fold does per query
//           (maximum, exponential, sum, threshold) is lane-wise. Compute-bound.
//
// All kernels: Float32 storage and accumulation, any alignment, sizes may be any number >= 1 unless
// said; the caller owns all buffers; no allocation, no threads, no exceptions. A sum over dimensions
// has the same order for a given instruction set wherever in a tile a key stands, so equal keys get
// equal scores.
//
// Scores: s_ij = scale_i * (multiplier_j * <q_i, x_j> + bias_j). Weights are powers of two
// (p = 2^(s - max)), so a softmax at inverse temperature beta has scale = beta * log2(e).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gibbs_table.h"

namespace engram::kernels {

inline constexpr size_t kMaxRowQueries = 4;   // queries the row kernels take at once
inline constexpr size_t kMaxPanelWidth = 64;  // no instruction set has wider panels
inline constexpr size_t kSignPanel = 16;      // words of a line of signs

// A tile of stored rows: `rows` x `dim` elements, row i at data + i * dim.
struct Tile {
  const float* data;
  size_t rows;
  size_t dim;
};

struct KernelTable {
  const char* isa;         // name as ENGRAM_ISA spells it
  size_t row_step;         // panel kernels work on this many rows at a time; other heights waste some
  size_t panel_widths[2];  // narrow, wide: queries per panel; a batch takes wide panels, and a narrow
                           // one where the rest fits

  // out[j] = sum_d tile[j][d]^2
  void (*square_norms)(Tile tile, float* out);

  // True when every element is finite.
  bool (*all_finite)(const float* data, size_t count);

  // ---- panels (width is one of panel_widths) ----

  // panel[d * width + i] = queries[i * dim + d] for i < count, 0 for count <= i < width.
  void (*pack_panel)(const float* queries, size_t count, size_t dim, size_t width, float* panel);

  // scores[j * width + i] = s_ij; tile_max[i] = max(tile_max[i], s_ij). Returns false when a dot
  // product was not finite (bias may be -inf: the key is excluded).
  bool (*panel_scores)(Tile keys, const float* panel, size_t width, const float* multiplier,
                       const float* bias, const float* scale, float* scores, float* tile_max);

  // scores <- 2^(scores - max) in place, 0 where that is below 2^-126; sum[i] = sum_j of them.
  // Returns false when all are 0 in every lane.
  bool (*panel_exp)(float* scores, size_t rows, size_t width, const float* max, float* sum);

  // accumulator[d * width + i] = accumulator[..] * rescale[i] + sum_j weights[j * width + i] * values[j][d]
  void (*panel_readout)(Tile values, const float* weights, size_t width, const float* rescale,
                        float* accumulator);

  // Rows with at least one score above its lane's threshold: their numbers go to `hits` (ascending);
  // returns how many. `hits` has room for rows + 1 numbers.
  size_t (*panel_above)(const float* scores, size_t rows, size_t width, const float* threshold,
                        uint32_t* hits);

  // ---- rows (1 <= count <= kMaxRowQueries queries, query i at queries + i * dim) ----

  // dots[i * rows + j] = <q_i, x_j>; where norms is not null also norms[j] = |x_j|^2, at no extra read.
  void (*row_dots)(Tile keys, const float* queries, size_t count, float* dots, float* norms);

  // scores[j] <- scale * (multiplier[j] * scores[j] + bias[j]); *max = their maximum, at least *max.
  // Returns false when a dot product was not finite. multiplier or bias may be null (1, 0).
  bool (*row_scores)(float* scores, size_t rows, const float* multiplier, const float* bias, float scale,
                     float* max);

  // scores <- 2^(scores - max), 0 below 2^-126; returns their sum.
  float (*row_exp)(float* scores, size_t rows, float max);

  // accumulator[d] = accumulator[d] * rescale + sum_j weights[j] * values[j][d]
  void (*row_readout)(Tile values, const float* weights, float rescale, float* accumulator);

  // ---- signs, 64 in a word, least significant first: 1 is +1, 0 is -1 ----

  // The signs of x; the last word is filled up with 0. Returns false when an element is neither +1 nor -1.
  bool (*sign_bits)(const float* x, size_t count, uint64_t* bits);

  // differences[i * kSignPanel + j] += number of bits in which word i of a's lines and word j of b's lines
  // differ. a, b: lines x kSignPanel; the sum of products of these signs is 64 * lines - 2 * differences.
  void (*sign_differences)(const uint64_t* a, const uint64_t* b, size_t lines, uint64_t* differences);

  const GibbsTable* gibbs;  // entropic transport; compiled apart, in gibbs.cc
};

}  // namespace engram::kernels
