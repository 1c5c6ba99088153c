// The warpgroup of hopper_fold.cu that brings tiles in.
#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/fold.h"
#include "cuda/hopper_block.h"
#include "cuda/hopper_ptx.h"
#include "cuda/hopper_tiles.h"

namespace engram::cuda::hopper {

template <uint32_t kBoxes, uint32_t kBoxBytes>
__device__ void copy_boxes(char* to, const CUtensorMap* map, uint32_t row, uint64_t* barrier) {
  arrive_expecting(barrier, kBoxes * kBoxBytes);
#pragma unroll
  for (uint32_t box = 0; box < kBoxes; ++box) {
    copy_box(to + box * kBoxBytes, map, static_cast<int32_t>(box * kHopperBoxColumns),
             static_cast<int32_t>(row), barrier);
  }
}

// One thread: the keys of each tile as slots come free.
template <typename Tiles>
__device__ void bring_keys(const CUtensorMap& map, const Arena<Tiles>& arena, const Share& share) {
  Barriers& barriers = arena.barriers();
  Place<Tiles::kKeySlots> place;
#pragma unroll 1
  for (uint32_t tile = share.begin; tile < share.end; ++tile) {
    await(&barriers.keys_out[place.slot], place.parity ^ 1);
    copy_boxes<Tiles::kKeyBoxes, Tiles::kBoxBytes>(arena.keys(place.slot), &map, tile * Tiles::kRows,
                                                   &barriers.keys_in[place.slot]);
    place.next();
  }
}

// One thread: likewise, separate values.
template <typename Tiles>
__device__ void bring_values(const CUtensorMap& map, const Arena<Tiles>& arena, const Share& share) {
  Barriers& barriers = arena.barriers();
  Place<Tiles::kKeySlots> place;
#pragma unroll 1
  for (uint32_t tile = share.begin; tile < share.end; ++tile) {
    await(&barriers.values_out[place.slot], place.parity ^ 1);
    copy_boxes<Tiles::kValueBoxes, Tiles::kBoxBytes>(arena.values(place.slot), &map, tile * Tiles::kRows,
                                                     &barriers.values_in[place.slot]);
    place.next();
  }
}

// Of a key of that |x|^2; as term_with(), by fewer instructions.
__device__ __forceinline__ Term quick_term(KeyTerm term, float square_norm) {
  if (term == KeyTerm::kReciprocalNorm) return {square_norm > 0 ? rsqrtf(square_norm) : 0.0F, 0.0F};
  return {1.0F, -0.5F * square_norm};
}

// Two warps: the terms of each tile. What they are made of is asked for before the slot is free: nobody waits
// for global memory once it is.
template <typename Tiles>
__device__ void bring_terms(const Rows& rows, const Arena<Tiles>& arena, const Share& share) {
  constexpr uint32_t kMine = (Tiles::kRows + kTermThreads - 1) / kTermThreads;
  Barriers& barriers = arena.barriers();
  const uint32_t first = threadIdx.x % kTermThreads;
  const auto* const removed = reinterpret_cast<const uint32_t*>(rows.removed);
  Place<Tiles::kKeySlots> place;
#pragma unroll 1
  for (uint32_t tile = share.begin; tile < share.end; ++tile) {
    float square_norm[kMine];
    uint32_t excluded[kMine];  // the word that has the item's bit
#pragma unroll
    for (uint32_t m = 0; m < kMine; ++m) {
      const uint32_t row = tile * Tiles::kRows + first + m * kTermThreads;
      const uint64_t item = rows.first + row;
      const bool there = row < rows.count;
      square_norm[m] = there && rows.term != KeyTerm::kNone ? rows.square_norms[row] : 0.0F;
      excluded[m] = there ? 0 : 0xFFFFFFFFU;
      if (there && removed != nullptr && item < rows.removed_bits) excluded[m] = removed[item / 32];
    }
    await(&barriers.keys_out[place.slot], place.parity ^ 1);
#pragma unroll
    for (uint32_t m = 0; m < kMine; ++m) {
      const uint32_t i = first + m * kTermThreads;
      if (i >= Tiles::kRows) break;
      const uint64_t item = rows.first + tile * Tiles::kRows + i;
      const bool is_out = (excluded[m] >> (item % 32) & 1) != 0;
      arena.terms(place.slot)[i] = is_out ? Term{0.0F, -INFINITY} : quick_term(rows.term, square_norm[m]);
    }
    arrive(&barriers.keys_in[place.slot]);
    place.next();
  }
}

template <typename Tiles>
__device__ void bring_tiles(const HopperMaps& maps, const HopperFold& fold, const Arena<Tiles>& arena,
                            const Share& share) {
  if (threadIdx.x == 0) {
    copy_boxes<Tiles::kKeyBoxes, Tiles::kQueryBoxBytes>(
        arena.queries(), &maps.queries, blockIdx.x * kHopperQueries, &arena.barriers().queries);
    bring_keys(maps.keys, arena, share);
  } else if (threadIdx.x == 32) {
    if constexpr (Tiles::kReadout == HopperReadout::kValues) bring_values(maps.values, arena, share);
  } else if (threadIdx.x >= kTermThreads && fold.has_terms) {
    bring_terms(fold.rows, arena, share);
  }
}

}  // namespace engram::cuda::hopper
