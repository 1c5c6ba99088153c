// Pairs that a device solves, before the CPU looks at what is left of them.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "engine/pair_solver.h"
#include "transport/measures.h"
#include "transport/phased_job.h"
#include "transport/requests.h"

namespace engram::transport {

// What a device has found of the pairs of a request: pair q * count + k is query q with stored cloud k.
class DeviceAnswers {
 public:
  // Null where the device was not asked.
  const engine::PairSolution* find(size_t pair) const {
    return pair < solutions_.size() && solutions_[pair].iterations > 0 ? &solutions_[pair] : nullptr;
  }
  // Where the device stopped, of a pair that the CPU is to go on with.
  const double* potential(size_t pair) const { return unsolved_.at(pair).data(); }

 private:
  friend class DevicePhase;
  std::vector<engine::PairSolution> solutions_;  // iterations 0: not asked
  std::unordered_map<size_t, std::vector<double>> unsolved_;
};

// One item, which goes from batch to batch: the thread that works on it waits for the device. None where
// asks_device() says no.
class DevicePhase final : public Phase {
 public:
  DevicePhase(const MeasureMemory& memory, const Clouds& queries, const SolveOptions& options,
              DeviceAnswers& answers);

  size_t items() const override { return applies_ ? 1 : 0; }
  uint64_t units_per_item() const override { return 0; }
  Result<bool> work(size_t item, Workspace& workspace, bool fresh, size_t& entries) override;

 private:
  Status solve_next(Workspace& workspace);

  const MeasureMemory& memory_;
  const Clouds& queries_;
  const SolveOptions options_;
  const bool applies_;
  DeviceAnswers& answers_;
  size_t next_ = 0;  // pair
};

}  // namespace engram::transport
