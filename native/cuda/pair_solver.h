// Entropic transport between small point clouds: many pairs at once, a block for each.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "engine/device_transport.h"

namespace engram::cuda {

// One problem: where its clouds and its potential lie.
struct Pair {
  const float* y = nullptr;   // points of nu, on the device
  const double* b = nullptr;  // their weights
  uint32_t columns = 0;       // how many
  uint32_t first_x = 0;       // first point of mu among those of the batch
  uint32_t rows = 0;
  uint64_t potential = 0;  // first number of g
  uint64_t row = 0;        // first of its rows among those of all pairs
  uint32_t solution = 0;   // where its solution goes
};

struct PairBatch {
  const double* x = nullptr;  // points of all mu, row-major
  const double* a = nullptr;
  const Pair* pairs = nullptr;
  double* potentials = nullptr;
  EngramPairSolution* solutions = nullptr;
  double* transforms = nullptr;   // of all rows; null: not wanted
  double* projections = nullptr;  // rows x dim
  uint32_t count = 0;
  uint32_t dim = 0;
  double cost_scale = 0;
  double epsilon = 0;
  double tolerance = 0;
  uint32_t max_iterations = 0;
};

// Components of a projection that one look at an entry of the plan serves.
inline constexpr uint32_t kProjectedAtOnce = 4;

// Where the kernel of a pair lies while it is solved, by the pair's size: registers (up to 64 x 64 points, up
// to 128 x 128), or shared memory.
enum class PairPath : uint8_t { kSmall, kMedium, kShared };
inline constexpr PairPath kPairPaths[] = {PairPath::kSmall, PairPath::kMedium, PairPath::kShared};
PairPath pair_path(uint64_t rows, uint64_t columns);

// Bytes of shared memory for a pair; it is solved by solve_pairs() where they are at most
// most_pair_bytes(), else by large_pairs.h.
uint64_t pair_bytes(uint64_t rows, uint64_t columns, uint64_t dim);
// What a block of the current device may have, but for what the largest devices have more.
cudaError_t most_pair_bytes(uint64_t& bytes);

// Pairs of one path. `most_bytes`: of the largest of them.
cudaError_t solve_pairs(const PairBatch& batch, PairPath path, uint64_t most_bytes, cudaStream_t stream);

}  // namespace engram::cuda
