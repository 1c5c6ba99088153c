#include "dense/energy.h"

#include <algorithm>
#include <cstring>

#include "dense/batch_job.h"
#include "dense/updates.h"

namespace engram::dense {

EnergyPasses::EnergyPasses(const Batch& batch, const RetrieveOptions& options)
    : batch_(batch), options_(options), memory_(batch.snapshot) {}

void EnergyPasses::set_lse(const double* lse) {
  lse_.assign(lse, lse + batch_.count);
  lse_known_ = true;
}

uint64_t EnergyPasses::passes(bool lse_known) const {
  return lse_known && options_.similarity != Similarity::kDot ? 0 : 1;
}

Result<bool> EnergyPasses::next(engine::ScoreFold& pass, const float* states, float* energy) {
  if (scored_) {
    write(energy);
    return false;
  }
  const size_t dim = batch_.snapshot->dim;
  square_norms_.resize(batch_.count);
  for (uint64_t i = 0; i < batch_.count; ++i) square_norms_[i] = square_norm(states + i * dim, dim);
  scored_ = true;
  if (passes(lse_known_) == 0) return next(pass, states, energy);
  score(pass, states);
  return true;
}

void EnergyPasses::score(engine::ScoreFold& pass, const float* states) {
  const size_t dim = batch_.snapshot->dim;
  if (states != batch_.queries) std::memcpy(batch_.queries, states, batch_.count * dim * sizeof(float));
  prepare_queries(options_.similarity, batch_.queries, batch_.count, dim);
  lse_.resize(batch_.count);
  scale_.assign(batch_.count, softmax_scale(options_.separation.beta));
  describe_softmax(pass, memory_, batch_, batch_.count, options_.similarity, scale_.data(), lse_.data());
  pass.fold = engine::Fold::kLogSumExp;
  if (options_.similarity == Similarity::kDot) pass.max_square_norm = &max_square_norm_;
}

void EnergyPasses::write(float* energy) const {
  for (uint64_t i = 0; i < batch_.count; ++i) {
    energy[i] = static_cast<float>(softmax_energy(options_.similarity, options_.separation.beta, lse_[i],
                                                  square_norms_[i], max_square_norm_, batch_.snapshot->live));
  }
}

namespace {

class EnergyProgram final : public Program {
 public:
  EnergyProgram(Batch batch, const RetrieveOptions& options)
      : batch_(std::move(batch)), passes_(batch_, options) {}
  Result<bool> next(engine::ScoreFold& pass) override {
    return passes_.next(pass, batch_.queries, static_cast<float*>(batch_.columns[0].data));
  }
  uint64_t total_work() const override {
    return passes_.passes(false) * batch_.count * batch_.snapshot->count;
  }

 private:
  Batch batch_;
  EnergyPasses passes_;
};

class Energy final : public Operation {
 public:
  explicit Energy(const RetrieveOptions& options) : options_(options) {}
  bool same(const Operation& other) const override {
    const auto* that = dynamic_cast<const Energy*>(&other);
    return that != nullptr && options_ == that->options_;
  }
  std::unique_ptr<Program> start(Batch batch) const override {
    return std::make_unique<EnergyProgram>(std::move(batch), options_);
  }

 private:
  const RetrieveOptions options_;
};

}  // namespace

Result<std::shared_ptr<Ticket>> energy(std::shared_ptr<Memory> memory, const float* queries,
                                       uint64_t query_count, const RetrieveOptions& options, float* energy,
                                       runtime::CallOptions call, Done done) {
  Result<Prepared> prepared = prepare(*memory, queries, query_count, {{energy, sizeof(float)}});
  if (!prepared.ok()) return prepared.status();
  return submit(std::move(prepared).value(), std::make_shared<Energy>(options), std::move(call),
                std::move(done), /*may_join=*/true);
}

Status energy_sync(std::shared_ptr<Memory> memory, const float* queries, uint64_t query_count,
                   const RetrieveOptions& options, float* energy, unsigned max_threads) {
  Result<Prepared> prepared = prepare(*memory, queries, query_count, {{energy, sizeof(float)}});
  if (!prepared.ok()) return prepared.status();
  return run(std::move(prepared).value(), std::make_shared<Energy>(options), max_threads);
}

}  // namespace engram::dense
