#include <cfloat>

#include "cuda/launch.h"
#include "cuda/row_fold.h"
#include "cuda/row_instances.h"
#include "cuda/row_reader.h"

namespace engram::cuda {
namespace {

// What the warps of a block bring together, in their order: maximum and sum [warp][query] and, under that
// maximum, the readout [warp][query][width].
struct WarpAnswers {
  float* max;
  float* sum;
  float* readout;
};

template <typename Instance>
__device__ WarpAnswers warp_answers(float* shared) {
  constexpr uint32_t kAnswers = Instance::kWarps * Instance::kQueries;
  return {shared, shared + kAnswers, shared + 2 * kAnswers};
}
template <typename Instance>
size_t warp_answers_bytes(uint32_t width) {
  return uint64_t{Instance::kWarps} * Instance::kQueries * (width + 2) * sizeof(float);
}

template <typename Instance>
__device__ void combine_warps(const WarpAnswers& warps, uint32_t queries, uint32_t width,
                              const SoftmaxPartials& out) {
  for (uint32_t q = 0; q < queries; ++q) {
    float most = -FLT_MAX;
    for (uint32_t w = 0; w < Instance::kWarps; ++w) most = fmaxf(most, warps.max[w * Instance::kQueries + q]);
    const auto factor = [&](uint32_t w) { return exp2_fast(warps.max[w * Instance::kQueries + q] - most); };
    const uint64_t at = uint64_t{blockIdx.x} * queries + q;
    if (threadIdx.x == 0) {
      float total = 0;
      for (uint32_t w = 0; w < Instance::kWarps; ++w) {
        total = fmaf(factor(w), warps.sum[w * Instance::kQueries + q], total);
      }
      out.max[at] = most;
      out.sum[at] = total;
    }
    for (uint32_t d = threadIdx.x; d < width; d += Instance::kThreads) {
      float total = 0;
      for (uint32_t w = 0; w < Instance::kWarps; ++w) {
        total = fmaf(factor(w), warps.readout[(w * Instance::kQueries + q) * width + d], total);
      }
      out.readout[at * width + d] = total;
    }
  }
}

// A warp's softmax over the rows met so far. The maximum is that of the warp; sums are of the rows that a
// lane answers for, readouts of the rows of its group.
template <typename Instance>
struct OnlineSoftmax {
  static constexpr int kQueries = Instance::kQueries;
  static constexpr int kPieces = Instance::kPieces;
  static constexpr uint32_t kElements = Instance::kElements;
  static constexpr bool kReads = Instance::kReadout != Readout::kNone;

  float max[kQueries];
  float sum[kQueries];
  float readout[kReads ? kQueries : 1][kPieces][kElements];

  __device__ OnlineSoftmax() {
#pragma unroll
    for (int q = 0; q < kQueries; ++q) {
      max[q] = -FLT_MAX;
      sum[q] = 0;
    }
    for_each_number([](int, int, uint32_t, float& x) { x = 0; });
  }

  template <typename Run>
  __device__ void for_each_number(Run run) {
    if constexpr (kReads) {
#pragma unroll
      for (int q = 0; q < kQueries; ++q) {
#pragma unroll
        for (int p = 0; p < kPieces; ++p) {
#pragma unroll
          for (uint32_t e = 0; e < kElements; ++e) run(q, p, e, readout[q][p][e]);
        }
      }
    }
  }

  // Scores become weights under the maximum. It is seldom raised once some rows were met.
  __device__ void weigh(float (&score)[kQueries]) {
#pragma unroll
    for (int q = 0; q < kQueries; ++q) {
      if (__any_sync(kAllLanes, score[q] > max[q])) raise(q, warp_max(fmaxf(score[q], max[q])));
      score[q] = exp2_fast(score[q] - max[q]);
      sum[q] += score[q];
    }
  }
  __device__ void raise(int q, float most) {
    const float rescale = exp2_fast(max[q] - most);
    max[q] = most;
    sum[q] *= rescale;
    if constexpr (kReads) {
#pragma unroll
      for (int p = 0; p < kPieces; ++p) {
#pragma unroll
        for (uint32_t e = 0; e < kElements; ++e) readout[q][p][e] *= rescale;
      }
    }
  }

  // Adds the rows that the reader has loaded.
  __device__ void read_out(const RowReader<Instance>& reader, const float (&weight)[kQueries]) {
#pragma unroll
    for (int r = 0; r < Instance::kRows; ++r) {
      float w[kQueries];
#pragma unroll
      for (int q = 0; q < kQueries; ++q) w[q] = __shfl_sync(kAllLanes, weight[q], r, reader.lanes());
#pragma unroll
      for (int p = 0; p < kPieces; ++p) {
        float x[kElements];
        reader.readout(r, p, x);
#pragma unroll
        for (int q = 0; q < kQueries; ++q) {
#pragma unroll
          for (uint32_t e = 0; e < kElements; ++e) readout[q][p][e] = fmaf(w[q], x[e], readout[q][p][e]);
        }
      }
    }
  }

  __device__ void write(const RowReader<Instance>& reader, uint32_t width, const WarpAnswers& to) {
    const uint32_t first = threadIdx.x / kWarp * kQueries;
#pragma unroll
    for (int q = 0; q < kQueries; ++q) {
      const float total = warp_sum(reader.speaks() ? sum[q] : 0.0F);
      if (threadIdx.x % kWarp > 0) continue;
      to.max[first + q] = max[q];
      to.sum[first + q] = total;
    }
    for_each_number([&](int q, int p, uint32_t e, float& x) {
      for (uint32_t apart = reader.lanes(); apart < kWarp; apart *= 2) {
        x += __shfl_xor_sync(kAllLanes, x, apart);
      }
      const uint32_t column = reader.column(p) + e;
      if (threadIdx.x % kWarp < reader.lanes() && column < width) {
        to.readout[(first + q) * width + column] = x;
      }
    });
  }
};

template <typename Instance>
__global__ void __launch_bounds__(Instance::kThreads, kRowBlocks)
    row_softmax_kernel(Rows rows, Queries queries, uint32_t lanes, SoftmaxPartials out) {
  RowReader<Instance> reader(rows, queries, lanes);
  OnlineSoftmax<Instance> softmax;
  const RowRange range = range_of(rows.count, blockIdx.x, gridDim.x);
  for (uint32_t first = range.begin; first < range.end; first += reader.step()) {
    reader.load(first, range.end);
    float weight[Instance::kQueries];
    reader.scores(weight);
    softmax.weigh(weight);
    if constexpr (Instance::kReadout != Readout::kNone) softmax.read_out(reader, weight);
  }
  const WarpAnswers answers = warp_answers<Instance>(dynamic_shared<float>());
  softmax.write(reader, rows.width, answers);
  __syncthreads();
  combine_warps<Instance>(answers, queries.count, rows.width, out);
}

// Rows too long for registers, for one query. A block takes kWideRows rows at a time: its warps score them,
// then its threads read them out, each some columns. What was scored is still in the second cache when it is
// read out. Blocks (split, y) read out the y-th kWideColumns columns; each scores for itself.
constexpr uint32_t kWideWarps = 8;
constexpr uint32_t kWideThreads = kWideWarps * kWarp;
constexpr uint32_t kWideRows = 16;
constexpr uint32_t kWideColumns = 4096;

// Each thread keeps the same answer but for its columns.
template <Element kElement>
struct WideSoftmax {
  static constexpr uint32_t kElements = piece_elements(kElement);
  static constexpr uint32_t kPieces = kWideColumns / kElements / kWideThreads;

  float max = -FLT_MAX;
  float sum = 0;
  float readout[kPieces][kElements] = {};

  __device__ uint32_t piece(uint32_t p) const {
    return blockIdx.y * (kWideColumns / kElements) + p * kWideThreads + threadIdx.x;
  }

  __device__ void raise(const float* scores) {
    float most = max;
    for (uint32_t r = 0; r < kWideRows; ++r) most = fmaxf(most, scores[r]);
    const float rescale = exp2_fast(max - most);
    max = most;
    sum *= rescale;
#pragma unroll
    for (uint32_t p = 0; p < kPieces; ++p) {
#pragma unroll
      for (uint32_t e = 0; e < kElements; ++e) readout[p][e] *= rescale;
    }
  }

  __device__ void add(const Rows& rows, uint32_t first, uint32_t end, const float* scores) {
    const uint32_t pieces = rows.width == 0 ? 0 : rows.value_pitch / kElements;
#pragma unroll 4
    for (uint32_t r = 0; r < kWideRows; ++r) {
      const float weight = exp2_fast(scores[r] - max);
      sum += weight;
      const uint32_t row = first + r < end ? first + r : end - 1;
      const uint4* const from = static_cast<const uint4*>(rows.values) + uint64_t{row} * pieces;
#pragma unroll
      for (uint32_t p = 0; p < kPieces; ++p) {
        if (piece(p) >= pieces) continue;
        float x[kElements];
        unpack<kElement>(load_once(from + piece(p)), x);
#pragma unroll
        for (uint32_t e = 0; e < kElements; ++e) readout[p][e] = fmaf(weight, x[e], readout[p][e]);
      }
    }
  }

  __device__ void write(uint32_t width, const SoftmaxPartials& out) const {
    if (threadIdx.x == 0 && blockIdx.y == 0) {
      out.max[blockIdx.x] = max;
      out.sum[blockIdx.x] = sum;
    }
#pragma unroll
    for (uint32_t p = 0; p < kPieces; ++p) {
#pragma unroll
      for (uint32_t e = 0; e < kElements; ++e) {
        const uint32_t column = piece(p) * kElements + e;
        if (column < width) out.readout[uint64_t{blockIdx.x} * width + column] = readout[p][e];
      }
    }
  }
};

template <Element kElement>
__global__ void __launch_bounds__(kWideThreads, kRowBlocks)
    wide_softmax_kernel(Rows rows, Queries queries, SoftmaxPartials out) {
  float* scores = dynamic_shared<float>();  // of two steps: one barrier is enough then
  WideSoftmax<kElement> softmax;
  const RowRange range = range_of(rows.count, blockIdx.x, gridDim.x);
  uint32_t step = 0;
  for (uint32_t first = range.begin; first < range.end; first += kWideRows) {
    float* const score = scores + step++ % 2 * kWideRows;
    for (uint32_t r = threadIdx.x / kWarp; r < kWideRows; r += kWideWarps) {
      const uint32_t row = first + r;
      const float found = row < range.end ? wide_score<kElement>(rows, queries, row) : -INFINITY;
      if (threadIdx.x % kWarp == 0) score[r] = found;
    }
    __syncthreads();
    softmax.raise(score);
    softmax.add(rows, first, range.end, score);
  }
  softmax.write(rows.width, out);
}

template <Readout kReadout>
cudaError_t start_softmax(const Rows& rows, const Queries& queries, uint32_t splits,
                          const SoftmaxPartials& out, cudaStream_t stream) {
  const RowCut cut = cut_of(rows);
  return with_instance<kReadout>(rows.element, cut.pieces, queries.count, [&]<typename Instance>() {
    const Shape shape{.grid = dim3(splits),
                      .block = dim3(Instance::kThreads),
                      .shared_bytes = warp_answers_bytes<Instance>(rows.width)};
    return launch(row_softmax_kernel<Instance>, shape, stream, rows, queries, cut.lanes, out);
  });
}

cudaError_t start_wide_softmax(const Rows& rows, const Queries& queries, uint32_t splits,
                               const SoftmaxPartials& out, cudaStream_t stream) {
  const uint32_t columns = rows.width == 0 ? 1 : rows.width;
  const Shape shape{.grid = dim3(splits, (columns + kWideColumns - 1) / kWideColumns),
                    .block = dim3(kWideThreads),
                    .shared_bytes = 2 * kWideRows * sizeof(float)};
  return with_element(rows.element, [&]<Element kElement>() {
    return launch(wide_softmax_kernel<kElement>, shape, stream, rows, queries, out);
  });
}

}  // namespace

uint32_t most_row_queries(const Rows& rows) {
  const RowCut cut = cut_of(rows);
  return cut.pieces == 0 ? 1 : kMostNumbers / piece_elements(rows.element) / cut.pieces;
}

uint32_t row_fold_splits(const Rows& rows, uint32_t multiprocessors) {
  constexpr uint32_t kLeastBytes = 64 << 10;  // of keys, for a block: fewer are not worth combining
  const uint32_t row_bytes = rows.key_pitch * (16 / piece_elements(rows.element));
  const uint32_t least = row_bytes < kLeastBytes ? kLeastBytes / row_bytes : 1;
  const uint32_t most = multiprocessors * kRowBlocks;
  const uint32_t splits = rows.count == 0 ? 1 : (rows.count - 1) / least + 1;
  return splits < most ? splits : most;
}

cudaError_t row_softmax(const Rows& rows, const Queries& queries, uint32_t splits, const SoftmaxPartials& out,
                        cudaStream_t stream) {
  if (cut_of(rows).pieces == 0) return start_wide_softmax(rows, queries, splits, out, stream);
  if (rows.width == 0) return start_softmax<Readout::kNone>(rows, queries, splits, out, stream);
  if (rows.values == rows.keys) return start_softmax<Readout::kKeys>(rows, queries, splits, out, stream);
  return start_softmax<Readout::kValues>(rows, queries, splits, out, stream);
}

}  // namespace engram::cuda
