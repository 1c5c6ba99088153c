// Entropic transport between large clouds: some pairs at once, each spread over many multiprocessors.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <span>

#include "cuda/buffers.h"
#include "cuda/pair_solver.h"

namespace engram::cuda {

// A pair, and where what it needs lies on the device.
struct LargePair {
  const double* x = nullptr;  // rows x dim
  const double* a = nullptr;
  const float* y = nullptr;  // columns x dim
  const double* b = nullptr;
  uint32_t rows = 0;
  uint32_t columns = 0;
  uint32_t dim = 0;
  uint32_t stride = 0;  // columns rounded up to a warp
  double cost_scale = 0;
  double epsilon = 0;

  float* kernel = nullptr;        // rows x stride, zeros behind the columns
  float* u = nullptr;             // rows
  float* v = nullptr;             // stride: scalings
  float* before = nullptr;        // stride: v before its last update
  float* off = nullptr;           // stride: of the second marginal, at the scalings before
  uint32_t* unsafe_at = nullptr;  // the iteration whose scalings left the safe range
  double* h = nullptr;            // stride: exponents of the potential, with the weights
  double* marginal = nullptr;     // stride
  double* lse = nullptr;          // rows
  double* spread = nullptr;       // rows: of the costs, over columns with mass
  double* transforms = nullptr;   // rows; null: not wanted
  double* projections = nullptr;  // rows x dim
};

// What happens to a pair next.
struct LargeTurn {
  uint32_t builds = 0;
  uint32_t certifies = 0;
  uint32_t first = 1;  // iterations
  uint32_t last = 0;
};

// Pairs side by side, in memory of the device.
struct LargeTurns {
  const LargePair* pairs = nullptr;
  const LargeTurn* turns = nullptr;
  uint32_t count = 0;
  uint32_t most_rows = 0;
  uint32_t most_columns = 0;
};

inline constexpr uint64_t kMostLargeEntries = uint64_t{1} << 28;  // 1 GiB of kernel
inline bool large_fits(uint64_t rows, uint64_t columns) { return rows * columns <= kMostLargeEntries; }

// The kernels of exponents h, their rows with sum 1, and scalings of 1.
cudaError_t build_large(const LargeTurns& turns, cudaStream_t stream);
// Iteration first + step of each pair: a launch for each half. Nothing where an iteration before it was
// unsafe.
cudaError_t iterate_large(const LargeTurns& turns, uint32_t step, cudaStream_t stream);
// lse, spread and marginal of exponents h, in Float64.
cudaError_t certify_large(const LargeTurns& turns, cudaStream_t stream);
// Transforms and projections of each pair, as its last certificate has them.
cudaError_t project_large(const LargeTurns& turns, cudaStream_t stream);

// How many of the pairs, from the first on, are solved at once.
size_t large_group(std::span<const Pair> pairs);
// Bytes of the device for a group.
uint64_t large_bytes(std::span<const Pair> pairs);
// Solves a group as solve_pairs() does; waits for the device every few iterations. `batch` names points and
// weights on the device; `asked` names weights, potentials and solutions in host memory. `gave_up`: it was
// not to keep going.
struct LargeOutcome {
  cudaError_t error;
  bool gave_up;
};
LargeOutcome solve_large_pairs(const PairBatch& batch, std::span<const Pair> pairs, void* memory,
                               const EngramPairs& asked, cudaStream_t stream);

}  // namespace engram::cuda
