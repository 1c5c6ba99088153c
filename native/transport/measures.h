// A memory of measures: clouds, the parameters of transport between them, and what is known of them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "engine/backend.h"
#include "transport/clouds.h"

namespace engram::transport {

struct MeasureOptions {
  double epsilon = 0;       // entropic regularisation, > 0, in units of the cost
  bool relative = false;    // epsilon is in units of mean_cost() of the clouds
  double cost_scale = 0.5;  // kappa > 0; 1/2 makes the gradient of the cost a plain displacement
};

// The stored side: clouds, epsilon, priors, and what is computed of them once (self potentials).
class SelfTerms;
class MeasureMemory {
 public:
  // `log_prior` has one finite number for each cloud, or none (0). kShape, kNonFinite, kRange: epsilon or
  // cost_scale not positive and finite; a relative epsilon where all points coincide.
  static Result<std::shared_ptr<MeasureMemory>> create(std::shared_ptr<const Clouds> clouds,
                                                       const MeasureOptions& options,
                                                       std::vector<float> log_prior = {});
  ~MeasureMemory();

  const Clouds& clouds() const noexcept { return *clouds_; }
  double epsilon() const noexcept { return epsilon_; }  // absolute
  double cost_scale() const noexcept { return cost_scale_; }
  std::span<const float> log_prior() const noexcept { return log_prior_; }  // empty: all 0
  // Made by the first request that needs them.
  SelfTerms& self_terms() const noexcept { return *self_terms_; }
  size_t native_bytes() const;

  // Moves the solving of pairs to a backend, for the calls that follow. kOutOfMemory where its device has no
  // room for the clouds. Not while calls run.
  Status place(const engine::Backend& backend);
  const engine::Backend& backend() const noexcept { return *backend_; }
  // Null on the CPU.
  const engine::PairSolver* pair_solver() const noexcept { return pair_solver_.get(); }
  uint64_t device_bytes() const { return pair_solver_ == nullptr ? 0 : pair_solver_->bytes(); }

 private:
  MeasureMemory() = default;

  std::shared_ptr<const Clouds> clouds_;
  double epsilon_ = 0;
  double cost_scale_ = 0;
  std::vector<float> log_prior_;
  std::unique_ptr<SelfTerms> self_terms_;
  const engine::Backend* backend_ = nullptr;
  std::shared_ptr<const engine::PairSolver> pair_solver_;
};

}  // namespace engram::transport
