#include "transport/energy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "transport/device_batch.h"
#include "transport/divergence.h"
#include "transport/pairs.h"

namespace engram::transport {

double energy_of(std::span<const double> divergences, std::span<const float> log_prior, double beta) {
  const auto exponent = [&](size_t k) {
    return (log_prior.empty() ? 0.0 : static_cast<double>(log_prior[k])) - beta * divergences[k];
  };
  double most = -std::numeric_limits<double>::infinity();
  for (size_t k = 0; k < divergences.size(); ++k) most = std::max(most, exponent(k));
  double sum = 0;
  for (size_t k = 0; k < divergences.size(); ++k) sum += std::exp(exponent(k) - most);
  return -(most + std::log(sum)) / beta;
}

namespace {

// The divergences, then their fold.
class EnergyProgram final : public Program {
 public:
  EnergyProgram(std::shared_ptr<const MeasureMemory> memory, QueryClouds queries, double beta,
                const SolveOptions& options, double* energy)
      : memory_(std::move(memory)),
        queries_(std::move(queries)),
        beta_(beta),
        options_(options),
        energy_(energy) {}

  Result<Phase*> next() override {
    if (divergence_ == nullptr) {
      divergences_.resize(pairs());
      DivergenceOutputs out;
      out.values = divergences_.data();
      divergence_ = divergence_program(memory_, queries_, options_, out);
    }
    Result<Phase*> phase = divergence_->next();
    if (phase.ok() && phase.value() == nullptr) fold();
    return phase;
  }

  uint64_t total_units() const override { return memory_->clouds().count() + queries_->count() + pairs(); }

 private:
  size_t pairs() const { return queries_->count() * memory_->clouds().count(); }

  void fold() {
    const size_t count = memory_->clouds().count();
    for (size_t first = 0; first < divergences_.size(); first += count) {
      energy_[first / count] =
          energy_of(std::span<const double>(divergences_).subspan(first, count), memory_->log_prior(), beta_);
    }
  }

  const std::shared_ptr<const MeasureMemory> memory_;
  const QueryClouds queries_;
  const double beta_;
  const SolveOptions options_;
  double* const energy_;
  std::vector<double> divergences_;
  std::unique_ptr<Program> divergence_;
};

}  // namespace

Result<std::shared_ptr<runtime::Ticket>> energy(std::shared_ptr<const MeasureMemory> memory,
                                                QueryClouds queries, double beta, const SolveOptions& options,
                                                double* energy, runtime::CallOptions call,
                                                runtime::Done done) {
  Status status = check_queries(*memory, *queries);
  if (!status.ok()) return status;
  const engine::Backend& backend = backend_for(*memory, options);
  return submit(std::make_unique<EnergyProgram>(std::move(memory), std::move(queries), beta, options, energy),
                backend, std::move(call), std::move(done));
}

Status energy_sync(std::shared_ptr<const MeasureMemory> memory, QueryClouds queries, double beta,
                   const SolveOptions& options, double* energy, unsigned max_threads) {
  Status status = check_queries(*memory, *queries);
  if (!status.ok()) return status;
  return run(std::make_unique<EnergyProgram>(std::move(memory), std::move(queries), beta, options, energy),
             max_threads);
}

}  // namespace engram::transport
