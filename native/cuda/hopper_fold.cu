#include <cfloat>

#include "cuda/hopper_fold.h"
#include "cuda/hopper_map.h"
#include "cuda/hopper_ptx.h"
#include "cuda/hopper_softmax.h"
#include "cuda/hopper_tiles.h"
#include "cuda/launch.h"

// A block takes 128 queries through a share of the rows, tile by tile. One warpgroup brings tiles in (bulk
// tensor copies) and the terms of their keys; two multiply, 64 queries each: scores Q K^T, weights in
// registers, readout += weights V. The scores of a tile are multiplied together with the readout of the tile
// before it, and its softmax runs beside that readout. The two warpgroups begin their products in turns, so
// that the softmax of one also runs beside the products of the other. Where keys are read out one tile is
// both operands.
//
// Floor of a tile at 128 dims, keys read out (128 queries x 176 rows), in cycles of a multiprocessor:
//   products        11.5 MFLOP at 4,096 a cycle                                            2,816
//   exponentials    22,528 at 16 a cycle of the special function units                     1,408
//   instructions    about 450 of each of 8 warps (600 with terms), for 4 schedulers          900
//   shared memory   two thirds of its bandwidth in scores, half of it in the readout       1,650
//   second cache    44 KiB of rows: 16 bytes a cycle of the products
// The matrix units bound it. At 64 dims exponentials take as long as products, and without a readout, too.
//
// Registers of a thread that multiplies, of 240: 88 of scores, 44 of weights, 64 of readout. Shared memory:
// 32 KiB of queries, 4 tiles of 44 KiB and their terms. Larger keys or readouts have tiles of 80 rows.
//
// Products are accumulated towards zero: sums of many weights of like size come out too small, by about 2e-4
// of themselves for 60,000 rows in a split: what rounds a weight in f16, a tenth of that in bf16.

namespace engram::cuda {
namespace {

constexpr uint32_t kGroupThreads = 128;  // of a warpgroup
constexpr uint32_t kGroups = 3;          // one brings tiles in, two multiply
constexpr uint32_t kMultiplying = (kGroups - 1) * kGroupThreads;
constexpr uint32_t kTermThreads = 64;  // the last ones of the first warpgroup
constexpr uint32_t kFewRegisters = 24;
constexpr uint32_t kManyRegisters = 240;

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
__device__ Share share_of(uint32_t tiles) {
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

// ---- The warpgroup that brings tiles in ----

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

// ---- The warpgroups that multiply ----

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

// ---- The kernels ----

template <typename Tiles>
__device__ void begin_barriers(Barriers& barriers, bool has_terms) {
  constexpr uint32_t kMultiplyingWarps = kMultiplying / 32;
  begin_barrier(&barriers.queries, 1);
  for (uint32_t slot = 0; slot < Tiles::kKeySlots; ++slot) {
    begin_barrier(&barriers.keys_in[slot], has_terms ? 1 + kTermThreads : 1);
    begin_barrier(&barriers.keys_out[slot], kMultiplyingWarps);
    begin_barrier(&barriers.values_in[slot], 1);
    begin_barrier(&barriers.values_out[slot], kMultiplyingWarps);
  }
  publish_barriers();
}

// Grid: tiles of queries x splits.
template <bool kBfloat16, typename Tiles>
__global__ void __launch_bounds__(kGroups* kGroupThreads, 1)
    hopper_softmax_kernel(const __grid_constant__ HopperMaps maps, const __grid_constant__ HopperFold fold) {
  if constexpr (kHasHopper) {
    const Arena<Tiles> arena{dynamic_shared<char>()};
    const Share share = share_of((fold.rows.count + Tiles::kRows - 1) / Tiles::kRows);
    if (threadIdx.x == 0) begin_barriers<Tiles>(arena.barriers(), fold.has_terms);
    __syncthreads();
    if (threadIdx.x < kGroupThreads) {
      give_registers<kFewRegisters>();
      bring_tiles(maps, fold, arena, share);
    } else {
      take_registers<kManyRegisters>();
      multiply_tiles<kBfloat16>(fold, arena, share);
    }
  }
}

// A thread: eight elements of a query.
template <bool kBfloat16>
__global__ void round_queries_kernel(Queries queries, uint32_t pieces, uint4* rounded) {
  const uint32_t piece = blockIdx.x * blockDim.x + threadIdx.x;
  const uint32_t query = blockIdx.y * blockDim.y + threadIdx.y;
  if (piece >= pieces || query >= queries.count) return;
  const float* const from = queries.data + uint64_t{query} * queries.pitch;
  uint32_t pairs[4];
#pragma unroll
  for (uint32_t i = 0; i < 4; ++i) {
    const uint32_t column = 8 * piece + 2 * i;  // the pitch is a multiple of 4
    const float low = column < queries.pitch ? from[column] : 0.0F;
    const float high = column < queries.pitch ? from[column + 1] : 0.0F;
    pairs[i] = kBfloat16 ? pack_bf16(low, high) : pack_f16(low, high);
  }
  rounded[uint64_t{query} * pieces + piece] = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
}

// ---- The host's side ----

constexpr uint32_t kMostColumns = 4 * kHopperBoxColumns;
constexpr uint32_t kLeastQueries = 96;  // fewer leave most of a tile of queries empty

// Boxes of 64 columns that kernels have: 1, 2 or 4.
uint32_t boxes_of(uint32_t columns) {
  return columns <= kHopperBoxColumns ? 1 : columns <= 2 * kHopperBoxColumns ? 2 : 4;
}
HopperReadout readout_of(const Rows& rows) {
  if (rows.width == 0) return HopperReadout::kNone;
  return rows.values == rows.keys ? HopperReadout::kKeys : HopperReadout::kValues;
}

// Calls run.template operator()<tiles>() with those for the rows.
template <uint32_t kKeyBoxes, typename Run>
auto with_keys(const Rows& rows, Run run) {
  switch (readout_of(rows)) {
    case HopperReadout::kNone:
      return run.template operator()<HopperTiles<kKeyBoxes, 0, HopperReadout::kNone>>();
    case HopperReadout::kKeys:
      return run.template operator()<HopperTiles<kKeyBoxes, kKeyBoxes, HopperReadout::kKeys>>();
    case HopperReadout::kValues: break;
  }
  switch (boxes_of(rows.width)) {
    case 1: return run.template operator()<HopperTiles<kKeyBoxes, 1, HopperReadout::kValues>>();
    case 2: return run.template operator()<HopperTiles<kKeyBoxes, 2, HopperReadout::kValues>>();
    default: return run.template operator()<HopperTiles<kKeyBoxes, 4, HopperReadout::kValues>>();
  }
}
template <typename Run>
auto with_tiles(const Rows& rows, Run run) {
  switch (boxes_of(rows.dim)) {
    case 1: return with_keys<1>(rows, run);
    case 2: return with_keys<2>(rows, run);
    default: return with_keys<4>(rows, run);
  }
}

uint32_t query_tiles(uint32_t queries) { return (queries + kHopperQueries - 1) / kHopperQueries; }
uint32_t query_pieces(uint32_t dim) { return (dim + 7) / 8; }  // of 16 bytes

template <bool kBfloat16>
cudaError_t round_queries(const Queries& queries, uint32_t dim, uint4* rounded, cudaStream_t stream) {
  const uint32_t pieces = query_pieces(dim);
  const Shape shape{.grid = dim3((pieces + 31) / 32, (queries.count + 7) / 8), .block = dim3(32, 8)};
  return launch(round_queries_kernel<kBfloat16>, shape, stream, queries, pieces, rounded);
}

template <bool kBfloat16>
cudaError_t fold_on_hopper(const Rows& rows, const Queries& queries, uint32_t splits, void* workspace,
                           const SoftmaxPartials& out, cudaStream_t stream) {
  cudaError_t error = round_queries<kBfloat16>(queries, rows.dim, static_cast<uint4*>(workspace), stream);
  if (error != cudaSuccess) return error;
  return with_tiles(rows, [&]<typename Tiles>() {
    HopperMaps maps{};
    error = map_rows(&maps.queries, workspace, queries.count, rows.dim, query_pieces(rows.dim) * 8,
                     rows.element, kHopperQueries);
    if (error == cudaSuccess) {
      error =
          map_rows(&maps.keys, rows.keys, rows.count, rows.dim, rows.key_pitch, rows.element, Tiles::kRows);
    }
    if (error == cudaSuccess && Tiles::kReadout == HopperReadout::kValues) {
      error = map_rows(&maps.values, rows.values, rows.count, rows.width, rows.value_pitch, rows.element,
                       Tiles::kRows);
    }
    if (error != cudaSuccess) return error;
    const bool removes = rows.removed != nullptr && rows.first < rows.removed_bits;
    const HopperFold fold{.rows = rows,
                          .scale = queries.scale,
                          .queries = queries.count,
                          .has_terms = rows.term != KeyTerm::kNone || removes,
                          .out = out};
    const Shape shape{.grid = dim3(query_tiles(queries.count), splits),
                      .block = dim3(kGroups * kGroupThreads),
                      .shared_bytes = Tiles::kBytes};
    return launch(hopper_softmax_kernel<kBfloat16, Tiles>, shape, stream, maps, fold);
  });
}

}  // namespace

bool hopper_fold_applies(const Rows& rows, uint32_t queries, int compute_major, int compute_minor) {
  return compute_major == 9 && compute_minor == 0 && rows.element != Element::kFloat32 &&
         rows.dim <= kMostColumns && rows.width <= kMostColumns && queries >= kLeastQueries;
}

// The fewest splits that end soonest, as waves of blocks over the multiprocessors.
uint32_t hopper_fold_splits(const Rows& rows, uint32_t queries, uint32_t multiprocessors) {
  constexpr uint32_t kAroundTiles = 4;  // what a block does beside its tiles, in tiles
  // By the shape alone: plans are made before rows that pass through have addresses.
  const uint32_t tile_rows = hopper_rows(boxes_of(rows.dim), rows.width == 0 ? 0 : boxes_of(rows.width));
  const uint32_t tiles = (rows.count + tile_rows - 1) / tile_rows;
  const uint32_t blocks = query_tiles(queries);
  uint32_t best = 1;
  uint64_t least = UINT64_MAX;
  const uint32_t most = 2 * multiprocessors / blocks + 1;
  for (uint32_t splits = 1; splits <= most && splits <= tiles; ++splits) {
    const uint64_t waves = (uint64_t{blocks} * splits + multiprocessors - 1) / multiprocessors;
    const uint64_t time = waves * ((tiles + splits - 1) / splits + kAroundTiles);
    if (time >= least) continue;
    least = time;
    best = splits;
  }
  return best;
}

size_t hopper_fold_bytes(const Rows& rows, const Queries& queries) {
  return size_t{queries.count} * query_pieces(rows.dim) * sizeof(uint4);
}

cudaError_t hopper_softmax(const Rows& rows, const Queries& queries, uint32_t splits, void* workspace,
                           const SoftmaxPartials& out, cudaStream_t stream) {
  const auto fold = rows.element == Element::kBfloat16 ? fold_on_hopper<true> : fold_on_hopper<false>;
  return fold(rows, queries, splits, workspace, out, stream);
}

}  // namespace engram::cuda
