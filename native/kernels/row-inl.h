// Row kernels: one to four queries, lanes run over the dimensions of a key. Contracts in kernel_table.h.
#if defined(ENGRAM_KERNELS_ROW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAM_KERNELS_ROW_INL_H_
#undef ENGRAM_KERNELS_ROW_INL_H_
#else
#define ENGRAM_KERNELS_ROW_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/exp2-inl.h"
#include "kernels/kernel_table.h"

HWY_BEFORE_NAMESPACE();
namespace engram::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace row {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
inline constexpr size_t kLanes = hn::MaxLanes(D());
inline constexpr size_t kLine = 64 / sizeof(float);  // floats of a cache line
// How far ahead keys are asked for, in floats: about one tile, so that the next tile is on its way while
// this one is folded. Reading past the end of the memory is harmless in a prefetch.
inline constexpr size_t kAhead = 16384 / sizeof(float);

// out[r] = sum of the lanes of v[r], r < 4. Four sums by one tree of interleaved additions cost little more
// than one; the order of the additions is the same for each.
HWY_INLINE void sum_lanes_of_four(const V (&v)[4], float* HWY_RESTRICT out) {
#if HWY_TARGET == HWY_SCALAR
  for (size_t r = 0; r < 4; ++r) out[r] = hn::GetLane(v[r]);
#else
  const D d;
  const hn::Repartition<double, D> pairs;
  const V ab = hn::Add(hn::InterleaveLower(d, v[0], v[1]), hn::InterleaveUpper(d, v[0], v[1]));
  const V ce = hn::Add(hn::InterleaveLower(d, v[2], v[3]), hn::InterleaveUpper(d, v[2], v[3]));
  const auto low = hn::InterleaveLower(pairs, hn::BitCast(pairs, ab), hn::BitCast(pairs, ce));
  const auto high = hn::InterleaveUpper(pairs, hn::BitCast(pairs, ab), hn::BitCast(pairs, ce));
  const V blocks = hn::Add(hn::BitCast(d, low), hn::BitCast(d, high));
#if HWY_TARGET == HWY_AVX3
  const hn::Half<D> half;
  const hn::Half<hn::Half<D> > quarter;
  const auto halves = hn::Add(hn::LowerHalf(half, blocks), hn::UpperHalf(half, blocks));
  hn::StoreU(hn::Add(hn::LowerHalf(quarter, halves), hn::UpperHalf(quarter, halves)), quarter, out);
#elif HWY_TARGET == HWY_AVX2
  const hn::Half<D> half;
  hn::StoreU(hn::Add(hn::LowerHalf(half, blocks), hn::UpperHalf(half, blocks)), half, out);
#else
  hn::StoreU(blocks, d, out);
#endif
#endif
}

// out[r] = sum of the lanes of v[r] plus the products of the elements past the last whole vector, r < kR.
template <size_t kR>
HWY_INLINE void finish_sums(const V (&v)[kR], const float* a, size_t a_stride, const float* b,
                            size_t b_stride, size_t done, size_t dim, float* HWY_RESTRICT out) {
  const D d;
  float sums[(kR + 3) / 4 * 4];
  HWY_UNROLL(16)
  for (size_t r = 0; r < kR; r += 4) {
    const V four[4] = {v[r], r + 1 < kR ? v[r + 1] : hn::Zero(d), r + 2 < kR ? v[r + 2] : hn::Zero(d),
                       r + 3 < kR ? v[r + 3] : hn::Zero(d)};
    sum_lanes_of_four(four, sums + r);
  }
  for (size_t r = 0; r < kR; ++r) {
    for (size_t t = done; t < dim; ++t) sums[r] += a[r * a_stride + t] * b[r * b_stride + t];
    out[r] = sums[r];
  }
}

// The order of a key's sum is: lanes, then the lanes' tree, then the tail; it does not depend on kR, so a
// key's score is the same wherever it stands.
template <size_t kR, size_t kQ, bool kNorms>
HWY_INLINE void dots_rows(const float* HWY_RESTRICT keys, size_t dim, const float* HWY_RESTRICT queries,
                          size_t rows, float* HWY_RESTRICT dots, float* HWY_RESTRICT norms) {
  const D d;
  V acc[kQ][kR];
  V square[kR];
  HWY_UNROLL(16)
  for (size_t r = 0; r < kR; ++r) {
    square[r] = hn::Zero(d);
    HWY_UNROLL(16)
    for (size_t i = 0; i < kQ; ++i) acc[i][r] = hn::Zero(d);
  }
  size_t k = 0;
  for (; k + kLanes <= dim; k += kLanes) {
    V q[kQ];
    HWY_UNROLL(16)
    for (size_t i = 0; i < kQ; ++i) q[i] = hn::LoadU(d, queries + i * dim + k);
    HWY_UNROLL(16)
    for (size_t r = 0; r < kR; ++r) {
      const V x = hn::LoadU(d, keys + r * dim + k);
      if (kLanes >= kLine || k % kLine == 0) hwy::Prefetch(keys + r * dim + k + kAhead);
      if constexpr (kNorms) square[r] = hn::MulAdd(x, x, square[r]);
      HWY_UNROLL(16)
      for (size_t i = 0; i < kQ; ++i) acc[i][r] = hn::MulAdd(x, q[i], acc[i][r]);
    }
  }
  HWY_UNROLL(16)
  for (size_t i = 0; i < kQ; ++i) {
    finish_sums(acc[i], keys, dim, queries + i * dim, 0, k, dim, dots + i * rows);
  }
  if constexpr (kNorms) finish_sums(square, keys, dim, keys, dim, k, dim, norms);
}

template <size_t kQ, bool kNorms>
HWY_INLINE void dots(Tile keys, const float* queries, float* out, float* norms) {
  // Independent chains hide the latency of the multiply-add; more would spill with four queries.
  constexpr size_t kR = kQ == 1 ? 8 : 4;
  size_t j = 0;
  for (; j + kR <= keys.rows; j += kR) {
    dots_rows<kR, kQ, kNorms>(keys.data + j * keys.dim, keys.dim, queries, keys.rows, out + j,
                              kNorms ? norms + j : nullptr);
  }
  for (; j < keys.rows; ++j) {
    dots_rows<1, kQ, kNorms>(keys.data + j * keys.dim, keys.dim, queries, keys.rows, out + j,
                             kNorms ? norms + j : nullptr);
  }
}

template <size_t kQ>
HWY_INLINE void dots(Tile keys, const float* queries, float* out, float* norms) {
  if (norms != nullptr) {
    dots<kQ, true>(keys, queries, out, norms);
  } else {
    dots<kQ, false>(keys, queries, out, norms);
  }
}

// |x|^2 of kR keys; the order of a key's sum does not depend on kR.
template <size_t kR>
HWY_INLINE void norms_rows(const float* HWY_RESTRICT keys, size_t dim, float* HWY_RESTRICT norms) {
  const D d;
  V square[kR];
  HWY_UNROLL(16)
  for (size_t r = 0; r < kR; ++r) square[r] = hn::Zero(d);
  size_t k = 0;
  for (; k + kLanes <= dim; k += kLanes) {
    HWY_UNROLL(16)
    for (size_t r = 0; r < kR; ++r) {
      const V x = hn::LoadU(d, keys + r * dim + k);
      square[r] = hn::MulAdd(x, x, square[r]);
    }
  }
  finish_sums(square, keys, dim, keys, dim, k, dim, norms);
}

// kS vectors of the readout stay in registers while the tile's rows are added to them.
template <size_t kS>
HWY_INLINE void readout_strip(const float* HWY_RESTRICT values, size_t rows, size_t stride,
                              const float* HWY_RESTRICT weights, float rescale,
                              float* HWY_RESTRICT accumulator) {
  const D d;
  V acc[kS];
  HWY_UNROLL(16)
  for (size_t s = 0; s < kS; ++s) acc[s] = hn::Zero(d);
  for (size_t j = 0; j < rows; ++j) {
    const V p = hn::Set(d, weights[j]);
    HWY_UNROLL(16)
    for (size_t s = 0; s < kS; ++s) {
      acc[s] = hn::MulAdd(p, hn::LoadU(d, values + j * stride + s * kLanes), acc[s]);
    }
  }
  const V factor = hn::Set(d, rescale);
  HWY_UNROLL(16)
  for (size_t s = 0; s < kS; ++s) {
    float* to = accumulator + s * kLanes;
    hn::StoreU(hn::MulAdd(hn::LoadU(d, to), factor, acc[s]), d, to);
  }
}

}  // namespace row

inline void square_norms(Tile tile, float* out) {
  constexpr size_t kR = 8;
  size_t j = 0;
  for (; j + kR <= tile.rows; j += kR) row::norms_rows<kR>(tile.data + j * tile.dim, tile.dim, out + j);
  for (; j < tile.rows; ++j) row::norms_rows<1>(tile.data + j * tile.dim, tile.dim, out + j);
}

inline bool all_finite(const float* data, size_t count) {
  const row::D d;
  row::V check = hn::Zero(d);
  size_t k = 0;
  for (; k + row::kLanes <= count; k += row::kLanes) {
    check = hn::MulAdd(hn::LoadU(d, data + k), hn::Zero(d), check);
  }
  float rest = 0;
  for (; k < count; ++k) rest += data[k] * 0.0F;
  return hn::AllTrue(d, hn::Eq(check, check)) && rest == 0.0F;
}

inline void row_dots(Tile keys, const float* queries, size_t count, float* dots, float* norms) {
  switch (count) {
    case 1: return row::dots<1>(keys, queries, dots, norms);
    case 2: return row::dots<2>(keys, queries, dots, norms);
    case 3: return row::dots<3>(keys, queries, dots, norms);
    default: return row::dots<4>(keys, queries, dots, norms);
  }
}

inline bool row_scores(float* scores, size_t rows, const float* multiplier, const float* bias, float scale,
                       float* max) {
  const row::D d;
  const row::V factor = hn::Set(d, scale);
  row::V largest = hn::Set(d, *max);
  row::V check = hn::Zero(d);
  size_t j = 0;
  for (; j + row::kLanes <= rows; j += row::kLanes) {
    const row::V dot = hn::LoadU(d, scores + j);
    check = hn::MulAdd(dot, hn::Zero(d), check);
    row::V s = multiplier != nullptr ? hn::Mul(dot, hn::LoadU(d, multiplier + j)) : dot;
    if (bias != nullptr) s = hn::Add(s, hn::LoadU(d, bias + j));
    s = hn::Mul(s, factor);
    hn::StoreU(s, d, scores + j);
    largest = hn::Max(largest, s);
  }
  float top = hn::GetLane(hn::MaxOfLanes(d, largest));
  bool finite = hn::AllTrue(d, hn::Eq(check, check));
  for (; j < rows; ++j) {
    const float dot = scores[j];
    finite = finite && dot * 0.0F == 0.0F;
    scores[j] =
        ((multiplier != nullptr ? dot * multiplier[j] : dot) + (bias != nullptr ? bias[j] : 0.0F)) * scale;
    top = scores[j] > top ? scores[j] : top;
  }
  *max = top;
  return finite;
}

inline float row_exp(float* scores, size_t rows, float max) {
  const row::D d;
  const hn::CappedTag<float, 1> one;
  const row::V m = hn::Set(d, max);
  row::V total = hn::Zero(d);
  size_t j = 0;
  for (; j + row::kLanes <= rows; j += row::kLanes) {
    const row::V p = exp2_nonpositive(d, hn::Sub(hn::LoadU(d, scores + j), m));
    hn::StoreU(p, d, scores + j);
    total = hn::Add(total, p);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, total));
  for (; j < rows; ++j) {
    const auto p = exp2_nonpositive(one, hn::Set(one, scores[j] - max));
    scores[j] = hn::GetLane(p);
    sum += scores[j];
  }
  return sum;
}

inline void row_readout(Tile values, const float* weights, float rescale, float* accumulator) {
  constexpr size_t kStrip = 8;
  size_t k = 0;
  for (; k + kStrip * row::kLanes <= values.dim; k += kStrip * row::kLanes) {
    row::readout_strip<kStrip>(values.data + k, values.rows, values.dim, weights, rescale, accumulator + k);
  }
  for (; k + row::kLanes <= values.dim; k += row::kLanes) {
    row::readout_strip<1>(values.data + k, values.rows, values.dim, weights, rescale, accumulator + k);
  }
  for (; k < values.dim; ++k) {
    float sum = 0;
    for (size_t j = 0; j < values.rows; ++j) sum += weights[j] * values.data[j * values.dim + k];
    accumulator[k] = accumulator[k] * rescale + sum;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace engram::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle guard
