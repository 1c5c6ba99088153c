#include "cuda/pair_batch.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <span>
#include <vector>

#include "cuda/check.h"
#include "cuda/devices.h"
#include "cuda/large_pairs.h"
#include "cuda/pair_solver.h"
#include "cuda/resident_clouds.h"

namespace engram::cuda {
namespace {

// The pairs of one path, and the shared memory that the largest of them needs.
struct Group {
  std::vector<Pair> pairs;
  uint64_t most_bytes = 0;
};

// Pairs as the kernels want them, and what they need.
struct Layout {
  std::array<Group, std::size(kPairPaths)> groups;
  std::vector<Pair> large;   // those that no multiprocessor holds
  uint64_t large_bytes = 0;  // of the largest group of them
  uint64_t potentials = 0;   // numbers of all pairs together
  uint64_t rows = 0;
};

Layout lay_out(const EngramPairs& batch, const ResidentClouds& stored, uint64_t most_bytes) {
  Layout layout;
  for (uint64_t p = 0; p < batch.count; ++p) {
    const uint32_t q = batch.query[p];
    const uint32_t k = batch.cloud[p];
    Pair pair;
    pair.first_x = batch.queries->offsets[q];
    pair.rows = batch.queries->offsets[q + 1] - pair.first_x;
    pair.first_y = stored.offsets()[k];
    pair.columns = stored.offsets()[k + 1] - pair.first_y;
    pair.potential = layout.potentials;
    pair.solution = static_cast<uint32_t>(p);
    pair.row = layout.rows;
    layout.potentials += pair.columns;
    layout.rows += pair.rows;
    const uint64_t bytes = pair_bytes(pair.rows, pair.columns, stored.dim());
    if (bytes > most_bytes) {
      layout.large.push_back(pair);
      continue;
    }
    Group& group = layout.groups[static_cast<size_t>(pair_path(pair.rows, pair.columns))];
    group.most_bytes = std::max(group.most_bytes, bytes);
    group.pairs.push_back(pair);
  }
  for (std::span<const Pair> left(layout.large); !left.empty(); left = left.subspan(large_group(left))) {
    layout.large_bytes = std::max(layout.large_bytes, large_bytes(left.first(large_group(left))));
  }
  return layout;
}

// What the device holds for a batch.
struct Memory {
  double* points;  // of the queries
  double* weights;
  Pair* pairs;
  double* potentials;
  EngramPairSolution* solutions;
  double* transforms;
  double* projections;
  std::byte* large;

  static Memory cut(Cutter& cutter, const EngramPairs& batch, const Layout& layout) {
    Memory memory{};
    const EngramMeasureSet& queries = *batch.queries;
    memory.points = cutter.take<double>(uint64_t{queries.offsets[queries.count]} * queries.dim);
    memory.weights = cutter.take<double>(queries.offsets[queries.count]);
    memory.pairs = cutter.take<Pair>(batch.count);
    memory.potentials = cutter.take<double>(layout.potentials);
    memory.solutions = cutter.take<EngramPairSolution>(batch.count);
    if (batch.projections != nullptr) {
      memory.transforms = cutter.take<double>(layout.rows);
      memory.projections = cutter.take<double>(layout.rows * queries.dim);
    }
    memory.large = cutter.take<std::byte>(layout.large_bytes);
    return memory;
  }
};

}  // namespace

Status solve_batch(Lane& lane, const EngramPairs& batch) {
  if (batch.count == 0) return {};
  Status status = use_device(lane.device());
  if (!status.ok()) return status;
  const auto& stored = *reinterpret_cast<const ResidentClouds*>(batch.stored);
  uint64_t most_bytes = 0;
  status = check(most_pair_bytes(most_bytes), lane.device(), "asking for its shared memory");
  if (!status.ok()) return status;
  const Layout layout = lay_out(batch, stored, most_bytes);
  Cutter counted;
  Memory::cut(counted, batch, layout);
  status = lane.workspace.reserve(Buffer::Kind::kDevice, lane.device(), counted.used(), "pairs of clouds");
  if (!status.ok()) return status;
  Cutter cutter(lane.workspace.as<void>());
  const Memory memory = Memory::cut(cutter, batch, layout);

  const cudaStream_t stream = lane.stream().get();
  cudaError_t error = cudaSuccess;
  const auto give = [&](auto* to, const auto* from, uint64_t count) {
    if (error == cudaSuccess) {
      error = cudaMemcpyAsync(to, from, count * sizeof *to, cudaMemcpyHostToDevice, stream);
    }
  };
  const uint64_t points = batch.queries->offsets[batch.queries->count];
  give(memory.points, batch.queries->points, points * stored.dim());
  give(memory.weights, batch.queries->weights, points);
  give(memory.potentials, batch.potentials, layout.potentials);
  if (error == cudaSuccess && !layout.large.empty()) {
    error = cudaMemsetAsync(memory.solutions, 0, batch.count * sizeof(EngramPairSolution), stream);
  }
  PairBatch pairs{.x = memory.points,
                  .a = memory.weights,
                  .y = stored.arrays().points,
                  .b = stored.arrays().weights,
                  .pairs = memory.pairs,
                  .potentials = memory.potentials,
                  .solutions = memory.solutions,
                  .transforms = memory.transforms,
                  .projections = memory.projections,
                  .dim = stored.dim(),
                  .cost_scale = batch.cost_scale,
                  .epsilon = batch.epsilon,
                  .tolerance = batch.tolerance,
                  .max_iterations = batch.max_iterations};
  Pair* next = memory.pairs;
  for (const PairPath path : kPairPaths) {
    const Group& group = layout.groups[static_cast<size_t>(path)];
    if (group.pairs.empty()) continue;
    give(next, group.pairs.data(), group.pairs.size());
    if (error != cudaSuccess) break;
    pairs.pairs = next;
    pairs.count = static_cast<uint32_t>(group.pairs.size());
    error = solve_pairs(pairs, path, group.most_bytes, stream);
    next += group.pairs.size();
  }
  const auto fetch = [&](auto* to, const auto* from, uint64_t count) {
    if (error == cudaSuccess) {
      error = cudaMemcpyAsync(to, from, count * sizeof *to, cudaMemcpyDeviceToHost, stream);
    }
  };
  // Those of large pairs are not made there, and come after these.
  if (layout.large.size() < batch.count) fetch(batch.potentials, memory.potentials, layout.potentials);
  if (layout.large.size() < batch.count) fetch(batch.solutions, memory.solutions, batch.count);
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  for (std::span<const Pair> left(layout.large); !left.empty() && error == cudaSuccess;) {
    const std::span<const Pair> group = left.first(large_group(left));
    const LargeOutcome outcome = solve_large_pairs(pairs, group, memory.large, batch, stream);
    if (outcome.gave_up) return {StatusCode::kAborted, "the pairs are not wanted any more"};
    error = outcome.error;
    left = left.subspan(group.size());
  }
  if (batch.projections != nullptr) {
    fetch(batch.transforms, memory.transforms, layout.rows);
    fetch(batch.projections, memory.projections, layout.rows * stored.dim());
    if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  }
  if (error != cudaSuccess) cudaStreamSynchronize(stream);  // of what is let go here nothing is still copied
  return check(error, lane.device(), "solving pairs of clouds");
}

}  // namespace engram::cuda
