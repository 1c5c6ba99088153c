// What the warps of a block of hopper_fold.cu share: its tiles, and shared memory.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/fold.h"
#include "cuda/hopper_tiles.h"

namespace engram::cuda::hopper {

inline constexpr uint32_t kGroupThreads = 128;  // of a warpgroup
inline constexpr uint32_t kGroups = 3;          // one brings tiles in, two multiply
inline constexpr uint32_t kMultiplying = (kGroups - 1) * kGroupThreads;
inline constexpr uint32_t kTermThreads = 64;  // the last ones of the first warpgroup
inline constexpr uint32_t kFewRegisters = 24;
inline constexpr uint32_t kManyRegisters = 240;

// Matrices of a launch, and its arrays.
struct HopperMaps {
  CUtensorMap queries;
  CUtensorMap keys;
  CUtensorMap values;
};
struct HopperFold {
  Rows rows;
  const float* scale;
  uint32_t queries;
  bool has_terms;  // keys have terms of their own, or items are removed
  SoftmaxPartials out;
};

// Where a ring of slots is.
template <uint32_t kSlots>
struct Place {
  uint32_t slot = 0;
  uint32_t parity = 0;  // of the round

  __device__ void next() {
    if (++slot < kSlots) return;
    slot = 0;
    parity ^= 1;
  }
  __device__ Place before() const {
    return slot > 0 ? Place{slot - 1, parity} : Place{kSlots - 1, parity ^ 1};
  }
};

struct Barriers {
  uint64_t queries;
  uint64_t keys_in[4];
  uint64_t keys_out[4];
  uint64_t values_in[4];
  uint64_t values_out[4];
};

// The tiles of a block.
struct Share {
  uint32_t begin;
  uint32_t end;
};
__device__ __forceinline__ Share share_of(uint32_t tiles) {
  return {static_cast<uint32_t>(uint64_t{tiles} * blockIdx.y / gridDim.y),
          static_cast<uint32_t>(uint64_t{tiles} * (blockIdx.y + 1) / gridDim.y)};
}

// Shared memory as the tiles cut it.
template <typename Tiles>
struct Arena {
  char* base;

  __device__ char* queries() const { return base; }
  __device__ char* keys(uint32_t slot) const { return base + Tiles::kFirstKeys + slot * Tiles::kKeyBytes; }
  __device__ char* values(uint32_t slot) const {
    if constexpr (Tiles::kReadout == HopperReadout::kKeys) return keys(slot);
    return base + Tiles::kFirstValues + slot * Tiles::kValueBytes;
  }
  __device__ Term* terms(uint32_t slot) const {
    return reinterpret_cast<Term*>(base + Tiles::kFirstTerms + slot * Tiles::kTermBytes);
  }
  __device__ Barriers& barriers() const { return *reinterpret_cast<Barriers*>(base + Tiles::kFirstBarrier); }
};

}  // namespace engram::cuda::hopper
