// Entropic transport between point clouds, many pairs at once, on a device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/status.h"

namespace engram::engine {

// Clouds side by side: cloud k has the points [offsets[k], offsets[k + 1]).
struct CloudSet {
  std::span<const float> points;      // offsets.back() x dim
  std::span<const double> weights;    // offsets.back(); those of a cloud are >= 0 and sum to 1
  std::span<const uint32_t> offsets;  // count + 1
  size_t dim = 0;
};

// The same with points in Float64: measures that flow.
struct MeasureSet {
  std::span<const double> points;
  std::span<const double> weights;
  std::span<const uint32_t> offsets;
  size_t dim = 0;
};

// What became of a pair. Where the dual value lies with respect to the problem's, and what bounds the error,
// is said in transport/problem.h.
struct PairSolution {
  double value = 0;
  double residual = 0;  // L1, of the second marginal, by Float64
  double spread = 0;    // max_i (max_j - min_j) of the costs, over points with mass
  double range = 0;     // max_j - min_j of the potential, over points with mass
  uint32_t iterations = 0;
  bool converged = false;
};

// Pairs of a query, the first measure, and a stored cloud, the second.
struct PairBatch {
  MeasureSet queries;
  std::span<const uint32_t> query;  // of each pair
  std::span<const uint32_t> cloud;  // of each pair
  double cost_scale = 0.5;
  double epsilon = 1;
  double tolerance = 1e-6;  // 0: all iterations
  uint32_t max_iterations = 1000;
  // In: where to begin; out: where it ended. For the points of the stored cloud, pair by pair one behind the
  // other.
  std::span<double> potentials;
  std::span<PairSolution> solutions;
  // For the points of the query, pair by pair, and empty where they are not wanted: the soft c-transform of
  // the potential, and the barycentric projections (x dim).
  std::span<double> transforms;
  std::span<double> projections;
  // Asked every few milliseconds where pairs take longer; false ends the call with kAborted. May be empty.
  std::function<bool()> keep_going;
};

class PairSolver {
 public:
  virtual ~PairSolver() = default;
  virtual uint64_t bytes() const = 0;  // of the device
  // Whether a pair of so many points can be solved there.
  virtual bool fits(size_t rows, size_t columns) const = 0;
  // Solves all pairs, each of which fits; the calling thread waits. Pairs that converge too slowly for plain
  // iterations end early, not converged. kDevice, kOutOfMemory, kAborted.
  virtual Status solve(const PairBatch& batch) const = 0;
};

}  // namespace engram::engine
