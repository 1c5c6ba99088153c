#include <cfloat>

#include "cuda/combine.h"
#include "cuda/launch.h"
#include "cuda/ptx.h"
#include "cuda/select.h"

namespace engram::cuda {
namespace {

constexpr uint32_t kThreads = 256;
constexpr uint32_t kColumns = 32;  // of a readout that a block combines
constexpr uint32_t kGroups = kThreads / kColumns;
constexpr uint32_t kCandidates = 4 * kThreads;  // of the best items, between two sorts

__global__ void begin_softmax_kernel(SoftmaxState state, uint32_t queries, uint64_t elements) {
  const uint64_t i = uint64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < queries) {
    state.max[i] = -FLT_MAX;
    state.sum[i] = 0;
  }
  if (i < elements) state.readout[i] = 0;
}

// The largest of one number per thread, for all threads.
__device__ float block_max(float value, float* scratch) {
  __syncthreads();
  scratch[threadIdx.x] = value;
  for (uint32_t half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) scratch[threadIdx.x] = fmaxf(scratch[threadIdx.x], scratch[threadIdx.x + half]);
  }
  __syncthreads();
  return scratch[0];
}

// The maximum of the state and of all partial answers of a query.
__device__ float joint_max(const SoftmaxState& state, const SoftmaxPartials& partials, uint32_t splits,
                           uint32_t queries, uint32_t query, float* scratch) {
  float max = state.max[query];
  for (uint32_t s = threadIdx.x; s < splits; s += kThreads) {
    max = fmaxf(max, partials.max[uint64_t{s} * queries + query]);
  }
  return block_max(max, scratch);
}

// Grid: queries x pieces of kColumns columns. Thread (group, column) takes every kGroups-th split; groups are
// added in their order. Runs before the sums are combined: it reads the state's old maximum.
__global__ void combine_readout_kernel(SoftmaxState state, SoftmaxPartials partials, uint32_t splits,
                                       uint32_t queries, uint32_t width) {
  double* const sums = dynamic_shared<double>();
  float* const scratch = reinterpret_cast<float*>(sums + kThreads);
  const uint32_t query = blockIdx.x;
  const float max = joint_max(state, partials, splits, queries, query, scratch);
  const uint32_t column = blockIdx.y * kColumns + threadIdx.x % kColumns;
  const uint32_t group = threadIdx.x / kColumns;
  double sum = 0;
  for (uint32_t s = group; s < splits && column < width; s += kGroups) {
    const uint64_t row = uint64_t{s} * queries + query;
    sum += static_cast<double>(exp2_fast(partials.max[row] - max)) *
           static_cast<double>(partials.readout[row * width + column]);
  }
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (group > 0 || column >= width) return;
  float* const total = state.readout + uint64_t{query} * width + column;
  double result = static_cast<double>(*total) * static_cast<double>(exp2_fast(state.max[query] - max));
  for (uint32_t g = 0; g < kGroups; ++g) result += sums[g * kColumns + threadIdx.x];
  *total = static_cast<float>(result);
}

// One block for each query. Sums are added by a tree whose shape follows from the number of splits alone.
__global__ void combine_sum_kernel(SoftmaxState state, SoftmaxPartials partials, uint32_t splits,
                                   uint32_t queries) {
  double* const sums = dynamic_shared<double>();
  float* const scratch = reinterpret_cast<float*>(sums + kThreads);
  const uint32_t query = blockIdx.x;
  const float max = joint_max(state, partials, splits, queries, query, scratch);
  double sum = 0;
  for (uint32_t s = threadIdx.x; s < splits; s += kThreads) {
    const uint64_t row = uint64_t{s} * queries + query;
    sum += static_cast<double>(partials.sum[row]) * static_cast<double>(exp2_fast(partials.max[row] - max));
  }
  sums[threadIdx.x] = sum;
  for (uint32_t half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  __syncthreads();
  if (threadIdx.x > 0) return;
  state.sum[query] = state.sum[query] * static_cast<double>(exp2_fast(state.max[query] - max)) + sums[0];
  state.max[query] = max;
}

__global__ void finish_softmax_kernel(SoftmaxState state, uint32_t width, uint64_t elements) {
  const uint64_t i = uint64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= elements) return;
  const double sum = state.sum[i / width];
  state.readout[i] = sum > 0 ? static_cast<float>(state.readout[i] / sum) : 0.0F;
}

__global__ void begin_top_kernel(Ranked* state, float* floor, uint32_t queries, uint64_t items) {
  const uint64_t i = uint64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < queries) floor[i] = -INFINITY;
  if (i < items) state[i] = 0;
}

// One block for each query. The state goes first: what is not better than its k-th is not looked at again.
__global__ void combine_top_kernel(Ranked* state, float* floor, TopPartials partials, uint32_t splits,
                                   uint32_t queries) {
  const uint32_t query = blockIdx.x;
  const uint32_t k = partials.k;
  Ranked* const known = state + uint64_t{query} * k;
  const BestItems best(dynamic_shared<Ranked>(), 1, k, best_capacity(k, kCandidates));
  best.begin(nullptr);
  for (uint32_t r = threadIdx.x; r < k; r += kThreads) best.offer(0, known[r]);
  __syncthreads();
  if (threadIdx.x == 0) best.least[0] = known[k - 1];
  const uint64_t candidates = uint64_t{splits} * k;
  uint32_t steps = 0;  // until the block meets
  for (uint64_t first = 0; first < candidates; first += kThreads) {
    if (steps == 0) steps = best.meet(kThreads);
    --steps;
    const uint64_t candidate = first + threadIdx.x;
    if (candidate >= candidates) continue;
    best.offer(0, partials.best[(candidate / k * queries + query) * k + candidate % k]);
  }
  best.write(known);
  if (threadIdx.x == 0) floor[query] = best.items[k - 1] != 0 ? score_of(best.items[k - 1]) : -INFINITY;
}

Shape flat(uint64_t elements) {
  Shape shape;
  shape.grid = dim3(static_cast<uint32_t>((elements + kThreads - 1) / kThreads));
  shape.block = dim3(kThreads);
  return shape;
}

}  // namespace

cudaError_t begin_softmax(const SoftmaxState& state, uint32_t queries, uint32_t width, cudaStream_t stream) {
  const uint64_t elements = uint64_t{queries} * width;
  return launch(begin_softmax_kernel, flat(elements > queries ? elements : queries), stream, state, queries,
                elements);
}

cudaError_t combine_softmax(const SoftmaxState& state, const SoftmaxPartials& partials, uint32_t splits,
                            uint32_t queries, uint32_t width, cudaStream_t stream) {
  Shape shape{.grid = dim3(queries, (width + kColumns - 1) / kColumns),
              .block = dim3(kThreads),
              .shared_bytes = kThreads * (sizeof(float) + sizeof(double))};
  if (width > 0) {
    const cudaError_t error =
        launch(combine_readout_kernel, shape, stream, state, partials, splits, queries, width);
    if (error != cudaSuccess) return error;
  }
  shape.grid = dim3(queries);
  return launch(combine_sum_kernel, shape, stream, state, partials, splits, queries);
}

cudaError_t finish_softmax(const SoftmaxState& state, uint32_t queries, uint32_t width, cudaStream_t stream) {
  const uint64_t elements = uint64_t{queries} * width;
  return launch(finish_softmax_kernel, flat(elements), stream, state, width, elements);
}

cudaError_t begin_top(Ranked* state, float* floor, uint32_t queries, uint32_t k, cudaStream_t stream) {
  const uint64_t items = uint64_t{queries} * k;
  return launch(begin_top_kernel, flat(items), stream, state, floor, queries, items);
}

cudaError_t combine_top(Ranked* state, float* floor, const TopPartials& partials, uint32_t splits,
                        uint32_t queries, cudaStream_t stream) {
  const Shape shape{.grid = dim3(queries),
                    .block = dim3(kThreads),
                    .shared_bytes = best_bytes(1, best_capacity(partials.k, kCandidates))};
  return launch(combine_top_kernel, shape, stream, state, floor, partials, splits, queries);
}

}  // namespace engram::cuda
