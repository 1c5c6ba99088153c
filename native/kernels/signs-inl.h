// Kernels on signs of one bit each. Contracts in kernel_table.h.
#if defined(ENGRAM_KERNELS_SIGNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ENGRAM_KERNELS_SIGNS_INL_H_
#undef ENGRAM_KERNELS_SIGNS_INL_H_
#else
#define ENGRAM_KERNELS_SIGNS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/kernel_table.h"

HWY_BEFORE_NAMESPACE();
namespace engram::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline bool sign_bits(const float* x, size_t count, uint64_t* bits) {
  using D = hn::ScalableTag<float>;
  const D d;
  const hn::RebindToUnsigned<D> du;
  constexpr size_t kLanes = hn::MaxLanes(D());
  const auto one = hn::Set(d, 1.0F);
  auto strange = hn::Zero(d);  // bits in which a magnitude differs from that of 1
  bool rest_is_good = true;
  for (size_t first = 0; first < count; first += 64) {
    const size_t here = std::min<size_t>(64, count - first);
    uint64_t word = 0;
    size_t k = 0;
    for (; k + kLanes <= here; k += kLanes) {
      const auto v = hn::LoadU(d, x + first + k);
      strange = hn::Or(strange, hn::Xor(hn::Abs(v), one));
      uint64_t some = 0;
      uint8_t bytes[8] = {};
      hn::StoreMaskBits(d, hn::Gt(v, hn::Zero(d)), bytes);
      std::memcpy(&some, bytes, sizeof(some));
      word |= some << k;
    }
    for (; k < here; ++k) {
      const float v = x[first + k];
      rest_is_good = rest_is_good && std::abs(v) == 1.0F;
      word |= uint64_t{v > 0} << k;
    }
    bits[first / 64] = word;
  }
  return rest_is_good && hn::AllTrue(du, hn::Eq(hn::BitCast(du, strange), hn::Zero(du)));
}

#if HWY_TARGET == HWY_SCALAR

inline void sign_differences(const uint64_t* a, const uint64_t* b, size_t lines, uint64_t* differences) {
  for (size_t line = 0; line < lines; ++line) {
    for (size_t i = 0; i < kSignPanel; ++i) {
      for (size_t j = 0; j < kSignPanel; ++j) {
        differences[i * kSignPanel + j] +=
            static_cast<uint64_t>(std::popcount(a[line * kSignPanel + i] ^ b[line * kSignPanel + j]));
      }
    }
  }
}

#else

namespace signs {

using D8 = hn::ScalableTag<uint8_t>;
using D64 = hn::ScalableTag<uint64_t>;
inline constexpr size_t kLanes = hn::MaxLanes(D64());
inline constexpr size_t kMostLines = 31;  // whose bits a byte can count, 8 in each

// Register tile: kRows words of a, broadcast, against kVectors vectors of words of b.
inline constexpr size_t kRows = 4;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr size_t kVectors = 2;  // 32 registers
#else
inline constexpr size_t kVectors = 1;  // 16 registers
#endif

HWY_INLINE void add_differences(const uint64_t* HWY_RESTRICT a, const uint64_t* HWY_RESTRICT b, size_t lines,
                                uint64_t* HWY_RESTRICT out) {
  const D8 d8;
  const D64 d64;
  hn::Vec<D64> total[kRows][kVectors];
  HWY_UNROLL(8)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (size_t v = 0; v < kVectors; ++v) total[r][v] = hn::LoadU(d64, out + r * kSignPanel + v * kLanes);
  }
  for (size_t first = 0; first < lines; first += kMostLines) {
    const size_t end = std::min(lines, first + kMostLines);
    hn::Vec<D8> count[kRows][kVectors];
    HWY_UNROLL(8)
    for (size_t r = 0; r < kRows; ++r) {
      HWY_UNROLL(8)
      for (size_t v = 0; v < kVectors; ++v) count[r][v] = hn::Zero(d8);
    }
    for (size_t line = first; line < end; ++line) {
      HWY_UNROLL(8)
      for (size_t v = 0; v < kVectors; ++v) {
        const auto y = hn::LoadU(d64, b + line * kSignPanel + v * kLanes);
        HWY_UNROLL(8)
        for (size_t r = 0; r < kRows; ++r) {
          const auto different = hn::Xor(y, hn::Set(d64, a[line * kSignPanel + r]));
          count[r][v] = hn::Add(count[r][v], hn::PopulationCount(hn::BitCast(d8, different)));
        }
      }
    }
    HWY_UNROLL(8)
    for (size_t r = 0; r < kRows; ++r) {
      HWY_UNROLL(8)
      for (size_t v = 0; v < kVectors; ++v) total[r][v] = hn::Add(total[r][v], hn::SumsOf8(count[r][v]));
    }
  }
  HWY_UNROLL(8)
  for (size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(8)
    for (size_t v = 0; v < kVectors; ++v) hn::StoreU(total[r][v], d64, out + r * kSignPanel + v * kLanes);
  }
}

}  // namespace signs

inline void sign_differences(const uint64_t* a, const uint64_t* b, size_t lines, uint64_t* differences) {
  for (size_t i = 0; i < kSignPanel; i += signs::kRows) {
    for (size_t j = 0; j < kSignPanel; j += signs::kVectors * signs::kLanes)
      signs::add_differences(a + i, b + j, lines, differences + i * kSignPanel + j);
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace engram::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle guard
