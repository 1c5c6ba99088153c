// The kernels of gibbs_table.h; lanes run over columns.
//
// Included once per target by kernel sources (no usual include guard: see Highway's -inl.h convention).
#if defined(ENGRAM_KERNELS_GIBBS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAM_KERNELS_GIBBS_INL_H_
#undef ENGRAM_KERNELS_GIBBS_INL_H_
#else
#define ENGRAM_KERNELS_GIBBS_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/exp2-inl.h"
#include "kernels/gibbs_table.h"

HWY_BEFORE_NAMESPACE();
namespace engram::kernels {
namespace HWY_NAMESPACE {
namespace gibbs {
namespace hn = hwy::HWY_NAMESPACE;

using D64 = hn::ScalableTag<double>;
using V64 = hn::Vec<D64>;
inline constexpr size_t kLanes64 = hn::MaxLanes(D64());

template <class D, class V>
HWY_INLINE auto sum_of(D d, V v) {
  return hn::GetLane(hn::SumOfLanes(d, v));
}
template <class D, class V>
HWY_INLINE auto max_of(D d, V v) {
  return hn::GetLane(hn::MaxOfLanes(d, v));
}
template <class D, class V>
HWY_INLINE auto min_of(D d, V v) {
  return hn::GetLane(hn::MinOfLanes(d, v));
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Calls apply(v) on all values, the last ones padded with 1.
template <typename Apply>
HWY_INLINE void apply_to_all(size_t count, double* values, const Apply& apply) {
  const D64 d;
  size_t j = 0;
  for (; j + kLanes64 <= count; j += kLanes64) hn::StoreU(apply(hn::LoadU(d, values + j)), d, values + j);
  if (j == count) return;
  double rest[kLanes64];
  std::fill(std::copy(values + j, values + count, rest), rest + kLanes64, 1.0);
  hn::StoreU(apply(hn::LoadU(d, rest)), d, rest);
  std::copy(rest, rest + (count - j), values + j);
}

inline void log2(size_t count, double* values) {
  apply_to_all(count, values, [](V64 x) HWY_ATTR {
    const D64 d;
    return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), hn::Log2(d, x), hn::Set(d, -kInfinity));
  });
}

inline void exp2(size_t count, double* values) {
  apply_to_all(count, values, [](V64 x) HWY_ATTR { return exp2_f64(D64(), x); });
}

// Collects the maxima and sums of rows, and makes row constants of them, many logarithms at a time.
class RowConstants {
 public:
  explicit RowConstants(double* lse) : lse_(lse) {}
  HWY_INLINE void add(double most, double sum) {
    lse_[done_ + held_] = most;
    sums_[held_++] = sum;
    if (held_ == kHeld) flush();
  }
  HWY_INLINE void flush() {
    log2(held_, sums_);
    for (size_t i = 0; i < held_; ++i) lse_[done_ + i] += sums_[i];
    done_ += held_;
    held_ = 0;
  }

 private:
  static constexpr size_t kHeld = 64;
  double* lse_;
  size_t done_ = 0;
  size_t held_ = 0;
  double sums_[kHeld];
};

// Calls work.rows<kR>(first) for all rows, kGibbsRows at a time.
template <typename Work>
HWY_INLINE void for_row_groups(size_t first, size_t end, const Work& work) {
  size_t i = first;
  for (; i + kGibbsRows <= end; i += kGibbsRows) work.template rows<kGibbsRows>(i);
  switch (end - i) {
    case 1: work.template rows<1>(i); break;
    case 2: work.template rows<2>(i); break;
    case 3: work.template rows<3>(i); break;
    default: break;
  }
}

struct CostRows {
  size_t dim;
  size_t stride;
  const double* x;
  const double* y;
  double scale;
  double* cost;
  double* spread;

  // kR rows, kV vectors of columns from column j: every difference is of numbers in registers.
  template <size_t kR, size_t kV>
  HWY_INLINE void tile(size_t i, size_t j, V64 (&least)[kR], V64 (&most)[kR]) const {
    const D64 d;
    V64 sum[kR][kV];
    HWY_UNROLL(4)
    for (size_t r = 0; r < kR; ++r) {
      HWY_UNROLL(2)
      for (size_t v = 0; v < kV; ++v) sum[r][v] = hn::Zero(d);
    }
    for (size_t k = 0; k < dim; ++k) {
      V64 at[kV];
      HWY_UNROLL(2)
      for (size_t v = 0; v < kV; ++v) at[v] = hn::LoadU(d, y + k * stride + j + v * kLanes64);
      HWY_UNROLL(4)
      for (size_t r = 0; r < kR; ++r) {
        const V64 own = hn::Set(d, x[(i + r) * dim + k]);
        HWY_UNROLL(2)
        for (size_t v = 0; v < kV; ++v) {
          const V64 difference = hn::Sub(own, at[v]);
          sum[r][v] = hn::MulAdd(difference, difference, sum[r][v]);
        }
      }
    }
    const V64 factor = hn::Set(d, scale);
    HWY_UNROLL(4)
    for (size_t r = 0; r < kR; ++r) {
      HWY_UNROLL(2)
      for (size_t v = 0; v < kV; ++v) {
        const V64 c = hn::Mul(sum[r][v], factor);
        hn::StoreU(c, d, cost + (i + r) * stride + j + v * kLanes64);
        least[r] = hn::Min(least[r], c);
        most[r] = hn::Max(most[r], c);
      }
    }
  }

  template <size_t kR>
  HWY_INLINE void rows(size_t i) const {
    const D64 d;
    V64 least[kR];
    V64 most[kR];
    for (size_t r = 0; r < kR; ++r) {
      least[r] = hn::Set(d, kInfinity);
      most[r] = hn::Zero(d);
    }
    size_t j = 0;
    for (; j + 2 * kLanes64 <= stride; j += 2 * kLanes64) tile<kR, 2>(i, j, least, most);
    for (; j < stride; j += kLanes64) tile<kR, 1>(i, j, least, most);
    for (size_t r = 0; r < kR; ++r) spread[i + r] = max_of(d, most[r]) - min_of(d, least[r]);
  }
};

inline void costs(PairShape shape, size_t dim, const double* x, const double* y, double scale, double* cost,
                  double* spread) {
  for_row_groups(0, shape.rows, CostRows{dim, shape.stride, x, y, scale, cost, spread});
}

HWY_INLINE V64 exponents(const double* cost, const double* h, V64 rate) {
  const D64 d;
  return hn::NegMulAdd(rate, hn::LoadU(d, cost), hn::LoadU(d, h));
}

HWY_INLINE double row_max(size_t stride, const double* cost, const double* h, V64 rate) {
  const D64 d;
  V64 most = hn::Set(d, -kInfinity);
  for (size_t j = 0; j < stride; j += kLanes64) most = hn::Max(most, exponents(cost + j, h + j, rate));
  return max_of(d, most);
}

inline void row_lse(PairShape shape, const double* cost, const double* h, double rate, double* lse) {
  const D64 d;
  const V64 r = hn::Set(d, rate);
  RowConstants constants(lse);
  for (size_t i = 0; i < shape.rows; ++i) {
    const double* row = cost + i * shape.stride;
    const double most = row_max(shape.stride, row, h, r);
    const V64 shift = hn::Set(d, most);
    V64 sum = hn::Zero(d);
    for (size_t j = 0; j < shape.stride; j += kLanes64) {
      sum = hn::Add(sum, exp2_f64(d, hn::Sub(exponents(row + j, h + j, r), shift)));
    }
    constants.add(most, sum_of(d, sum));
  }
  constants.flush();
}

// As many numbers of type T as there are lanes of Float64.
template <typename T>
using NarrowTag = hn::Rebind<T, D64>;

HWY_INLINE void store_narrow(V64 value, float* to) {
  const NarrowTag<float> d;
  hn::StoreU(hn::DemoteTo(d, value), d, to);
}
HWY_INLINE void store_narrow(V64 value, double* to) { hn::StoreU(value, D64(), to); }

HWY_INLINE V64 load_wide(const float* from) {
  const NarrowTag<float> d;
  return hn::PromoteTo(D64(), hn::LoadU(d, from));
}
HWY_INLINE V64 load_wide(const double* from) { return hn::LoadU(D64(), from); }

// The exponentials go to the kernel before their sum is known, and are scaled in place afterwards: at most a
// row is read twice, from the nearest cache.
template <typename T>
void rows(PairShape shape, const double* cost, const double* h, double rate, T* kernel, double* lse) {
  const D64 d;
  const V64 r = hn::Set(d, rate);
  RowConstants constants(lse);
  for (size_t i = 0; i < shape.rows; ++i) {
    const double* row = cost + i * shape.stride;
    T* out = kernel + i * shape.stride;
    const double most = row_max(shape.stride, row, h, r);
    const V64 shift = hn::Set(d, most);
    V64 sum = hn::Zero(d);
    for (size_t j = 0; j < shape.stride; j += kLanes64) {
      const V64 t = hn::Sub(exponents(row + j, h + j, r), shift);
      V64 e = exp2_f64(d, t);
      // Subnormal numbers would slow the products down, and count for nothing.
      if constexpr (sizeof(T) == 4) e = hn::IfThenElseZero(hn::Ge(t, hn::Set(d, -100.0)), e);
      sum = hn::Add(sum, e);
      store_narrow(e, out + j);
    }
    const double total = sum_of(d, sum);
    const hn::ScalableTag<T> dt;
    const auto factor = hn::Set(dt, static_cast<T>(1 / total));
    for (size_t j = 0; j < shape.stride; j += hn::Lanes(dt)) {
      hn::StoreU(hn::Mul(hn::LoadU(dt, out + j), factor), dt, out + j);
    }
    constants.add(most, total);
  }
  constants.flush();
}

// ---- products ----

template <typename T>
using Tag = hn::ScalableTag<T>;
template <typename T>
using Vector = hn::Vec<Tag<T>>;

// sums[r] = sum of the lanes of v[r].
template <typename T>
HWY_INLINE void sum_lanes(const Vector<T> (&v)[kGibbsRows], T* sums) {
  const Tag<T> d;
#if HWY_TARGET != HWY_SCALAR
  if constexpr (sizeof(T) == 4) {
    // Four sums at once: transpose within blocks of four lanes while adding.
    const hn::Repartition<double, Tag<T>> pairs;
    const auto a = hn::Add(hn::InterleaveLower(d, v[0], v[1]), hn::InterleaveUpper(d, v[0], v[1]));
    const auto b = hn::Add(hn::InterleaveLower(d, v[2], v[3]), hn::InterleaveUpper(d, v[2], v[3]));
    const auto low = hn::InterleaveLower(pairs, hn::BitCast(pairs, a), hn::BitCast(pairs, b));
    const auto high = hn::InterleaveUpper(pairs, hn::BitCast(pairs, a), hn::BitCast(pairs, b));
    const auto blocks = hn::Add(hn::BitCast(d, low), hn::BitCast(d, high));
    const hn::Full128<T> d4;
    if constexpr (hn::MaxLanes(Tag<T>()) == 16) {
      const hn::Half<Tag<T>> half;
      const auto folded = hn::Add(hn::LowerHalf(half, blocks), hn::UpperHalf(half, blocks));
      hn::StoreU(hn::Add(hn::LowerHalf(d4, folded), hn::UpperHalf(d4, folded)), d4, sums);
    } else if constexpr (hn::MaxLanes(Tag<T>()) == 8) {
      hn::StoreU(hn::Add(hn::LowerHalf(d4, blocks), hn::UpperHalf(d4, blocks)), d4, sums);
    } else {
      hn::StoreU(blocks, d, sums);
    }
    return;
  }
#endif
  for (size_t r = 0; r < kGibbsRows; ++r) sums[r] = sum_of(d, v[r]);
}

// products[r] = sum_j K_rj v_j for the `kR` rows from `kernel`.
template <size_t kR, typename T>
HWY_INLINE void dot_rows(size_t stride, const T* HWY_RESTRICT kernel, const T* HWY_RESTRICT v, T* products) {
  const Tag<T> d;
  Vector<T> sum[kGibbsRows];
  HWY_UNROLL(4)
  for (size_t r = 0; r < kGibbsRows; ++r) sum[r] = hn::Zero(d);
  for (size_t j = 0; j < stride; j += hn::Lanes(d)) {
    const Vector<T> at = hn::LoadU(d, v + j);
    HWY_UNROLL(4)
    for (size_t r = 0; r < kR; ++r) sum[r] = hn::MulAdd(hn::LoadU(d, kernel + r * stride + j), at, sum[r]);
  }
  T all[kGibbsRows];
  sum_lanes<T>(sum, all);
  for (size_t r = 0; r < kR; ++r) products[r] = all[r];
}

// sum_j += sum_r w_r K_rj.
template <size_t kR, typename T>
HWY_INLINE void add_rows(size_t stride, const T* HWY_RESTRICT kernel, const T* w, T* HWY_RESTRICT sum) {
  const Tag<T> d;
  Vector<T> factor[kR];
  HWY_UNROLL(4)
  for (size_t r = 0; r < kR; ++r) factor[r] = hn::Set(d, w[r]);
  for (size_t j = 0; j < stride; j += hn::Lanes(d)) {
    Vector<T> total = hn::LoadU(d, sum + j);
    HWY_UNROLL(4)
    for (size_t r = 0; r < kR; ++r) {
      total = hn::MulAdd(factor[r], hn::LoadU(d, kernel + r * stride + j), total);
    }
    hn::StoreU(total, d, sum + j);
  }
}

template <typename T>
struct IterateRows {
  size_t stride;
  const T* kernel;
  const T* a;
  const T* v;
  T* row_scale;
  T* part;

  template <size_t kR>
  HWY_INLINE void rows(size_t i) const {
    T w[kR];
    dot_rows<kR>(stride, kernel + i * stride, v, w);
    for (size_t r = 0; r < kR; ++r) {
      row_scale[i + r] = 1 / w[r];
      w[r] = a[i + r] / w[r];
    }
    add_rows<kR>(stride, kernel + i * stride, w, part);
  }
};

// Column sums are collected in T over so many rows, then in Float64: rounding does not grow with the rows.
inline constexpr size_t kPartRows = 64;

template <typename T>
void iterate(PairShape shape, const T* kernel, const T* a, const T* v, T* row_scale, double* column_sum,
             T* part) {
  const D64 d;
  const IterateRows<T> work{shape.stride, kernel, a, v, row_scale, part};
  for (size_t j = 0; j < shape.stride; ++j) column_sum[j] = 0;
  for (size_t i = 0; i < shape.rows; i += kPartRows) {
    for (size_t j = 0; j < shape.stride; ++j) part[j] = 0;
    for_row_groups(i, std::min(i + kPartRows, shape.rows), work);
    for (size_t j = 0; j < shape.stride; j += kLanes64) {
      hn::StoreU(hn::Add(hn::LoadU(d, column_sum + j), load_wide(part + j)), d, column_sum + j);
    }
  }
}

template <typename T>
ScalingChange scale(size_t stride, const double* b, const double* column_sum, T* v) {
  const D64 d;
  V64 residual = hn::Zero(d);
  V64 least = hn::Set(d, kInfinity);
  V64 most = hn::Zero(d);
  for (size_t j = 0; j < stride; j += kLanes64) {
    const V64 mass = hn::LoadU(d, b + j);
    const V64 sum = hn::LoadU(d, column_sum + j);
    const auto used = hn::Gt(mass, hn::Zero(d));
    residual = hn::Add(residual, hn::Abs(hn::Sub(hn::Mul(load_wide(v + j), sum), mass)));
    const V64 next = hn::IfThenElseZero(used, hn::Div(mass, sum));
    least = hn::IfThenElse(used, hn::Min(least, next), least);
    most = hn::Max(most, next);
    store_narrow(next, v + j);
  }
  return {sum_of(d, residual), min_of(d, least), max_of(d, most)};
}

template <typename T>
struct ProductRows {
  size_t stride;
  const T* kernel;
  const T* v;
  T* product;

  template <size_t kR>
  HWY_INLINE void rows(size_t i) const {
    dot_rows<kR>(stride, kernel + i * stride, v, product + i);
  }
};

template <typename T>
double symmetric(PairShape shape, const T* kernel, const T* a, const T* s, T* v, T* product) {
  for_row_groups(0, shape.rows, ProductRows<T>{shape.stride, kernel, v, product});
  double residual = 0;
  for (size_t i = 0; i < shape.rows; ++i) {
    const T excess = product[i] * s[i];
    residual += static_cast<double>(a[i]) * std::abs(static_cast<double>(v[i] * excess) - 1);
    v[i] = a[i] > 0 ? std::sqrt(v[i] / excess) : T{0};
  }
  return residual;
}

struct AddRows {
  size_t stride;
  const double* kernel;
  const double* w;
  double* sum;

  template <size_t kR>
  HWY_INLINE void rows(size_t i) const {
    add_rows<kR>(stride, kernel + i * stride, w + i, sum);
  }
};

inline void add_columns(PairShape shape, const double* kernel, const double* w, double* column_sum) {
  for_row_groups(0, shape.rows, AddRows{shape.stride, kernel, w, column_sum});
}

// Register tile of combinations: kCombined of them x 2 vectors of columns.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr size_t kCombined = 12;  // 32 registers
#else
inline constexpr size_t kCombined = 6;  // 16 registers
#endif

struct Combinations {
  PairShape shape;
  size_t count;
  const double* rows;
  const double* w;
  double* out;

  // Combinations [k, k + kC), columns [j, j + 2 vectors).
  template <size_t kC>
  HWY_INLINE void add(size_t k, size_t j) const {
    const D64 d;
    V64 sum[kC][2];
    HWY_UNROLL(16)
    for (size_t c = 0; c < kC; ++c) sum[c][0] = sum[c][1] = hn::Zero(d);
    for (size_t i = 0; i < shape.rows; ++i) {
      const V64 x0 = hn::LoadU(d, rows + i * shape.stride + j);
      const V64 x1 = hn::LoadU(d, rows + i * shape.stride + j + kLanes64);
      HWY_UNROLL(16)
      for (size_t c = 0; c < kC; ++c) {
        const V64 weight = hn::Set(d, w[i * count + k + c]);
        sum[c][0] = hn::MulAdd(weight, x0, sum[c][0]);
        sum[c][1] = hn::MulAdd(weight, x1, sum[c][1]);
      }
    }
    HWY_UNROLL(16)
    for (size_t c = 0; c < kC; ++c) {
      double* const to = out + (k + c) * shape.stride + j;
      hn::StoreU(hn::Add(hn::LoadU(d, to), sum[c][0]), d, to);
      hn::StoreU(hn::Add(hn::LoadU(d, to + kLanes64), sum[c][1]), d, to + kLanes64);
    }
  }

  template <size_t kC>
  HWY_INLINE void add_rest(size_t rest, size_t k, size_t j) const {
    if constexpr (kC > 0) {
      if (rest == kC) {
        add<kC>(k, j);
      } else {
        add_rest<kC - 1>(rest, k, j);
      }
    }
  }
};

inline void add_combinations(PairShape shape, size_t count, const double* kernel, const double* w,
                             double* out) {
  const Combinations combinations{shape, count, kernel, w, out};
  for (size_t j = 0; j < shape.stride; j += 2 * kLanes64) {
    size_t k = 0;
    for (; k + kCombined <= count; k += kCombined) combinations.add<kCombined>(k, j);
    combinations.add_rest<kCombined - 1>(count - k, k, j);
  }
}

struct MeanRows {
  size_t stride;
  size_t dim;
  const double* kernel;
  const double* y;
  double* means;

  template <size_t kR>
  HWY_INLINE void rows(size_t i) const {
    for (size_t k = 0; k < dim; ++k) {
      double mean[kR];
      dot_rows<kR>(stride, kernel + i * stride, y + k * stride, mean);
      for (size_t r = 0; r < kR; ++r) means[(i + r) * dim + k] = mean[r];
    }
  }
};

inline void means(PairShape shape, size_t dim, const double* kernel, const double* y, double* out) {
  for_row_groups(0, shape.rows, MeanRows{shape.stride, dim, kernel, y, out});
}

// kR rows of the Gram matrix, one vector of columns.
template <size_t kR>
HWY_INLINE void gram_tile(PairShape shape, const double* kernel, const double* w, size_t j, size_t k,
                          double* gram) {
  const D64 d;
  V64 sum[kR];
  HWY_UNROLL(4)
  for (size_t r = 0; r < kR; ++r) sum[r] = hn::Zero(d);
  for (size_t i = 0; i < shape.rows; ++i) {
    const double* row = kernel + i * shape.stride;
    const V64 right = hn::Mul(hn::LoadU(d, row + k), hn::Set(d, w[i]));
    HWY_UNROLL(4)
    for (size_t r = 0; r < kR; ++r) sum[r] = hn::MulAdd(hn::Set(d, row[j + r]), right, sum[r]);
  }
  HWY_UNROLL(4)
  for (size_t r = 0; r < kR; ++r) hn::StoreU(sum[r], d, gram + (j + r) * shape.stride + k);
}

struct GramRows {
  PairShape shape;
  const double* kernel;
  const double* w;
  double* gram;

  template <size_t kR>
  HWY_INLINE void rows(size_t j) const {
    for (size_t k = 0; k < j + kR; k += kLanes64) gram_tile<kR>(shape, kernel, w, j, k, gram);
  }
};

inline void gram(PairShape shape, size_t columns, const double* kernel, const double* w, double* out) {
  for_row_groups(0, columns, GramRows{shape, kernel, w, out});
}

inline double weighted_dot(size_t count, const double* w, const double* x, const double* y) {
  const D64 d;
  V64 even = hn::Zero(d);
  V64 odd = hn::Zero(d);
  for (size_t j = 0; j < count; j += 2 * kLanes64) {
    const size_t k = j + kLanes64;
    even = hn::MulAdd(hn::Mul(hn::LoadU(d, w + j), hn::LoadU(d, x + j)), hn::LoadU(d, y + j), even);
    odd = hn::MulAdd(hn::Mul(hn::LoadU(d, w + k), hn::LoadU(d, x + k)), hn::LoadU(d, y + k), odd);
  }
  return sum_of(d, hn::Add(even, odd));
}

template <typename T>
constexpr GibbsProducts<T> products() {
  return {.rows = rows<T>, .iterate = iterate<T>, .scale = scale<T>, .symmetric = symmetric<T>};
}

constexpr GibbsTable kTable = {
    .costs = costs,
    .row_lse = row_lse,
    .f32 = products<float>(),
    .f64 = products<double>(),
    .add_columns = add_columns,
    .add_combinations = add_combinations,
    .means = means,
    .gram = gram,
    .weighted_dot = weighted_dot,
    .log2 = log2,
    .exp2 = exp2,
};

}  // namespace gibbs
}  // namespace HWY_NAMESPACE
}  // namespace engram::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle guard
