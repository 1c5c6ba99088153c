#include "cuda/pair_batch.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <span>
#include <unordered_map>
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

Layout lay_out(const EngramPairs& batch, uint64_t most_bytes) {
  Layout layout;
  const uint32_t* const offsets = batch.stored->offsets;
  for (uint64_t p = 0; p < batch.count; ++p) {
    const uint32_t q = batch.query[p];
    const uint32_t k = batch.cloud[p];
    Pair pair;
    pair.first_x = batch.queries->offsets[q];
    pair.rows = batch.queries->offsets[q + 1] - pair.first_x;
    pair.columns = offsets[k + 1] - offsets[k];
    pair.potential = layout.potentials;
    pair.solution = static_cast<uint32_t>(p);
    pair.row = layout.rows;
    layout.potentials += pair.columns;
    layout.rows += pair.rows;
    const uint64_t bytes = pair_bytes(pair.rows, pair.columns, batch.stored->dim);
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

// Clouds of a batch that are not on the device: each once, one behind the other.
class PassingClouds {
 public:
  explicit PassingClouds(const EngramPairs& batch) {
    if (batch.resident != nullptr) return;
    const EngramCloudSet& stored = *batch.stored;
    for (uint64_t p = 0; p < batch.count; ++p) {
      const uint32_t k = batch.cloud[p];
      if (!first_.try_emplace(k, weights_.size()).second) continue;
      const uint64_t first = stored.offsets[k];
      const uint64_t last = stored.offsets[k + 1];
      points_.insert(points_.end(), stored.points + first * stored.dim, stored.points + last * stored.dim);
      weights_.insert(weights_.end(), stored.weights + first, stored.weights + last);
    }
  }

  const std::vector<float>& points() const noexcept { return points_; }
  const std::vector<double>& weights() const noexcept { return weights_; }
  uint64_t first_point(uint32_t cloud) const { return first_.at(cloud); }

 private:
  std::vector<float> points_;
  std::vector<double> weights_;
  std::unordered_map<uint32_t, uint64_t> first_;
};

// What the device holds for a batch.
struct Memory {
  double* points;  // of the queries
  double* weights;
  Pair* pairs;
  double* potentials;
  EngramPairSolution* solutions;
  double* transforms;
  double* projections;
  CloudArrays passing;
  std::byte* large;

  static Memory cut(Cutter& cutter, const EngramPairs& batch, const Layout& layout,
                    const PassingClouds& passing) {
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
    memory.passing = CloudArrays::cut(cutter, passing.weights().size(), queries.dim);
    memory.large = cutter.take<std::byte>(layout.large_bytes);
    return memory;
  }
};

// Says where the stored clouds of the pairs lie on the device.
void point_at_clouds(std::vector<Pair>& pairs, const EngramPairs& batch, const PassingClouds& passing,
                     const CloudArrays& passing_at) {
  const auto* resident = reinterpret_cast<const ResidentClouds*>(batch.resident);
  const CloudArrays& at = resident != nullptr ? resident->arrays() : passing_at;
  for (Pair& pair : pairs) {
    const uint32_t cloud = batch.cloud[pair.solution];
    const uint64_t first = resident != nullptr ? batch.stored->offsets[cloud] : passing.first_point(cloud);
    pair.y = at.points + first * batch.stored->dim;
    pair.b = at.weights + first;
  }
}

}  // namespace

Status solve_batch(Lane& lane, const EngramPairs& batch) {
  if (batch.count == 0) return {};
  Status status = use_device(lane.device());
  if (!status.ok()) return status;
  uint64_t most_bytes = 0;
  status = check(most_pair_bytes(most_bytes), lane.device(), "asking for its shared memory");
  if (!status.ok()) return status;
  Layout layout = lay_out(batch, most_bytes);
  const PassingClouds passing(batch);
  Cutter counted;
  Memory::cut(counted, batch, layout, passing);
  status = lane.workspace.reserve(Buffer::Kind::kDevice, lane.device(), counted.used(), "pairs of clouds");
  if (status.ok()) status = lane.transfer().reserve(counted.used() - layout.large_bytes);
  if (!status.ok()) return status;
  Cutter cutter(lane.workspace.as<void>());
  const Memory memory = Memory::cut(cutter, batch, layout, passing);
  for (Group& group : layout.groups) point_at_clouds(group.pairs, batch, passing, memory.passing);
  point_at_clouds(layout.large, batch, passing, memory.passing);

  const cudaStream_t stream = lane.stream().get();
  const uint32_t dim = batch.stored->dim;
  cudaError_t error = cudaSuccess;
  const auto give = [&](auto* to, const auto* from, uint64_t count) {
    if (error == cudaSuccess) error = lane.transfer().send(to, from, count);
  };
  const uint64_t points = batch.queries->offsets[batch.queries->count];
  give(memory.points, batch.queries->points, points * dim);
  give(memory.weights, batch.queries->weights, points);
  give(memory.passing.points, passing.points().data(), passing.points().size());
  give(memory.passing.weights, passing.weights().data(), passing.weights().size());
  give(memory.potentials, batch.potentials, layout.potentials);
  if (error == cudaSuccess && !layout.large.empty()) {
    error = cudaMemsetAsync(memory.solutions, 0, batch.count * sizeof(EngramPairSolution), stream);
  }
  PairBatch pairs{.x = memory.points,
                  .a = memory.weights,
                  .pairs = memory.pairs,
                  .potentials = memory.potentials,
                  .solutions = memory.solutions,
                  .transforms = memory.transforms,
                  .projections = memory.projections,
                  .dim = dim,
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
    if (error == cudaSuccess) error = lane.transfer().fetch(to, from, count);
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
    fetch(batch.projections, memory.projections, layout.rows * dim);
    if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  }
  if (error != cudaSuccess) cudaStreamSynchronize(stream);  // of what is let go here nothing is still copied
  return check(error, lane.device(), "solving pairs of clouds");
}

}  // namespace engram::cuda
