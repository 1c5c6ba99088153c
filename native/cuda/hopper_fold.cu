#include "cuda/hopper_block.h"
#include "cuda/hopper_bring.h"
#include "cuda/hopper_fold.h"
#include "cuda/hopper_map.h"
#include "cuda/hopper_multiply.h"
#include "cuda/hopper_ptx.h"
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

using namespace hopper;

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
