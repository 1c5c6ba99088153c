#include "cuda/intake.h"
#include "cuda/launch.h"
#include "cuda/ptx.h"

namespace engram::cuda {
namespace {

constexpr uint32_t kThreads = 256;
constexpr uint32_t kWarp = 32;
constexpr uint32_t kMostBlocks = 4096;  // rows beyond are taken in turns

__device__ float warp_sum(float value) {
  for (uint32_t lane = kWarp / 2; lane > 0; lane /= 2) value += __shfl_xor_sync(0xFFFFFFFFU, value, lane);
  return value;
}
__device__ float warp_max(float value) {
  for (uint32_t lane = kWarp / 2; lane > 0; lane /= 2) {
    value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFU, value, lane));
  }
  return value;
}

// Bits of numbers that are not negative sort as the numbers do.
__device__ void raise(float* to, float value) {
  atomicMax(reinterpret_cast<unsigned int*>(to), __float_as_uint(value));
}

// Stores two elements of a row and gives back what was stored.
template <Element kElement>
__device__ float2 store_pair(void* row, uint32_t pair, float2 x) {
  if constexpr (kElement == Element::kFloat32) {
    static_cast<float2*>(row)[pair] = x;
    return x;
  } else if constexpr (kElement == Element::kFloat16) {
    const uint32_t bits = pack_f16(x.x, x.y);
    static_cast<uint32_t*>(row)[pair] = bits;
    return unpack_f16(bits);
  } else {
    const uint32_t bits = pack_bf16(x.x, x.y);
    static_cast<uint32_t*>(row)[pair] = bits;
    return unpack_bf16(bits);
  }
}

// The pair-th two elements of a row as stored.
template <Element kElement>
__device__ float2 load_pair(const void* row, uint32_t pair) {
  if constexpr (kElement == Element::kFloat32) {
    return static_cast<const float2*>(row)[pair];
  } else if constexpr (kElement == Element::kFloat16) {
    return unpack_f16(static_cast<const uint32_t*>(row)[pair]);
  } else {
    return unpack_bf16(static_cast<const uint32_t*>(row)[pair]);
  }
}

// A warp for each row, a lane for each pair of columns.
template <Element kElement>
__global__ void take_rows_kernel(const float* from, uint64_t count, uint32_t dim, char* to, uint32_t pitch,
                                 float* square_norms, IntakeFacts* facts) {
  constexpr uint32_t kBytes = kElement == Element::kFloat32 ? 4 : 2;
  const uint32_t lane = threadIdx.x % kWarp;
  const uint64_t warps = uint64_t{gridDim.x} * (kThreads / kWarp);
  float largest = 0;
  for (uint64_t row = (uint64_t{blockIdx.x} * kThreads + threadIdx.x) / kWarp; row < count; row += warps) {
    float sum = 0;
    for (uint32_t pair = lane; pair < pitch / 2; pair += kWarp) {
      const uint32_t column = 2 * pair;
      float2 x{0.0F, 0.0F};
      if (column < dim) x.x = from[row * dim + column];
      if (column + 1 < dim) x.y = from[row * dim + column + 1];
      const float2 stored = store_pair<kElement>(to + row * pitch * kBytes, pair, x);
      sum = fmaf(stored.x, stored.x, fmaf(stored.y, stored.y, sum));
    }
    if (square_norms == nullptr) continue;
    sum = warp_sum(sum);
    if (sum < kSquareLimit) {  // false for NaN
      largest = fmaxf(largest, sum);
    } else {
      for (uint32_t pair = lane; pair < pitch / 2; pair += kWarp) {
        store_pair<kElement>(to + row * pitch * kBytes, pair, {0.0F, 0.0F});
      }
      sum = INFINITY;
    }
    if (lane == 0) square_norms[row] = sum;
  }
  if (lane == 0 && facts != nullptr && square_norms != nullptr) raise(&facts->largest_square_norm, largest);
}

// A warp for each row, as above.
template <Element kElement>
__global__ void refuse_values_kernel(char* values, uint64_t count, uint32_t pitch, float* square_norms) {
  constexpr uint32_t kBytes = kElement == Element::kFloat32 ? 4 : 2;
  const uint32_t lane = threadIdx.x % kWarp;
  const uint64_t warps = uint64_t{gridDim.x} * (kThreads / kWarp);
  for (uint64_t row = (uint64_t{blockIdx.x} * kThreads + threadIdx.x) / kWarp; row < count; row += warps) {
    char* const value = values + row * pitch * kBytes;
    bool fits = true;
    for (uint32_t pair = lane; pair < pitch / 2; pair += kWarp) {
      const float2 x = load_pair<kElement>(value, pair);
      fits = fits && fabsf(x.x) < kValueLimit && fabsf(x.y) < kValueLimit;  // false for NaN
    }
    if (__all_sync(0xFFFFFFFFU, fits ? 1 : 0) != 0) continue;
    for (uint32_t pair = lane; pair < pitch / 2; pair += kWarp)
      store_pair<kElement>(value, pair, {0.0F, 0.0F});
    if (lane == 0) square_norms[row] = INFINITY;
  }
}

__global__ void largest_norm_kernel(Rows rows, float* largest) {
  float found = 0;
  for (uint64_t row = uint64_t{blockIdx.x} * kThreads + threadIdx.x; row < rows.count;
       row += uint64_t{gridDim.x} * kThreads) {
    const auto index = static_cast<uint32_t>(row);
    if (!is_removed(rows, index)) found = fmaxf(found, rows.square_norms[index]);
  }
  found = warp_max(found);
  if (threadIdx.x % kWarp == 0) raise(largest, found);
}

Shape blocks_for(uint64_t items, uint32_t per_block) {
  const uint64_t blocks = (items + per_block - 1) / per_block;
  Shape shape;
  shape.grid = dim3(static_cast<uint32_t>(blocks < kMostBlocks ? blocks : kMostBlocks));
  shape.block = dim3(kThreads);
  return shape;
}

}  // namespace

cudaError_t take_rows(const float* from, uint64_t count, uint32_t dim, void* to, uint32_t pitch,
                      Element element, float* square_norms, IntakeFacts* facts, cudaStream_t stream) {
  const Shape shape = blocks_for(count, kThreads / kWarp);
  char* const rows = static_cast<char*>(to);
  switch (element) {
    case Element::kFloat16:
      return launch(take_rows_kernel<Element::kFloat16>, shape, stream, from, count, dim, rows, pitch,
                    square_norms, facts);
    case Element::kBfloat16:
      return launch(take_rows_kernel<Element::kBfloat16>, shape, stream, from, count, dim, rows, pitch,
                    square_norms, facts);
    case Element::kFloat32: break;
  }
  return launch(take_rows_kernel<Element::kFloat32>, shape, stream, from, count, dim, rows, pitch,
                square_norms, facts);
}

cudaError_t refuse_values(void* values, uint64_t count, uint32_t pitch, Element element, float* square_norms,
                          cudaStream_t stream) {
  const Shape shape = blocks_for(count, kThreads / kWarp);
  char* const rows = static_cast<char*>(values);
  switch (element) {
    case Element::kFloat16:
      return launch(refuse_values_kernel<Element::kFloat16>, shape, stream, rows, count, pitch, square_norms);
    case Element::kBfloat16:
      return launch(refuse_values_kernel<Element::kBfloat16>, shape, stream, rows, count, pitch,
                    square_norms);
    case Element::kFloat32: break;
  }
  return launch(refuse_values_kernel<Element::kFloat32>, shape, stream, rows, count, pitch, square_norms);
}

cudaError_t largest_norm(const Rows& rows, float* largest, cudaStream_t stream) {
  return launch(largest_norm_kernel, blocks_for(rows.count, kThreads), stream, rows, largest);
}

cudaError_t take_queries(const float* from, uint32_t count, uint32_t dim, float* to, uint32_t pitch,
                         cudaStream_t stream) {
  return take_rows(from, count, dim, to, pitch, Element::kFloat32, nullptr, nullptr, stream);
}

}  // namespace engram::cuda
