#include "transport/measures.h"

#include <cmath>
#include <string>

#include "base/numbers.h"
#include "engine/cpu_backend.h"
#include "transport/self_terms.h"

namespace engram::transport {
namespace {

Status check_positive(const char* name, double value) {
  if (std::isfinite(value) && value > 0) return {};
  return {StatusCode::kRange,
          std::string(name) + " is " + print_number(value) + "; expected a finite number above 0"};
}

Status check_prior(size_t count, const std::vector<float>& log_prior) {
  if (!log_prior.empty() && log_prior.size() != count) {
    return {StatusCode::kShape, "logPrior has " + std::to_string(log_prior.size()) + " numbers; expected " +
                                    std::to_string(count) + ", one for each cloud"};
  }
  for (size_t k = 0; k < log_prior.size(); ++k) {
    if (!std::isfinite(log_prior[k])) {
      return {StatusCode::kNonFinite, "logPrior[" + std::to_string(k) + "] is not finite"};
    }
  }
  return {};
}

}  // namespace

MeasureMemory::~MeasureMemory() = default;

Result<std::shared_ptr<MeasureMemory>> MeasureMemory::create(std::shared_ptr<const Clouds> clouds,
                                                             const MeasureOptions& options,
                                                             std::vector<float> log_prior) {
  for (Status status :
       {check_positive("epsilon", options.epsilon), check_positive("costScale", options.cost_scale),
        check_prior(clouds->count(), log_prior)}) {
    if (!status.ok()) return status;
  }
  double epsilon = options.epsilon;
  if (options.relative) {
    epsilon *= mean_cost(*clouds, options.cost_scale);
    if (!(epsilon > 0)) {
      return Status(StatusCode::kRange,
                    "epsilon is relative to the mean cost, which is 0, as all points coincide; "
                    "expected an absolute epsilon");
    }
  }
  std::shared_ptr<MeasureMemory> memory(new MeasureMemory());
  memory->backend_ = &engine::cpu_backend();
  memory->epsilon_ = epsilon;
  memory->cost_scale_ = options.cost_scale;
  memory->log_prior_ = std::move(log_prior);
  memory->self_terms_ = std::make_unique<SelfTerms>(*clouds);
  memory->clouds_ = std::move(clouds);
  return memory;
}

Status MeasureMemory::place(const engine::Backend& backend) {
  Result<std::shared_ptr<const engine::PairSolver>> solver =
      backend.pair_solver({clouds_->points(), clouds_->weights(), clouds_->offsets(), clouds_->dim()});
  if (!solver.ok()) return solver.status();
  backend_ = &backend;
  pair_solver_ = std::move(solver).value();
  return {};
}

size_t MeasureMemory::native_bytes() const {
  return clouds_->native_bytes() + self_terms_->native_bytes() + log_prior_.size() * sizeof(float);
}

}  // namespace engram::transport
