// native/cuda/ptx.h on the simulated device: the same functions, by the definitions of the PTX ISA.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

#include "small_floats.h"
#include "special_functions.h"
#include "warp_matrices.h"

namespace engram::cuda {

inline uint32_t shared_address(const void* pointer) { return simulator::shared_address(pointer); }

inline void copy_async(void* shared, const void* global, uint32_t bytes) {
  simulator::begin_copy(static_cast<std::byte*>(shared), global, bytes);
}
inline void close_copies() { simulator::close_copy_group(); }
template <int kOpen>
inline void wait_for_copies() {
  simulator::wait_for_copy_groups(kOpen);
}

inline void load_matrices(uint32_t (&fragment)[4], const void* row) {
  simulator::MatrixLoad load{row, {}};
  simulator::load_matrices(&load);
  std::memcpy(fragment, load.fragment, sizeof fragment);
}
inline void load_matrices_transposed(uint32_t (&fragment)[4], const void* row) {
  simulator::MatrixLoad load{row, {}};
  simulator::load_matrices_transposed(&load);
  std::memcpy(fragment, load.fragment, sizeof fragment);
}

inline void multiply_bf16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  simulator::MatrixProduct product{d, a, {b0, b1}};
  simulator::multiply_bf16(&product);
}
inline void multiply_f16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  simulator::MatrixProduct product{d, a, {b0, b1}};
  simulator::multiply_f16(&product);
}
inline void multiply_tf32(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  simulator::MatrixProduct product{d, a, {b0, b1}};
  simulator::multiply_tf32(&product);
}

inline uint32_t round_to_tf32(float x) { return simulator::tf32_bits(x); }
inline uint32_t pack_bf16(float low, float high) {
  return uint32_t{simulator::bf16_bits(high)} << 16 | simulator::bf16_bits(low);
}
inline uint32_t pack_f16(float low, float high) {
  return uint32_t{simulator::f16_bits(high)} << 16 | simulator::f16_bits(low);
}
inline float2 unpack_bf16(uint32_t bits) {
  return {simulator::bf16_value(static_cast<uint16_t>(bits)),
          simulator::bf16_value(static_cast<uint16_t>(bits >> 16))};
}
inline float2 unpack_f16(uint32_t bits) {
  return {simulator::f16_value(static_cast<uint16_t>(bits)),
          simulator::f16_value(static_cast<uint16_t>(bits >> 16))};
}

// Subnormal arguments and results are zeros of their sign; other results are off by up to a unit in the last
// place, as the special function unit's are, except where they are exact.
inline float exp2_fast(float x) { return simulator::approximate_exp2(x); }
inline float log2_fast(float x) { return simulator::approximate_log2(x); }

inline uint4 load_once(const void* address) {
  if (reinterpret_cast<uintptr_t>(address) % sizeof(uint4) != 0) {
    simulator::report_defect("a load of 16 bytes from an address off 16 bytes");
  }
  return *static_cast<const uint4*>(address);
}

}  // namespace engram::cuda
