// Pairs for one call of a device, gathered query by query.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/status.h"
#include "engine/pair_solver.h"
#include "transport/measures.h"
#include "transport/problem.h"
#include "transport/requests.h"

namespace engram::transport {

// Whether the memory has a device, and its Float32 kernels are what the options ask for.
bool asks_device(const MeasureMemory& memory, const SolveOptions& options);
// Where a request with these options runs: the memory's device, or the CPU where it would not be asked.
const engine::Backend& backend_for(const MeasureMemory& memory, const SolveOptions& options);

// What a device has found of a pair. Valid as long as its batch.
struct DeviceAnswer {
  const engine::PairSolution& solution;
  std::span<const double> potential;    // of the stored cloud, where it ended
  std::span<const double> transform;    // of it, at the query's points, and
  std::span<const double> projections;  // of them (x dim), where the batch asked for them
};

// False where the CPU is to go on with the pair.
inline bool is_final(const engine::PairSolution& found, const SolveOptions& options) {
  return found.converged || found.iterations >= options.max_iterations;
}

// A solution as the solvers of the CPU give it. kRange as check_exponents().
Result<Solution> solution_of(const engine::PairSolution& found, const Geometry& geometry);

class DeviceBatch {
 public:
  // `projects`: transforms and projections are wanted.
  DeviceBatch(const MeasureMemory& memory, const SolveOptions& options, bool projects);

  bool empty() const noexcept { return cloud_.empty(); }
  size_t count() const noexcept { return cloud_.size(); }
  // A few milliseconds of a device, after which the call may be cancelled.
  bool full() const noexcept;

  // The query of the pairs that follow.
  void begin_query(const Measure& mu);
  // Whether its pair with a stored cloud can be solved on the device.
  bool fits(size_t cloud) const;
  // Its pair with a stored cloud, which begins with this potential.
  void add(size_t cloud, std::span<const double> potential);

  // The calling thread waits. kDevice, kOutOfMemory, kAborted (see PairBatch::keep_going).
  Status solve(const std::function<bool()>& keep_going);
  DeviceAnswer answer(size_t pair) const;

 private:
  size_t rows(size_t pair) const { return offsets_[query_[pair] + 1] - offsets_[query_[pair]]; }

  const MeasureMemory& memory_;
  const Geometry geometry_;
  const SolveOptions options_;
  const bool projects_;

  std::vector<double> points_;  // of the queries
  std::vector<double> weights_;
  std::vector<uint32_t> offsets_{0};
  std::vector<uint32_t> query_;  // of each pair
  std::vector<uint32_t> cloud_;
  std::vector<size_t> first_potential_;  // of each pair
  std::vector<size_t> first_row_;
  size_t rows_ = 0;  // of all pairs
  size_t entries_ = 0;
  std::vector<double> potentials_;
  std::vector<double> transforms_;
  std::vector<double> projections_;
  std::vector<engine::PairSolution> solutions_;
};

}  // namespace engram::transport
