// native/cuda/hopper_ptx.h on the simulated device: the same functions, by the definitions of the PTX ISA.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "../bulk_copies.h"
#include "../warpgroup.h"
#include "cuda/ptx.h"

namespace engram::cuda {

inline constexpr bool kHasHopper = true;

inline void begin_barrier(uint64_t* barrier, uint32_t arrivals) {
  simulator::init_shared_barrier(barrier, arrivals);
}
inline void publish_barriers() { simulator::publish_shared_barriers(); }
inline void arrive(uint64_t* barrier) { simulator::arrive_at_shared_barrier(barrier, 0); }
inline void arrive_expecting(uint64_t* barrier, uint32_t bytes) {
  simulator::arrive_at_shared_barrier(barrier, bytes);
}
inline void await(uint64_t* barrier, uint32_t parity) { simulator::wait_at_shared_barrier(barrier, parity); }

inline void copy_box(void* shared, const CUtensorMap* map, int32_t column, int32_t row, uint64_t* barrier) {
  simulator::begin_box_copy(shared, map, column, row, barrier);
}

inline void meet(uint32_t barrier, uint32_t threads) { simulator::wait_at_barrier(barrier, threads, false); }
inline void let_pass(uint32_t barrier, uint32_t threads) { simulator::arrive_at_barrier(barrier, threads); }

template <uint32_t kRegisters>
inline void give_registers() {
  simulator::set_registers(kRegisters, false);
}
template <uint32_t kRegisters>
inline void take_registers() {
  simulator::set_registers(kRegisters, true);
}

inline void fence_products() { simulator::fence_warpgroup_products(); }
inline void close_products() { simulator::close_product_group(); }
template <int kOpen>
inline void wait_for_products() {
  simulator::wait_for_product_groups(kOpen);
}

inline uint64_t operand(const void* tile, uint32_t block_bytes) {
  constexpr uint64_t kEightRows = 1024 >> 4;
  constexpr uint64_t kSwizzle128 = 1;
  return static_cast<uint64_t>(shared_address(tile) >> 4 & 0x3FFF) |
         static_cast<uint64_t>(block_bytes >> 4) << 16 | kEightRows << 32 | kSwizzle128 << 62;
}

inline uint64_t further(uint64_t operand, uint32_t bytes) { return operand + (bytes >> 4); }

// Compilers of the host keep registers as they are told.
template <uint32_t kCount>
inline void hold(float (&)[kCount]) {}
template <uint32_t kCount>
inline void hold(uint32_t (&)[kCount][4]) {}

template <bool kBfloat16, uint32_t kCount>
inline void multiply_shared(float (&d)[kCount], uint64_t a, uint64_t b, int accumulate) {
  static_assert(kCount == 40 || kCount == 64 || kCount == 88);
  simulator::begin_product(
      {.d = d,
       .count = kCount,
       .element = kBfloat16 ? simulator::TileElement::kBfloat16 : simulator::TileElement::kFloat16,
       .add = accumulate != 0,
       .a_registers = nullptr,
       .a = a,
       .b = b,
       .b_down_rows = false});
}

template <bool kBfloat16, uint32_t kCount>
inline void multiply_registers(float (&d)[kCount], const uint32_t (&a)[4], uint64_t b) {
  static_assert(kCount == 32 || kCount == 64 || kCount == 128);
  simulator::begin_product(
      {.d = d,
       .count = kCount,
       .element = kBfloat16 ? simulator::TileElement::kBfloat16 : simulator::TileElement::kFloat16,
       .add = true,
       .a_registers = a,
       .a = 0,
       .b = b,
       .b_down_rows = true});
}

}  // namespace engram::cuda
