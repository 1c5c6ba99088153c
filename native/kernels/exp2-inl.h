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
  const V lowest = hn::Set(d, -126.0F);
  const V clamped = hn::Max(x, lowest);
  const V n = hn::Round(clamped);
  const V f = hn::Sub(clamped, n);
  V p = hn::Set(d, 1.53458120e-4F);
  p = hn::MulAdd(p, f, hn::Set(d, 1.33999312e-3F));
  p = hn::MulAdd(p, f, hn::Set(d, 9.61848896e-3F));
  p = hn::MulAdd(p, f, hn::Set(d, 5.55032878e-2F));
  p = hn::MulAdd(p, f, hn::Set(d, 2.40226469e-1F));
  p = hn::MulAdd(p, f, hn::Set(d, 6.93147206e-1F));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0F));
  const auto exponent = hn::ShiftLeft<23>(hn::ConvertTo(di, n));
  const V scaled = hn::BitCast(d, hn::Add(hn::BitCast(di, p), exponent));
  return hn::IfThenElseZero(hn::Ge(x, lowest), scaled);
}

}  // namespace HWY_NAMESPACE
}  // namespace engram::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle guard
