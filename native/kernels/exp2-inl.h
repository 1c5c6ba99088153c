// 2^x per lane, for x <= 0: the weights of every softmax fold.
//
// Included once per target by kernel sources (no usual include guard: see Highway's -inl.h convention).
#if defined(ENGRAM_KERNELS_EXP2_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAM_KERNELS_EXP2_INL_H_
#undef ENGRAM_KERNELS_EXP2_INL_H_
#else
#define ENGRAM_KERNELS_EXP2_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace engram::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// 2^x for x in [-inf, 0]; relative error <= 1.3e-7, exactly 1 at 0, exactly 0 below -126 (where Float32
// would be subnormal: the answer must not depend on the flush-to-zero mode). x = n + f with |f| <= 1/2;
// 2^f is the minimax polynomial of degree 6 for the relative error (1.9e-9 before rounding), 2^n is
// added to the exponent bits.
template <class D, class V>
HWY_INLINE V exp2_nonpositive(D d, V x) {
  const hn::RebindToSigned<D> di;
  const auto lowest = hn::Set(d, -126.0F);
  const auto clamped = hn::Max(x, lowest);
  const auto n = hn::Round(clamped);
  const auto f = hn::Sub(clamped, n);
  auto p = hn::Set(d, 1.53458120e-4F);
  p = hn::MulAdd(p, f, hn::Set(d, 1.33999312e-3F));
  p = hn::MulAdd(p, f, hn::Set(d, 9.61848896e-3F));
  p = hn::MulAdd(p, f, hn::Set(d, 5.55032878e-2F));
  p = hn::MulAdd(p, f, hn::Set(d, 2.40226469e-1F));
  p = hn::MulAdd(p, f, hn::Set(d, 6.93147206e-1F));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0F));
  const auto exponent = hn::ShiftLeft<23>(hn::ConvertTo(di, n));
  const auto scaled = hn::BitCast(d, hn::Add(hn::BitCast(di, p), exponent));
  return hn::IfThenElseZero(hn::Ge(x, lowest), scaled);
}

// The same in Float64, and for x up to 1000: relative error <= 3e-16, exactly 0 below -1022. The polynomial
// is the Taylor series of 2^f to degree 13, whose rest at |f| = 1/2 is 4e-18.
template <class D, class V>
HWY_INLINE V exp2_f64(D d, V x) {
  const hn::RebindToSigned<D> di;
  const auto lowest = hn::Set(d, -1022.0);
  const auto clamped = hn::Max(x, lowest);
  const auto n = hn::Round(clamped);
  const auto f = hn::Sub(clamped, n);
  auto p = hn::Set(d, 1.3691488853904128e-12);
  p = hn::MulAdd(p, f, hn::Set(d, 2.5678435993488206e-11));
  p = hn::MulAdd(p, f, hn::Set(d, 4.4455382718708116e-10));
  p = hn::MulAdd(p, f, hn::Set(d, 7.0549116208011233e-9));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0178086009239700e-7));
  p = hn::MulAdd(p, f, hn::Set(d, 1.3215486790144309e-6));
  p = hn::MulAdd(p, f, hn::Set(d, 1.5252733804059841e-5));
  p = hn::MulAdd(p, f, hn::Set(d, 1.5403530393381610e-4));
  p = hn::MulAdd(p, f, hn::Set(d, 1.3333558146428443e-3));
  p = hn::MulAdd(p, f, hn::Set(d, 9.6181291076284772e-3));
  p = hn::MulAdd(p, f, hn::Set(d, 5.5504108664821580e-2));
  p = hn::MulAdd(p, f, hn::Set(d, 2.4022650695910072e-1));
  p = hn::MulAdd(p, f, hn::Set(d, 6.9314718055994531e-1));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0));
  const auto exponent = hn::ShiftLeft<52>(hn::ConvertTo(di, n));
  const auto scaled = hn::BitCast(d, hn::Add(hn::BitCast(di, p), exponent));
  return hn::IfThenElseZero(hn::Ge(x, lowest), scaled);
}

}  // namespace HWY_NAMESPACE
}  // namespace engram::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle guard
