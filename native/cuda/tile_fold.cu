#include <algorithm>
#include <cfloat>

#include "cuda/launch.h"
#include "cuda/ptx.h"
#include "cuda/tile_fold.h"
#include "cuda/tile_products.h"
#include "cuda/tile_select.h"
#include "cuda/tile_stream.h"

// A block takes 64 queries, 16 to a warp, through a share of the rows, tile by tile: scores by mma.sync into
// registers, the fold on those registers, and for a readout the weights times the tile's values, again by
// mma.sync. Readouts wider than 128 columns are cut into slices of that width, each with blocks of its own
// that compute the scores anew: accumulators of more columns would not fit into registers.
//
// What bounds a tile of 64 x 64 at dim = width = 128 where keys are read out: 1.05 M multiply-adds, three
// times as many where they are compensated. In cycles of a multiprocessor, with two blocks on it:
//                     matrix units at their peak        shared memory    instructions    second cache
//                     A100      H100 (less by mma.sync)  at 128 bytes     at 4 a cycle    at 32 bytes
//   16 bits           1,024       512                    1,150              900             512
//   tf32              2,048     1,024                    2,300            1,900           1,024
//   compensated       6,144     3,072                    2,300            4,300           1,024
// Each of 4 warps reads the tile from shared memory twice, and its queries: 144 KiB of 16 bits, 288 KiB of
// Float32. Of the instructions of a compensated tile 768 of a warp are products and 2,000 split operands.
// So 16 bits and tf32 are bound by shared memory; compensated by the matrix units of an A100, and on an H100
// by instructions if its matrix units are fed at their peak.

namespace engram::cuda {
namespace {

constexpr uint32_t kSliceColumns = 128;

// The rows of a block's share.
struct Share {
  uint32_t begin;
  uint32_t end;
};
__device__ Share share_of(uint32_t rows, uint32_t split, uint32_t splits) {
  const uint32_t tiles = (rows + kTileRows - 1) / kTileRows;
  const uint32_t begin = static_cast<uint32_t>(uint64_t{tiles} * split / splits) * kTileRows;
  const uint32_t end = static_cast<uint32_t>(uint64_t{tiles} * (split + 1) / splits) * kTileRows;
  return {begin, end < rows ? end : rows};
}

// The terms of a tile, one row to a thread. What they are made of is asked for a tile ahead: nobody waits for
// global memory.
class TermsAhead {
 public:
  __device__ TermsAhead(const Rows& rows, const Share& share)
      : rows_(rows), row_(share.begin + threadIdx.x), end_(share.end) {
    ask();
  }
  // The term of the thread's row; -inf behind the share.
  __device__ Term next() {
    const uint64_t item = rows_.first + row_;
    const bool excluded = row_ >= end_ || (removed_ >> (item % 64) & 1) != 0;
    const Term term = excluded ? Term{0.0F, -INFINITY} : term_with(rows_.term, square_norm_);
    row_ += kTileRows;
    ask();
    return term;
  }

 private:
  __device__ void ask() {
    const uint64_t item = rows_.first + row_;
    const bool there = row_ < end_;
    removed_ = there && rows_.removed != nullptr && item < rows_.removed_bits ? rows_.removed[item / 64] : 0;
    square_norm_ = there && rows_.term != KeyTerm::kNone ? rows_.square_norms[row_] : 0.0F;
  }

  const Rows& rows_;
  uint32_t row_;
  const uint32_t end_;
  uint64_t removed_ = 0;  // the word that has the item's bit
  float square_norm_ = 0;
};

// Scores of one tile: multiplies its chunks of keys and applies the terms of its rows. `terms` is shared
// memory for those. Called by all threads; warps that are not `active` only help.
template <Products kProducts>
__device__ void score_tile(TileStream<kProducts>& stream, TermsAhead& ahead, const TilePlan& plan,
                           bool active, const float (&scale)[2], Term* terms, TileScores& score) {
  set_zero(score);
  for (uint32_t c = 0; c < plan.score_chunks; ++c) {
    stream.advance();
    // After the barrier of advance(): nobody reads the terms of the last tile any more.
    if (c == 0 && threadIdx.x < kTileRows) terms[threadIdx.x] = ahead.next();
    if (active)
      add_scores<kProducts>(score, stream.queries(c), threadIdx.x / 32 * kWarpQueries, stream.rows());
  }
  __syncthreads();
#pragma unroll
  for (uint32_t n = 0; n < kTileRows / 8; ++n) {
    // Multiplier and bias of the lane's two rows.
    const float4 pair = *reinterpret_cast<const float4*>(terms + 8 * n + threadIdx.x % 4 * 2);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      score[n][2 * half] = scale[half] * fmaf(pair.x, score[n][2 * half], pair.y);
      score[n][2 * half + 1] = scale[half] * fmaf(pair.z, score[n][2 * half + 1], pair.w);
    }
  }
}

// The queries of a lane's accumulators: the first of its rows, and the one eight below.
__device__ uint32_t lane_query(uint32_t first_query, int half) {
  return first_query + threadIdx.x / 32 * kWarpQueries + threadIdx.x % 32 / 4 + 8 * half;
}
__device__ void load_scales(const Queries& queries, uint32_t first_query, float (&scale)[2]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const uint32_t query = lane_query(first_query, half);
    scale[half] = query < queries.count ? queries.scale[query] : 1.0F;
  }
}

__device__ float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(kWholeWarp, x, 1));
  return fmaxf(x, __shfl_xor_sync(kWholeWarp, x, 2));
}
__device__ float quad_sum(float x) {
  x += __shfl_xor_sync(kWholeWarp, x, 1);
  return x + __shfl_xor_sync(kWholeWarp, x, 2);
}

// The running maximum and sum of a lane's two queries; sums are those of the lane's own scores. Weights are
// 2^(score - max + kShift), see hopper_softmax.h.
template <Products kProducts>
struct OnlineSoftmax {
  static constexpr float kShift = kProducts == Products::kFloat16 ? 14.0F : 0.0F;
  static constexpr float kUnshift = kProducts == Products::kFloat16 ? 0x1p-14F : 1.0F;
  float max[2] = {-FLT_MAX, -FLT_MAX};
  float sum[2] = {0, 0};

  // Turns a tile's scores into weights under the new maximum; `rescale` is what older weights are to be
  // multiplied by. Whether any weight of the warp is more than 0: else no maximum has changed.
  __device__ bool take(TileScores& score, float (&rescale)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = max[half];
#pragma unroll
      for (uint32_t n = 0; n < kTileRows / 8; ++n) {
        most = fmaxf(most, fmaxf(score[n][2 * half], score[n][2 * half + 1]));
      }
      most = quad_max(most);
      rescale[half] = exp2_fast(max[half] - most);
      max[half] = most;
      sum[half] *= rescale[half];
    }
    uint32_t bits = 0;
#pragma unroll
    for (uint32_t n = 0; n < kTileRows / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float below = score[n][i] - max[i / 2];
        score[n][i] = exp2_fast(kShift == 0 ? below : below + kShift);
        sum[i / 2] += score[n][i];
        bits |= __float_as_uint(score[n][i]);
      }
    }
    return __any_sync(kWholeWarp, bits != 0 ? 1 : 0) != 0;
  }
};

// Grid: tiles of queries x splits x slices of columns. Weights are summed in Float32 before they are rounded
// to operands of the readout: their rounding errors are independent of each other and average out.
template <Products kProducts, bool kReadout>
__global__ void __launch_bounds__(kTileThreads, 2)
    tile_softmax_kernel(Rows rows, Queries queries, TilePlan plan, SoftmaxPartials out) {
  constexpr uint32_t kTiles = kReadout ? kSliceColumns / 8 : 1;  // accumulators of 8 columns
  constexpr uint32_t kTilesPerChunk = chunk_elements(kProducts) / 8;
  constexpr uint32_t kMostChunks = kReadout ? kTiles / kTilesPerChunk : 0;
  char* const shared = dynamic_shared<char>();
  Term* const terms = reinterpret_cast<Term*>(shared + plan.bytes());
  const uint32_t first_query = blockIdx.x * kTileRows;
  const uint32_t first_column = blockIdx.z * kSliceColumns;
  const bool active = first_query + threadIdx.x / 32 * kWarpQueries < queries.count;
  const Share share = share_of(rows.count, blockIdx.y, gridDim.y);
  float scale[2];
  load_scales(queries, first_query, scale);
  TileStream<kProducts> stream(rows, queries, plan, share.begin, share.end, first_query, first_column,
                               shared);

  TermsAhead ahead(rows, share);
  OnlineSoftmax<kProducts> softmax;
  float readout[kTiles][4];
#pragma unroll
  for (uint32_t n = 0; n < kTiles; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) readout[n][i] = 0;
  }
  for (uint32_t row = share.begin; row < share.end; row += kTileRows) {
    TileScores score;
    score_tile<kProducts>(stream, ahead, plan, active, scale, terms, score);
    float rescale[2];
    const bool weighs = softmax.take(score, rescale);
    if constexpr (kReadout) {
      const uint32_t chunks = plan.keeps_tile ? plan.score_chunks : plan.value_chunks;
#pragma unroll
      for (uint32_t c = 0; c < kMostChunks; ++c) {
        if (c >= chunks) break;
        if (!plan.keeps_tile) stream.advance();
        if (!active || !weighs) continue;
        add_readout<kProducts>(readout + c * kTilesPerChunk, rescale, score,
                               plan.keeps_tile ? stream.kept(c) : stream.rows());
      }
    }
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    constexpr float kUnshift = OnlineSoftmax<kProducts>::kUnshift;
    const float sum = quad_sum(softmax.sum[half]) * kUnshift;
    const uint32_t query = lane_query(first_query, half);
    if (query >= queries.count) continue;
    const uint64_t at = uint64_t{blockIdx.y} * queries.count + query;
    if (blockIdx.z == 0 && threadIdx.x % 4 == 0) {
      out.max[at] = softmax.max[half];
      out.sum[at] = sum;
    }
    if constexpr (kReadout) {
#pragma unroll
      for (uint32_t n = 0; n < kTiles; ++n) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const uint32_t column = first_column + readout_column<kProducts>(n, i);
          if (column < rows.width)
            out.readout[at * rows.width + column] = readout[n][2 * half + i] * kUnshift;
        }
      }
    }
  }
}

struct Selection {
  TopPartials top;  // k > 0
  HitList hits;     // k == 0
};

// Bytes of shared memory behind the terms.
__host__ __device__ inline uint32_t selection_bytes(const Selection& selection) {
  return selection.top.k > 0 ? kTileRows * kPending * sizeof(Ranked) : 0;
}

__device__ bool any_passes(const TileScores& score, const float (&bar)[2]) {
  float most[2] = {-INFINITY, -INFINITY};
#pragma unroll
  for (uint32_t n = 0; n < kTileRows / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) most[i / 2] = fmaxf(most[i / 2], score[n][i]);
  }
  return __any_sync(kWholeWarp, most[0] > bar[0] || most[1] > bar[1]) != 0;
}

// Moves the scores of the next 16 rows to the front: registers cannot be numbered at run time.
__device__ void next_sixteen(TileScores& score) {
#pragma unroll
  for (uint32_t n = 2; n < kTileRows / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) score[n - 2][i] = score[n][i];
  }
}

// Grid: tiles of queries x splits.
template <Products kProducts>
__global__ void __launch_bounds__(kTileThreads, 2)
    tile_select_kernel(Rows rows, Queries queries, TilePlan plan, Selection selection) {
  char* const shared = dynamic_shared<char>();
  Term* const terms = reinterpret_cast<Term*>(shared + plan.bytes());
  const uint32_t warp = threadIdx.x / 32;
  const uint32_t first_query = blockIdx.x * kTileRows;
  const uint32_t warp_first = first_query + warp * kWarpQueries;
  const uint32_t warp_queries =
      warp_first >= queries.count ? 0 : min(queries.count - warp_first, kWarpQueries);
  const TopPartials& top = selection.top;
  const bool ranks = top.k > 0;
  WarpBest best(reinterpret_cast<Ranked*>(terms + kTileRows) + warp * kWarpQueries * kPending,
                top.best + (uint64_t{blockIdx.y} * queries.count + warp_first) * top.k, top.k, warp_queries,
                top.floor == nullptr ? nullptr : top.floor + warp_first);
  float bar[2];
  float scale[2];
  load_scales(queries, first_query, scale);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const uint32_t query = lane_query(first_query, half);
    bar[half] = ranks || query >= queries.count ? best.bar(half) : selection.hits.threshold[query];
  }
  const Share share = share_of(rows.count, blockIdx.y, gridDim.y);
  TileStream<kProducts> stream(rows, queries, plan, share.begin, share.end, first_query, 0, shared);
  TermsAhead ahead(rows, share);
  for (uint32_t row = share.begin; row < share.end; row += kTileRows) {
    TileScores score;
    score_tile<kProducts>(stream, ahead, plan, warp_queries > 0, scale, terms, score);
    if (!any_passes(score, bar)) continue;
// Not unrolled: few tiles come here, and the code is long.
#pragma unroll 1
    for (uint32_t first = 0; first < kTileRows; first += 16) {
      const auto& sixteen = reinterpret_cast<const SixteenRows&>(score[0]);
      const auto item = static_cast<uint32_t>(rows.first + row + first);
      if (ranks) {
        best.offer(sixteen, item);
      } else {
        list_hits(selection.hits, sixteen, bar, warp_first, item);
      }
      next_sixteen(score);
    }
#pragma unroll
    for (int half = 0; half < 2 && ranks; ++half) bar[half] = best.bar(half);
  }
  if (ranks) best.finish();
}

// ---- the host's side ----

Products products_of(const Rows& rows) {
  if (rows.element == Element::kFloat16) return Products::kFloat16;
  if (rows.element == Element::kBfloat16) return Products::kBfloat16;
  switch (rows.arithmetic) {
    case Arithmetic::kTf32: return Products::kTf32;
    case Arithmetic::kBfloat16: return Products::kRoundedBf16;
    case Arithmetic::kCompensated: break;
  }
  return Products::kCompensated;
}

uint32_t chunks_of(uint32_t width, Products products) {
  const uint32_t elements = chunk_elements(products);
  return (width + elements - 1) / elements;
}

struct SharedLimits {
  uint32_t block = 48 << 10;  // bytes that a block may have
  uint32_t half = 0;          // bytes of each of two blocks on a multiprocessor
};
cudaError_t shared_limits(SharedLimits& limits) {
  constexpr int kOfSystem = 1 << 10;  // of each block
  int device = 0;
  int block = 0;
  int multiprocessor = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&block, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  }
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&multiprocessor, cudaDevAttrMaxSharedMemoryPerMultiprocessor, device);
  }
  limits.block = static_cast<uint32_t>(block);
  limits.half = static_cast<uint32_t>(multiprocessor / 2 - kOfSystem);
  return error;
}

// Queries stay in shared memory where they fit; then two blocks are better than one, and more chunks ahead
// than fewer. `more`: bytes of shared memory besides the plan's. What is chosen changes no bit of the answer.
TilePlan plan_of(const Rows& rows, const SharedLimits& limits, uint32_t more) {
  const Products products = products_of(rows);
  TilePlan plan;
  plan.score_chunks = chunks_of(rows.dim, products);
  plan.keeps_tile = rows.width > 0 && rows.values == rows.keys && rows.width <= kSliceColumns;
  if (rows.width > 0 && !plan.keeps_tile) {
    plan.value_chunks = chunks_of(std::min(rows.width, kSliceColumns), products);
  }
  for (const bool resident : {true, false}) {
    for (const uint32_t limit : {limits.half, limits.block}) {
      for (const uint32_t ahead : {3U, 2U}) {
        plan.queries_resident = resident;
        plan.ahead = ahead;
        if (plan.bytes() + more <= limit) return plan;
      }
    }
  }
  return plan;
}

constexpr uint32_t kTermBytes = kTileRows * sizeof(Term);

uint32_t slices_of(const Rows& rows) {
  return std::max(1U, (rows.width + kSliceColumns - 1) / kSliceColumns);
}

// Calls run.template operator()<products>().
template <typename Run>
cudaError_t with_products(Products products, Run run) {
  switch (products) {
    case Products::kFloat16: return run.template operator()<Products::kFloat16>();
    case Products::kBfloat16: return run.template operator()<Products::kBfloat16>();
    case Products::kTf32: return run.template operator()<Products::kTf32>();
    case Products::kRoundedBf16: return run.template operator()<Products::kRoundedBf16>();
    case Products::kCompensated: break;
  }
  return run.template operator()<Products::kCompensated>();
}

uint32_t query_tiles(uint32_t queries) { return (queries + kTileRows - 1) / kTileRows; }

cudaError_t select(const Rows& rows, const Queries& queries, uint32_t splits, const Selection& selection,
                   cudaStream_t stream) {
  SharedLimits limits;
  if (const cudaError_t error = shared_limits(limits); error != cudaSuccess) return error;
  Rows keys = rows;
  keys.width = 0;
  const uint32_t more = kTermBytes + selection_bytes(selection);
  const TilePlan plan = plan_of(keys, limits, more);
  const Shape shape{.grid = dim3(query_tiles(queries.count), splits),
                    .block = dim3(kTileThreads),
                    .shared_bytes = plan.bytes() + more};
  return with_products(products_of(rows), [&]<Products kProducts>() {
    return launch(tile_select_kernel<kProducts>, shape, stream, keys, queries, plan, selection);
  });
}

}  // namespace

// The fewest splits whose blocks leave at most a twentieth of the device idle, two of them to a
// multiprocessor; or else those that leave the least.
uint32_t tile_fold_splits(const Rows& rows, uint32_t queries, uint32_t multiprocessors) {
  constexpr uint32_t kLeastTiles = 4;  // of a split: fewer are not worth combining
  const uint64_t blocks = uint64_t{query_tiles(queries)} * slices_of(rows);
  const uint64_t together = 2 * multiprocessors;
  const uint32_t most =
      std::min<uint64_t>((rows.count + kLeastTiles * kTileRows - 1) / (kLeastTiles * kTileRows), together);
  uint32_t best = 1;
  double best_use = 0;
  for (uint32_t splits = 1; splits <= most && best_use < 0.95; ++splits) {
    const uint64_t waves = (blocks * splits + together - 1) / together;
    const double use = static_cast<double>(blocks * splits) / static_cast<double>(waves * together);
    if (use <= best_use) continue;
    best = splits;
    best_use = use;
  }
  return best;
}

cudaError_t tile_softmax(const Rows& rows, const Queries& queries, uint32_t splits,
                         const SoftmaxPartials& out, cudaStream_t stream) {
  SharedLimits limits;
  if (const cudaError_t error = shared_limits(limits); error != cudaSuccess) return error;
  const TilePlan plan = plan_of(rows, limits, kTermBytes);
  const Shape shape{.grid = dim3(query_tiles(queries.count), splits, slices_of(rows)),
                    .block = dim3(kTileThreads),
                    .shared_bytes = plan.bytes() + kTermBytes};
  return with_products(products_of(rows), [&]<Products kProducts>() {
    return rows.width == 0
               ? launch(tile_softmax_kernel<kProducts, false>, shape, stream, rows, queries, plan, out)
               : launch(tile_softmax_kernel<kProducts, true>, shape, stream, rows, queries, plan, out);
  });
}

cudaError_t tile_top(const Rows& rows, const Queries& queries, uint32_t splits, const TopPartials& out,
                     cudaStream_t stream) {
  return select(rows, queries, splits, {.top = out, .hits = {}}, stream);
}

cudaError_t tile_hits(const Rows& rows, const Queries& queries, uint32_t splits, const HitList& out,
                      cudaStream_t stream) {
  return select(rows, queries, splits, {.top = {}, .hits = out}, stream);
}

}  // namespace engram::cuda
