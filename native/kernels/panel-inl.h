// Panel kernels: lanes run over queries, stored elements are broadcast. Contracts in kernel_table.h.
#if defined(ENGRAM_KERNELS_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAM_KERNELS_PANEL_INL_H_
#undef ENGRAM_KERNELS_PANEL_INL_H_
#else
#define ENGRAM_KERNELS_PANEL_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/exp2-inl.h"
#include "kernels/kernel_table.h"

HWY_BEFORE_NAMESPACE();
namespace engram::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace panel {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
inline constexpr size_t kLanes = hn::MaxLanes(D());

// Register tile: kRows stored rows (or dimensions) x 2 vectors of queries. Accumulators, the two query
// vectors and one broadcast must fit the register file.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr size_t kRows = 12;  // 32 registers
#else
inline constexpr size_t kRows = 6;  // 16 registers
#endif

struct Epilogue {
  const float* multiplier;
  const float* bias;
  const float* scale;
  float* scores;
};

// dots of kR keys with kV vectors of queries; then scores, maxima, and the finiteness check
// (dot * 0 is 0 for finite dots, NaN otherwise).
template <size_t kR, size_t kV>
HWY_INLINE void score_rows(const float* HWY_RESTRICT keys, size_t dim, const float* HWY_RESTRICT panel,
                           size_t first_row, const Epilogue& e, V (&max)[kV], V& check) {
  const D d;
  V acc[kR][kV];
  HWY_UNROLL(16)
  for (size_t r = 0; r < kR; ++r) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kV; ++v) acc[r][v] = hn::Zero(d);
  }
  const float* HWY_RESTRICT q = panel;
  for (size_t k = 0; k < dim; ++k) {
    V b[kV];
    HWY_UNROLL(16)
    for (size_t v = 0; v < kV; ++v) b[v] = hn::LoadU(d, q + v * kLanes);
    q += kV * kLanes;
    HWY_UNROLL(16)
    for (size_t r = 0; r < kR; ++r) {
      const V a = hn::Set(d, keys[r * dim + k]);
      HWY_UNROLL(16)
      for (size_t v = 0; v < kV; ++v) acc[r][v] = hn::MulAdd(a, b[v], acc[r][v]);
    }
  }
  HWY_UNROLL(16)
  for (size_t r = 0; r < kR; ++r) {
    const size_t row = first_row + r;
    const V multiplier = hn::Set(d, e.multiplier[row]);
    const V bias = hn::Set(d, e.bias[row]);
    HWY_UNROLL(16)
    for (size_t v = 0; v < kV; ++v) {
      check = hn::MulAdd(acc[r][v], hn::Zero(d), check);
      const V s = hn::Mul(hn::MulAdd(acc[r][v], multiplier, bias), hn::LoadU(d, e.scale + v * kLanes));
      hn::StoreU(s, d, e.scores + (row * kV + v) * kLanes);
      max[v] = hn::Max(max[v], s);
    }
  }
}

// The last rows % kRows rows, by a tile of just that height.
template <size_t kR, size_t kV>
HWY_INLINE void score_rest(size_t rest, const float* keys, size_t dim, const float* panel, size_t first_row,
                           const Epilogue& e, V (&max)[kV], V& check) {
  if constexpr (kR > 0) {
    if (rest == kR) {
      score_rows<kR, kV>(keys, dim, panel, first_row, e, max, check);
    } else {
      score_rest<kR - 1, kV>(rest, keys, dim, panel, first_row, e, max, check);
    }
  }
}

template <size_t kV>
HWY_INLINE bool scores(Tile keys, const float* panel, const Epilogue& e, float* tile_max) {
  const D d;
  V max[kV];
  for (size_t v = 0; v < kV; ++v) max[v] = hn::LoadU(d, tile_max + v * kLanes);
  V check = hn::Zero(d);
  size_t row = 0;
  for (; row + kRows <= keys.rows; row += kRows) {
    score_rows<kRows, kV>(keys.data + row * keys.dim, keys.dim, panel, row, e, max, check);
  }
  score_rest<kRows - 1, kV>(keys.rows - row, keys.data + row * keys.dim, keys.dim, panel, row, e, max, check);
  for (size_t v = 0; v < kV; ++v) hn::StoreU(max[v], d, tile_max + v * kLanes);
  return hn::AllTrue(d, hn::Eq(check, check));
}

template <size_t kV>
HWY_INLINE bool exponentials(float* scores, size_t rows, const float* max, float* sum) {
  const D d;
  V m[kV];
  V total[kV];
  for (size_t v = 0; v < kV; ++v) {
    m[v] = hn::LoadU(d, max + v * kLanes);
    total[v] = hn::Zero(d);
  }
  for (size_t j = 0; j < rows; ++j) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kV; ++v) {
      float* s = scores + (j * kV + v) * kLanes;
      const V p = exp2_nonpositive(d, hn::Sub(hn::LoadU(d, s), m[v]));
      hn::StoreU(p, d, s);
      total[v] = hn::Add(total[v], p);
    }
  }
  V any = hn::Zero(d);
  for (size_t v = 0; v < kV; ++v) {
    hn::StoreU(total[v], d, sum + v * kLanes);
    any = hn::Add(any, total[v]);
  }
  return !hn::AllTrue(d, hn::Eq(any, hn::Zero(d)));
}

// kR dimensions of the readout: sums of the tile in registers, added to what earlier tiles left. The
// tile's own sum starts at zero, which keeps rounding at the level of a two-level summation.
template <size_t kR, size_t kV>
HWY_INLINE void readout_dims(const float* HWY_RESTRICT values, size_t rows, size_t stride,
                             const float* HWY_RESTRICT weights, const V (&rescale)[kV],
                             float* HWY_RESTRICT accumulator) {
  const D d;
  V acc[kR][kV];
  HWY_UNROLL(16)
  for (size_t r = 0; r < kR; ++r) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kV; ++v) acc[r][v] = hn::Zero(d);
  }
  for (size_t j = 0; j < rows; ++j) {
    V p[kV];
    HWY_UNROLL(16)
    for (size_t v = 0; v < kV; ++v) p[v] = hn::LoadU(d, weights + (j * kV + v) * kLanes);
    const float* HWY_RESTRICT x = values + j * stride;
    HWY_UNROLL(16)
    for (size_t r = 0; r < kR; ++r) {
      const V a = hn::Set(d, x[r]);
      HWY_UNROLL(16)
      for (size_t v = 0; v < kV; ++v) acc[r][v] = hn::MulAdd(a, p[v], acc[r][v]);
    }
  }
  HWY_UNROLL(16)
  for (size_t r = 0; r < kR; ++r) {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kV; ++v) {
      float* to = accumulator + (r * kV + v) * kLanes;
      hn::StoreU(hn::MulAdd(hn::LoadU(d, to), rescale[v], acc[r][v]), d, to);
    }
  }
}

template <size_t kR, size_t kV>
HWY_INLINE void readout_rest(size_t rest, const float* values, size_t rows, size_t stride,
                             const float* weights, const V (&rescale)[kV], float* accumulator) {
  if constexpr (kR > 0) {
    if (rest == kR) {
      readout_dims<kR, kV>(values, rows, stride, weights, rescale, accumulator);
    } else {
      readout_rest<kR - 1, kV>(rest, values, rows, stride, weights, rescale, accumulator);
    }
  }
}

template <size_t kV>
HWY_INLINE void readout(Tile values, const float* weights, const float* rescale, float* accumulator) {
  const D d;
  V factor[kV];
  for (size_t v = 0; v < kV; ++v) factor[v] = hn::LoadU(d, rescale + v * kLanes);
  size_t dim = 0;
  for (; dim + kRows <= values.dim; dim += kRows) {
    readout_dims<kRows, kV>(values.data + dim, values.rows, values.dim, weights, factor,
                            accumulator + dim * kV * kLanes);
  }
  readout_rest<kRows - 1, kV>(values.dim - dim, values.data + dim, values.rows, values.dim, weights, factor,
                              accumulator + dim * kV * kLanes);
}

template <size_t kV>
HWY_INLINE size_t above(const float* scores, size_t rows, const float* threshold, uint32_t* hits) {
  const D d;
  V t[kV];
  for (size_t v = 0; v < kV; ++v) t[v] = hn::LoadU(d, threshold + v * kLanes);
  size_t count = 0;
  for (size_t j = 0; j < rows; ++j) {
    auto hit = hn::Gt(hn::LoadU(d, scores + j * kV * kLanes), t[0]);
    HWY_UNROLL(16)
    for (size_t v = 1; v < kV; ++v) {
      hit = hn::Or(hit, hn::Gt(hn::LoadU(d, scores + (j * kV + v) * kLanes), t[v]));
    }
    hits[count] = static_cast<uint32_t>(j);
    count += hn::AllFalse(d, hit) ? 0 : 1;
  }
  return count;
}

}  // namespace panel

#if HWY_TARGET != HWY_SCALAR
namespace panel {

// out[k * width + i] = rows[i * dim + k] for four rows and four coordinates.
HWY_INLINE void transpose_4x4(const float* HWY_RESTRICT rows, size_t dim, size_t width,
                              float* HWY_RESTRICT out) {
  const hn::FixedTag<float, 4> d;
  const auto a = hn::LoadU(d, rows);
  const auto b = hn::LoadU(d, rows + dim);
  const auto c = hn::LoadU(d, rows + 2 * dim);
  const auto e = hn::LoadU(d, rows + 3 * dim);
  const auto ac_low = hn::InterleaveLower(d, a, c);
  const auto be_low = hn::InterleaveLower(d, b, e);
  const auto ac_high = hn::InterleaveUpper(d, a, c);
  const auto be_high = hn::InterleaveUpper(d, b, e);
  hn::StoreU(hn::InterleaveLower(d, ac_low, be_low), d, out);
  hn::StoreU(hn::InterleaveUpper(d, ac_low, be_low), d, out + width);
  hn::StoreU(hn::InterleaveLower(d, ac_high, be_high), d, out + 2 * width);
  hn::StoreU(hn::InterleaveUpper(d, ac_high, be_high), d, out + 3 * width);
}

}  // namespace panel
#endif

inline void pack_panel(const float* queries, size_t count, size_t dim, size_t width, float* out) {
  size_t transposed = 0;  // queries
  const size_t in_fours = dim - dim % 4;
#if HWY_TARGET != HWY_SCALAR
  transposed = count - count % 4;
  for (size_t d = 0; d < in_fours; d += 4) {
    for (size_t i = 0; i < transposed; i += 4)
      panel::transpose_4x4(queries + i * dim + d, dim, width, out + d * width + i);
  }
#endif
  for (size_t d = 0; d < dim; ++d) {
    float* to = out + d * width;
    for (size_t i = d < in_fours ? transposed : 0; i < count; ++i) to[i] = queries[i * dim + d];
    std::fill(to + count, to + width, 0.0F);
  }
}

inline bool panel_scores(Tile keys, const float* queries, size_t width, const float* multiplier,
                         const float* bias, const float* scale, float* scores, float* tile_max) {
  const panel::Epilogue e{multiplier, bias, scale, scores};
  return width == panel::kLanes ? panel::scores<1>(keys, queries, e, tile_max)
                                : panel::scores<2>(keys, queries, e, tile_max);
}

inline bool panel_exp(float* scores, size_t rows, size_t width, const float* max, float* sum) {
  return width == panel::kLanes ? panel::exponentials<1>(scores, rows, max, sum)
                                : panel::exponentials<2>(scores, rows, max, sum);
}

inline void panel_readout(Tile values, const float* weights, size_t width, const float* rescale,
                          float* accumulator) {
  if (width == panel::kLanes) {
    panel::readout<1>(values, weights, rescale, accumulator);
  } else {
    panel::readout<2>(values, weights, rescale, accumulator);
  }
}

inline size_t panel_above(const float* scores, size_t rows, size_t width, const float* threshold,
                          uint32_t* hits) {
  return width == panel::kLanes ? panel::above<1>(scores, rows, threshold, hits)
                                : panel::above<2>(scores, rows, threshold, hits);
}

}  // namespace HWY_NAMESPACE
}  // namespace engram::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle guard
