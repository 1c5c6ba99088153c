// The warpgroups of hopper_fold.cu that multiply.
#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/hopper_block.h"
#include "cuda/hopper_ptx.h"
#include "cuda/hopper_softmax.h"
#include "cuda/hopper_tiles.h"

namespace engram::cuda::hopper {

// The two warpgroups begin their products in turns, so that the softmax of one falls into the products of the
// other.
struct Turns {
  uint32_t group;

  // Before the first turn, where there is one.
  __device__ void begin() const {
    if (group == 1) let_pass(1, kMultiplying);
  }
  __device__ void await() const { meet(1 + group, kMultiplying); }
  __device__ void end(bool last) const {
    if (group == 0 || !last) let_pass(2 - group, kMultiplying);
  }
};

// What a thread of them does with a tile.
template <bool kBfloat16, typename Tiles>
struct Multiplier {
  static constexpr bool kReads = Tiles::kReadout != HopperReadout::kNone;
  static constexpr uint32_t kSteps = Tiles::kRows / 16;  // of a readout
  static constexpr uint32_t kColumns = kReads ? Tiles::kValueBoxes * kHopperBoxColumns : 2;
  using Scores = float[Tiles::kRows / 2];
  using Weights = uint32_t[kSteps][4];  // as operand A
  using Readout = float[kColumns / 2];
  using Slots = Place<Tiles::kKeySlots>;

  const HopperFold& fold;
  const Arena<Tiles>& arena;
  uint64_t queries;  // operand of the warpgroup's

  __device__ void await_keys(const Slots& at) const { await(&arena.barriers().keys_in[at.slot], at.parity); }
  __device__ void await_values(const Slots& at) const {
    if constexpr (Tiles::kReadout == HopperReadout::kValues) {
      await(&arena.barriers().values_in[at.slot], at.parity);
    }
  }
  // Each warp for itself: products and reads of all its lanes have ended.
  __device__ static void release(uint64_t* out) {
    __syncwarp();
    if (threadIdx.x % 32 == 0) arrive(out);
  }
  __device__ void release_keys(const Slots& at) const { release(&arena.barriers().keys_out[at.slot]); }
  // Keys that are read out are released with their readout.
  __device__ void release_values(const Slots& at) const {
    release(Tiles::kReadout == HopperReadout::kValues ? &arena.barriers().values_out[at.slot]
                                                      : &arena.barriers().keys_out[at.slot]);
  }

  __device__ __forceinline__ void begin_scores(Scores& scores, const Slots& at) const {
    const uint64_t keys = operand(arena.keys(at.slot), 16);
    hold(scores);
    fence_products();
#pragma unroll
    for (uint32_t step = 0; step < 4 * Tiles::kKeyBoxes; ++step) {
      const uint32_t box = step / 4;
      const uint32_t bytes = step % 4 * 32;
      multiply_shared<kBfloat16>(scores, further(queries, box * Tiles::kQueryBoxBytes + bytes),
                                 further(keys, box * Tiles::kBoxBytes + bytes), step > 0 ? 1 : 0);
    }
    close_products();
  }

  __device__ __forceinline__ void begin_readout(Readout& readout, Weights& weights, const Slots& at) const {
    const uint64_t values = operand(arena.values(at.slot), Tiles::kBoxBytes);
    hold(readout);
    hold(weights);
    fence_products();
#pragma unroll
    for (uint32_t step = 0; step < kSteps; ++step) {
      multiply_registers<kBfloat16>(readout, weights[step], further(values, step * 2048));
    }
    close_products();
  }

  // Terms of the tile's keys; rows behind the last are out. `last`: of the block's tiles.
  __device__ __forceinline__ void finish_scores(Scores& scores, bool last, const Slots& at) const {
    const uint32_t pair = threadIdx.x % 4 * 2;
    if (fold.has_terms) {
      const auto* const terms = reinterpret_cast<const float4*>(arena.terms(at.slot) + pair);
#pragma unroll
      for (uint32_t j = 0; j < Tiles::kRows / 8; ++j) {
        const float4 two = terms[4 * j];
        scores[4 * j] = fmaf(two.x, scores[4 * j], two.y);
        scores[4 * j + 1] = fmaf(two.z, scores[4 * j + 1], two.w);
        scores[4 * j + 2] = fmaf(two.x, scores[4 * j + 2], two.y);
        scores[4 * j + 3] = fmaf(two.z, scores[4 * j + 3], two.w);
      }
    } else if (last && blockIdx.y + 1 == gridDim.y && fold.rows.count % Tiles::kRows != 0) {
      const uint32_t left = fold.rows.count % Tiles::kRows;
#pragma unroll
      for (uint32_t i = 0; i < Tiles::kRows / 2; ++i) {
        if (i / 4 * 8 + pair + i % 2 >= left) scores[i] = -INFINITY;
      }
    }
  }

  __device__ __forceinline__ static void round_weights(const Scores& scores, Weights& weights) {
#pragma unroll
    for (uint32_t step = 0; step < kSteps; ++step) {
#pragma unroll
      for (uint32_t i = 0; i < 4; ++i) {
        const float low = scores[8 * step + 2 * i];
        const float high = scores[8 * step + 2 * i + 1];
        weights[step][i] = kBfloat16 ? pack_bf16(low, high) : pack_f16(low, high);
      }
    }
  }

  __device__ __forceinline__ static void finish_readout(Readout& readout, Weights& weights) {
    wait_for_products<0>();
    hold(readout);
    hold(weights);
  }
  // After the first tiles a maximum changes rarely. Each branch waits for the products: a wait before both,
  // which depends on nothing, is moved by the compiler to where the softmax begins.
  __device__ __forceinline__ static void finish_and_rescale(Readout& readout, Weights& weights,
                                                            const float (&factor)[2]) {
    if (__all_sync(0xFFFFFFFFU, factor[0] == 1.0F && factor[1] == 1.0F)) {
      finish_readout(readout, weights);
    } else {
      finish_readout(readout, weights);
#pragma unroll
      for (uint32_t i = 0; i < kColumns / 2; ++i) readout[i] *= factor[i / 2 % 2];
    }
  }

  __device__ __forceinline__ void write(const Readout& readout, uint32_t query) const {
    const uint32_t width = fold.rows.width;
#pragma unroll
    for (uint32_t half = 0; half < 2; ++half) {
      if (query + 8 * half >= fold.queries) continue;
      float* const to = fold.out.readout + (uint64_t{blockIdx.y} * fold.queries + query + 8 * half) * width;
#pragma unroll
      for (uint32_t i = 0; i < kColumns / 4; ++i) {
        const uint32_t column = i / 2 * 8 + threadIdx.x % 4 * 2 + i % 2;
        if (column < width) {
          to[column] = readout[i / 2 * 4 + 2 * half + i % 2] * HopperSoftmax<kBfloat16>::kUnshift;
        }
      }
    }
  }
};

// Scores of a tile are multiplied together with the readout of the tile before it; its softmax goes on while
// that readout is still being added up.
template <bool kBfloat16, typename Tiles>
__device__ __forceinline__ void fold_with_readout(const Multiplier<kBfloat16, Tiles>& multiplier,
                                                  const Share& share, uint32_t group,
                                                  HopperSoftmax<kBfloat16>& softmax, uint32_t query) {
  using M = Multiplier<kBfloat16, Tiles>;
  typename M::Scores scores;
  typename M::Weights weights;
  typename M::Readout readout;
  typename M::Slots keys;
  float factor[2];
#pragma unroll
  for (float& x : readout) x = 0;
  const Turns turns{group};
  uint32_t left = share.end - share.begin - 1;  // tiles
  if (left > 0) turns.begin();

  multiplier.await_keys(keys);
  multiplier.begin_scores(scores, keys);
  wait_for_products<0>();
  hold(scores);
  multiplier.finish_scores(scores, left == 0, keys);
  if constexpr (Tiles::kReadout == HopperReadout::kValues) multiplier.release_keys(keys);
  softmax.take(scores, factor);
  multiplier.round_weights(scores, weights);
#pragma unroll 1
  while (left > 0) {
    --left;
    keys.next();
    multiplier.await_keys(keys);
    multiplier.await_values(keys.before());
    turns.await();
    multiplier.begin_scores(scores, keys);
    multiplier.begin_readout(readout, weights, keys.before());
    turns.end(left == 0);
    wait_for_products<1>();
    hold(scores);
    multiplier.finish_scores(scores, left == 0, keys);
    if constexpr (Tiles::kReadout == HopperReadout::kValues) multiplier.release_keys(keys);
    softmax.take(scores, factor);
    multiplier.finish_and_rescale(readout, weights, factor);
    multiplier.release_values(keys.before());
    multiplier.round_weights(scores, weights);
  }
  multiplier.await_values(keys);
  multiplier.begin_readout(readout, weights, keys);
  wait_for_products<0>();
  hold(readout);
  multiplier.write(readout, query);
}

template <bool kBfloat16, typename Tiles>
__device__ __forceinline__ void fold_without_readout(const Multiplier<kBfloat16, Tiles>& multiplier,
                                                     const Share& share, uint32_t group,
                                                     HopperSoftmax<kBfloat16>& softmax) {
  typename Multiplier<kBfloat16, Tiles>::Scores scores;
  typename Multiplier<kBfloat16, Tiles>::Slots keys;
  float factor[2];
  const Turns turns{group};
  turns.begin();
  uint32_t left = share.end - share.begin;  // tiles
#pragma unroll 1
  while (left > 0) {
    --left;
    multiplier.await_keys(keys);
    turns.await();
    multiplier.begin_scores(scores, keys);
    turns.end(left == 0);
    wait_for_products<0>();
    hold(scores);
    multiplier.finish_scores(scores, left == 0, keys);
    multiplier.release_keys(keys);
    softmax.take(scores, factor);
    keys.next();
  }
}

template <bool kBfloat16, typename Tiles>
__device__ __forceinline__ void multiply_tiles(const HopperFold& fold, const Arena<Tiles>& arena,
                                               const Share& share) {
  const uint32_t group = threadIdx.x >= 2 * kGroupThreads ? 1 : 0;
  const uint32_t query = blockIdx.x * kHopperQueries + threadIdx.x / 32 % 4 * 16 + group * 64 +
                         threadIdx.x % 32 / 4;  // the thread's first
  const Multiplier<kBfloat16, Tiles> multiplier{fold, arena, operand(arena.queries() + group * 64 * 128, 16)};
  HopperSoftmax<kBfloat16> softmax(fold.scale, query, fold.queries);
  await(&arena.barriers().queries, 0);
  if constexpr (Tiles::kReadout == HopperReadout::kNone) {
    fold_without_readout(multiplier, share, group, softmax);
  } else {
    fold_with_readout(multiplier, share, group, softmax, query);
  }
  softmax.write(fold.out, query, fold.queries);
}

}  // namespace engram::cuda::hopper
