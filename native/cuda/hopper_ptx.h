// Instructions of Hopper (sm_90a): barriers in shared memory, bulk tensor copies, products of warpgroups.
//
// Tiles in shared memory are blocks of rows of 128 bytes (64 elements of 16 bits), at a multiple of 1024
// bytes, whose 16-byte pieces are permuted within each row by xor with row % 8 ("128-byte swizzle"): the
// copies write them so, the products read them so.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/ptx.h"

namespace engram::cuda {

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
inline constexpr bool kHasHopper = true;
#else
inline constexpr bool kHasHopper = false;  // kernels that use what follows are empty
#endif

// ---- barriers: a phase ends when `arrivals` threads have arrived and all bytes expected in it have come
// ----

__device__ inline void begin_barrier(uint64_t* barrier, uint32_t arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;\n" ::"r"(shared_address(barrier)), "r"(arrivals)
               : "memory");
}
// Makes new barriers known to the copy engine; then a __syncthreads() makes them known to all threads.
__device__ inline void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;\n" ::: "memory");
}
__device__ inline void arrive(uint64_t* barrier) {
  asm volatile(
      "{.reg .b64 state;\n mbarrier.arrive.shared::cta.b64 state, [%0];}\n" ::"r"(shared_address(barrier))
      : "memory");
}
// Arrives, and the phase waits for so many bytes more.
__device__ inline void arrive_expecting(uint64_t* barrier, uint32_t bytes) {
  asm volatile("{.reg .b64 state;\n mbarrier.arrive.expect_tx.shared::cta.b64 state, [%0], %1;}\n" ::"r"(
                   shared_address(barrier)),
               "r"(bytes)
               : "memory");
}
// Waits for the end of a phase; parity is 0 for the first, third, ... phase of the barrier.
__device__ inline void await(uint64_t* barrier, uint32_t parity) {
  asm volatile(
      "{.reg .pred done;\n"
      "again:\n mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n @!done bra again;}\n" ::"r"(
          shared_address(barrier)),
      "r"(parity)
      : "memory");
}

// ---- copies ----

// Copies the box of the map whose first element is (row, column) to shared memory; elements outside the
// matrix are zeros. Its bytes count for the barrier's phase.
__device__ inline void copy_box(void* shared, const CUtensorMap* map, int32_t column, int32_t row,
                                uint64_t* barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], "
      "[%4];\n" ::"r"(shared_address(shared)),
      "l"(map), "r"(column), "r"(row), "r"(shared_address(barrier))
      : "memory");
}

// ---- roles ----

// Barriers by number (1 to 15), for some of the warps: `threads` in all come to one. meet() waits for the
// others, let_pass() does not.
__device__ inline void meet(uint32_t barrier, uint32_t threads) {
  asm volatile("bar.sync %0, %1;\n" ::"r"(barrier), "r"(threads) : "memory");
}
__device__ inline void let_pass(uint32_t barrier, uint32_t threads) {
  asm volatile("bar.arrive %0, %1;\n" ::"r"(barrier), "r"(threads) : "memory");
}

// Gives registers of this warpgroup back, or takes them; called by all its threads.
template <uint32_t kRegisters>
__device__ inline void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;\n" ::"n"(kRegisters));
}
template <uint32_t kRegisters>
__device__ inline void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;\n" ::"n"(kRegisters));
}

// ---- products of a warpgroup: begun together, executed in the background ----

// Before the first product, and whenever registers of one were written since.
__device__ inline void fence_products() { asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory"); }
// Closes the group of products begun since the last close.
__device__ inline void close_products() { asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory"); }
// Waits until at most kOpen of the newest groups are under way.
template <int kOpen>
__device__ inline void wait_for_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(kOpen) : "memory");
}

// Names an operand in shared memory. `tile` lies at a multiple of 1024 bytes, or a whole number of steps of k
// behind such a place: 32 bytes for rows of k, 16 rows (2048 bytes) for columns of k. block_bytes: from one
// block of 64 columns to the next; of no effect for rows of k, of which a product reads 16 only.
__device__ inline uint64_t operand(const void* tile, uint32_t block_bytes) {
  constexpr uint64_t kEightRows = 1024 >> 4;
  constexpr uint64_t kSwizzle128 = 1;
  return static_cast<uint64_t>(shared_address(tile) >> 4 & 0x3FFF) |
         static_cast<uint64_t>(block_bytes >> 4) << 16 | kEightRows << 32 | kSwizzle128 << 62;
}

// The operand `bytes` behind this one.
__device__ inline uint64_t further(uint64_t operand, uint32_t bytes) { return operand + (bytes >> 4); }

// The compiler neither reads nor writes these registers across this: products do.
template <uint32_t kCount>
__device__ inline void hold(float (&registers)[kCount]) {
#pragma unroll
  for (uint32_t i = 0; i < kCount; ++i) asm volatile("" : "+f"(registers[i])::"memory");
}
template <uint32_t kCount>
__device__ inline void hold(uint32_t (&registers)[kCount][4]) {
#pragma unroll
  for (uint32_t i = 0; i < kCount; ++i) {
#pragma unroll
    for (uint32_t j = 0; j < 4; ++j) asm volatile("" : "+r"(registers[i][j])::"memory");
  }
}

// Accumulators of 64 x n: warp w of the warpgroup has rows 16w to 16w + 15; its lanes hold d[4i] to d[4i + 3]
// as of m16n8 (ptx.h) for columns 8i to 8i + 7.

// Names of the first registers of an instruction, and the accumulators they stand for.
// clang-format off
#define ENGRAM_REGISTERS_32 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15" \
  ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define ENGRAM_REGISTERS_40 ENGRAM_REGISTERS_32 \
  ", %32, %33, %34, %35, %36, %37, %38, %39"
#define ENGRAM_REGISTERS_64 ENGRAM_REGISTERS_40 \
  ", %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55" \
  ", %56, %57, %58, %59, %60, %61, %62, %63"
#define ENGRAM_REGISTERS_88 ENGRAM_REGISTERS_64 \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79" \
  ", %80, %81, %82, %83, %84, %85, %86, %87"
#define ENGRAM_REGISTERS_128 ENGRAM_REGISTERS_88 \
  ", %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, %98, %99, %100, %101, %102, %103" \
  ", %104, %105, %106, %107, %108, %109, %110, %111, %112, %113, %114, %115, %116, %117, %118, %119" \
  ", %120, %121, %122, %123, %124, %125, %126, %127"
#define ENGRAM_SUMS_8(i) \
  "+f"(d[(i)]), "+f"(d[(i) + 1]), "+f"(d[(i) + 2]), "+f"(d[(i) + 3]), \
  "+f"(d[(i) + 4]), "+f"(d[(i) + 5]), "+f"(d[(i) + 6]), "+f"(d[(i) + 7])
#define ENGRAM_SUMS_32 ENGRAM_SUMS_8(0), ENGRAM_SUMS_8(8), ENGRAM_SUMS_8(16), ENGRAM_SUMS_8(24)
#define ENGRAM_SUMS_40 ENGRAM_SUMS_32, ENGRAM_SUMS_8(32)
#define ENGRAM_SUMS_64 ENGRAM_SUMS_40, ENGRAM_SUMS_8(40), ENGRAM_SUMS_8(48), ENGRAM_SUMS_8(56)
#define ENGRAM_SUMS_88 ENGRAM_SUMS_64, ENGRAM_SUMS_8(64), ENGRAM_SUMS_8(72), ENGRAM_SUMS_8(80)
#define ENGRAM_SUMS_128 ENGRAM_SUMS_88, ENGRAM_SUMS_8(88), ENGRAM_SUMS_8(96), ENGRAM_SUMS_8(104), \
  ENGRAM_SUMS_8(112), ENGRAM_SUMS_8(120)
// clang-format on

// d (+)= a b for 64 x 80, 128 or 176: both operands in shared memory, rows of k; accumulate 0 overwrites d.
// In the macros: columns, half as many registers, type, and the numbers of the operands behind those
// registers.
#define ENGRAM_MULTIPLY_SHARED(columns, count, type, a_number, b_number, add_number)                        \
  asm volatile(                                                                                             \
      "{.reg .pred add;\n"                                                                                  \
      "setp.ne.b32 add, %" #add_number                                                                      \
      ", 0;\n"                                                                                              \
      "wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32." #type "." #type " {" ENGRAM_REGISTERS_##count \
      "}, %" #a_number ", %" #b_number ", add, 1, 1, 0, 0;}\n"                                              \
      : ENGRAM_SUMS_##count                                                                                 \
      : "l"(a), "l"(b), "r"(accumulate))

template <bool kBfloat16, uint32_t kCount>
__device__ inline void multiply_shared(float (&d)[kCount], uint64_t a, uint64_t b, int accumulate) {
  static_assert(kCount == 40 || kCount == 64 || kCount == 88);
  if constexpr (kCount == 40 && !kBfloat16) ENGRAM_MULTIPLY_SHARED(80, 40, f16, 40, 41, 42);
  if constexpr (kCount == 40 && kBfloat16) ENGRAM_MULTIPLY_SHARED(80, 40, bf16, 40, 41, 42);
  if constexpr (kCount == 64 && !kBfloat16) ENGRAM_MULTIPLY_SHARED(128, 64, f16, 64, 65, 66);
  if constexpr (kCount == 64 && kBfloat16) ENGRAM_MULTIPLY_SHARED(128, 64, bf16, 64, 65, 66);
  if constexpr (kCount == 88 && !kBfloat16) ENGRAM_MULTIPLY_SHARED(176, 88, f16, 88, 89, 90);
  if constexpr (kCount == 88 && kBfloat16) ENGRAM_MULTIPLY_SHARED(176, 88, bf16, 88, 89, 90);
}

// d += a b for 64 x 64, 128 or 256: a in registers (as of m16n8k16, a warp's 16 rows), b in shared memory
// with rows of columns of d.
#define ENGRAM_MULTIPLY_REGISTERS(columns, count, type, a0, a1, a2, a3, b_number)                           \
  asm volatile(                                                                                             \
      "{.reg .pred add;\n"                                                                                  \
      "setp.eq.u32 add, 0, 0;\n"                                                                            \
      "wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32." #type "." #type " {" ENGRAM_REGISTERS_##count \
      "}, {%" #a0 ", %" #a1 ", %" #a2 ", %" #a3 "}, %" #b_number ", add, 1, 1, 1;}\n"                       \
      : ENGRAM_SUMS_##count                                                                                 \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))

template <bool kBfloat16, uint32_t kCount>
__device__ inline void multiply_registers(float (&d)[kCount], const uint32_t (&a)[4], uint64_t b) {
  static_assert(kCount == 32 || kCount == 64 || kCount == 128);
  if constexpr (kCount == 32 && !kBfloat16) ENGRAM_MULTIPLY_REGISTERS(64, 32, f16, 32, 33, 34, 35, 36);
  if constexpr (kCount == 32 && kBfloat16) ENGRAM_MULTIPLY_REGISTERS(64, 32, bf16, 32, 33, 34, 35, 36);
  if constexpr (kCount == 64 && !kBfloat16) ENGRAM_MULTIPLY_REGISTERS(128, 64, f16, 64, 65, 66, 67, 68);
  if constexpr (kCount == 64 && kBfloat16) ENGRAM_MULTIPLY_REGISTERS(128, 64, bf16, 64, 65, 66, 67, 68);
  if constexpr (kCount == 128 && !kBfloat16)
    ENGRAM_MULTIPLY_REGISTERS(256, 128, f16, 128, 129, 130, 131, 132);
  if constexpr (kCount == 128 && kBfloat16)
    ENGRAM_MULTIPLY_REGISTERS(256, 128, bf16, 128, 129, 130, 131, 132);
}

#undef ENGRAM_MULTIPLY_SHARED
#undef ENGRAM_MULTIPLY_REGISTERS

}  // namespace engram::cuda
