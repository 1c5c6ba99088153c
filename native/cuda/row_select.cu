#include <cfloat>

#include "cuda/launch.h"
#include "cuda/row_fold.h"
#include "cuda/row_instances.h"
#include "cuda/row_reader.h"
#include "cuda/select.h"

namespace engram::cuda {
namespace {

constexpr uint32_t kSharedBytes = 48 << 10;  // of a block: two have room on every device

// Of `all` queries, which are answered in turns, those of one launch: the first and what is found.
struct TopPart {
  TopPartials top;
  uint32_t capacity;  // see BestItems
  uint32_t first;
  uint32_t all;

  __device__ Ranked* best() const { return top.best + (uint64_t{blockIdx.x} * all + first) * top.k; }
  __device__ const float* floor() const { return top.floor == nullptr ? nullptr : top.floor + first; }
};

template <typename Instance>
__global__ void __launch_bounds__(Instance::kThreads, kRowBlocks)
    row_top_kernel(Rows rows, Queries queries, uint32_t lanes, TopPart part) {
  RowReader<Instance> reader(rows, queries, lanes);
  const BestItems best(dynamic_shared<Ranked>(), queries.count, part.top.k, part.capacity);
  best.begin(part.floor());
  float least[Instance::kQueries];
  uint32_t steps = 0;  // until the block meets
  const RowRange range = range_of(rows.count, blockIdx.x, gridDim.x);
  for (uint32_t first = range.begin; first < range.end; first += reader.step()) {
    if (steps == 0) {
      steps = best.meet(reader.step());
#pragma unroll
      for (int q = 0; q < Instance::kQueries; ++q) least[q] = best.least_score(q);
    }
    --steps;
    reader.load(first, range.end);
    float score[Instance::kQueries];
    reader.scores(score);
    if (!reader.speaks()) continue;
    const auto item = static_cast<uint32_t>(rows.first + reader.row());
#pragma unroll
    for (uint32_t q = 0; q < Instance::kQueries; ++q) {
      if (q < queries.count && score[q] >= least[q]) best.offer(q, rank(score[q], item));
    }
  }
  best.write(part.best());
}

__device__ void list_hit(const HitList& list, uint32_t query, uint32_t item, float score) {
  const unsigned long long at = atomicAdd(list.found, 1ULL);
  if (at < list.capacity) list.hits[at] = {query, item, score};
}

template <typename Instance>
__global__ void __launch_bounds__(Instance::kThreads, kRowBlocks)
    row_hits_kernel(Rows rows, Queries queries, uint32_t lanes, HitList list) {
  RowReader<Instance> reader(rows, queries, lanes);
  float threshold[Instance::kQueries];
#pragma unroll
  for (uint32_t q = 0; q < Instance::kQueries; ++q) {
    threshold[q] = q < queries.count ? list.threshold[q] : INFINITY;
  }
  const RowRange range = range_of(rows.count, blockIdx.x, gridDim.x);
  for (uint32_t first = range.begin; first < range.end; first += reader.step()) {
    reader.load(first, range.end);
    float score[Instance::kQueries];
    reader.scores(score);
    if (!reader.speaks()) continue;
    const auto item = static_cast<uint32_t>(rows.first + reader.row());
#pragma unroll
    for (uint32_t q = 0; q < Instance::kQueries; ++q) {
      if (score[q] > threshold[q]) list_hit(list, q, item, score[q]);
    }
  }
}

// Rows too long for registers: a warp for each, one query.
constexpr uint32_t kWideWarps = 8;
constexpr uint32_t kWideThreads = kWideWarps * kWarp;

template <Element kElement>
__global__ void __launch_bounds__(kWideThreads, kRowBlocks)
    wide_top_kernel(Rows rows, Queries queries, TopPart part) {
  const BestItems best(dynamic_shared<Ranked>(), 1, part.top.k, part.capacity);
  best.begin(part.floor());
  uint32_t steps = 0;
  const RowRange range = range_of(rows.count, blockIdx.x, gridDim.x);
  for (uint32_t first = range.begin; first < range.end; first += kWideWarps) {
    if (steps == 0) steps = best.meet(kWideWarps);
    --steps;
    const uint32_t row = first + threadIdx.x / kWarp;
    if (row >= range.end) continue;
    const float score = wide_score<kElement>(rows, queries, row);
    if (threadIdx.x % kWarp > 0 || score < -FLT_MAX) continue;
    best.offer(0, rank(score, static_cast<uint32_t>(rows.first + row)));
  }
  best.write(part.best());
}

template <Element kElement>
__global__ void __launch_bounds__(kWideThreads, kRowBlocks)
    wide_hits_kernel(Rows rows, Queries queries, HitList list) {
  const RowRange range = range_of(rows.count, blockIdx.x, gridDim.x);
  for (uint32_t row = range.begin + threadIdx.x / kWarp; row < range.end; row += kWideWarps) {
    const float score = wide_score<kElement>(rows, queries, row);
    if (threadIdx.x % kWarp > 0 || !(score > list.threshold[0])) continue;
    list_hit(list, 0, static_cast<uint32_t>(rows.first + row), score);
  }
}

template <typename Instance>
uint32_t rows_of_step(const RowCut& cut) {
  return Instance::kWarps * Instance::kRows * (kWarp / cut.lanes);
}

// Answers as many of the queries from `first` on as shared memory has room for; `answered` says how many.
cudaError_t start_top(const Rows& rows, const Queries& queries, uint32_t first, uint32_t splits,
                      const TopPartials& out, uint32_t* answered, cudaStream_t stream) {
  const RowCut cut = cut_of(rows);
  const uint32_t left = queries.count - first;
  return with_instance<Readout::kNone>(rows.element, cut.pieces, left, [&]<typename Instance>() {
    const uint32_t step = rows_of_step<Instance>(cut);
    uint32_t capacity = 0;
    uint32_t fitting = 0;
    for (uint32_t steps = 8; steps >= 2 && fitting < left; steps /= 2) {
      capacity = best_capacity(out.k, steps * step);
      fitting = static_cast<uint32_t>(kSharedBytes / best_bytes(1, capacity));
    }
    *answered = left < fitting ? left : (fitting == 0 ? 1 : fitting);
    const Queries these{.data = queries.data + uint64_t{first} * queries.pitch,
                        .scale = queries.scale + first,
                        .count = *answered,
                        .pitch = queries.pitch};
    const Shape shape{.grid = dim3(splits),
                      .block = dim3(Instance::kThreads),
                      .shared_bytes = best_bytes(*answered, capacity)};
    return launch(row_top_kernel<Instance>, shape, stream, rows, these, cut.lanes,
                  TopPart{out, capacity, first, queries.count});
  });
}

}  // namespace

cudaError_t row_top(const Rows& rows, const Queries& queries, uint32_t splits, const TopPartials& out,
                    cudaStream_t stream) {
  if (cut_of(rows).pieces == 0) {
    const uint32_t capacity = best_capacity(out.k, 32 * kWideWarps);
    const Shape shape{
        .grid = dim3(splits), .block = dim3(kWideThreads), .shared_bytes = best_bytes(1, capacity)};
    return with_element(rows.element, [&]<Element kElement>() {
      return launch(wide_top_kernel<kElement>, shape, stream, rows, queries, TopPart{out, capacity, 0, 1});
    });
  }
  for (uint32_t first = 0, answered = 0; first < queries.count; first += answered) {
    const cudaError_t error = start_top(rows, queries, first, splits, out, &answered, stream);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t row_hits(const Rows& rows, const Queries& queries, uint32_t splits, const HitList& out,
                     cudaStream_t stream) {
  const RowCut cut = cut_of(rows);
  if (cut.pieces == 0) {
    const Shape shape{.grid = dim3(splits), .block = dim3(kWideThreads)};
    return with_element(rows.element, [&]<Element kElement>() {
      return launch(wide_hits_kernel<kElement>, shape, stream, rows, queries, out);
    });
  }
  return with_instance<Readout::kNone>(rows.element, cut.pieces, queries.count, [&]<typename Instance>() {
    const Shape shape{.grid = dim3(splits), .block = dim3(Instance::kThreads)};
    return launch(row_hits_kernel<Instance>, shape, stream, rows, queries, cut.lanes, out);
  });
}

}  // namespace engram::cuda
