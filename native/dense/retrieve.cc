// Retrieval: q <- sum_j softmax_j(beta * s(q, x_j)) x_j, step by step, each query until it settles.
#include <cstring>
#include <vector>

#include "dense/batch_job.h"
#include "dense/energy.h"
#include "dense/program.h"
#include "dense/requests.h"
#include "dense/scoring.h"
#include "dense/updates.h"

namespace engram::dense {
namespace {

enum OutputColumn { kPatterns, kValues, kEnergy, kSteps, kConverged };

// An auto-associative memory takes up to `steps` updates over its keys. A hetero-associative one takes up
// to steps - 1 of them and then reads its values out at the final state. Energies are those of the returned
// states: the value readout yields them on the way, else one scoring pass does.
class RetrieveProgram final : public Program {
 public:
  RetrieveProgram(Batch batch, const RetrieveOptions& options)
      : batch_(std::move(batch)),
        options_(options),
        memory_(batch_.snapshot),
        hetero_(batch_.snapshot->hetero),
        updates_(batch_, options, hetero_ ? options.steps - 1 : options.steps,
                 {.states = column<float>(kPatterns),
                  .steps = column<uint32_t>(kSteps),
                  .converged = column<uint8_t>(kConverged)}),
        energy_(batch_, options) {}

  Result<bool> next(engine::ScoreFold& pass) override {
    if (stage_ == Stage::kUpdates) {
      Result<bool> more = updates_.next(pass);
      if (!more.ok() || more.value()) return more;
      stage_ = hetero_ ? Stage::kValues : Stage::kEnergy;
      if (hetero_) return read_values(pass);
    }
    if (stage_ == Stage::kValues) {
      for (uint64_t i = 0; i < batch_.count; ++i) ++column<uint32_t>(kSteps)[i];
      energy_.set_lse(lse_.data());
      stage_ = Stage::kEnergy;
    }
    if (!wants_energy()) return false;
    return energy_.next(pass, column<float>(kPatterns), column<float>(kEnergy));
  }

  uint64_t total_work() const override {
    const uint64_t passes = options_.steps + (wants_energy() ? energy_.passes(hetero_) : 0);
    return passes * batch_.count * batch_.snapshot->count;
  }

 private:
  enum class Stage { kUpdates, kValues, kEnergy };

  template <typename T>
  T* column(OutputColumn which) const {
    return static_cast<T*>(batch_.columns[which].data);
  }
  bool wants_energy() const { return column<float>(kEnergy) != nullptr; }

  bool read_values(engine::ScoreFold& pass) {
    const size_t dim = batch_.snapshot->dim;
    std::memcpy(batch_.queries, column<float>(kPatterns), batch_.count * dim * sizeof(float));
    prepare_queries(options_.similarity, batch_.queries, batch_.count, dim);
    lse_.resize(batch_.count);
    scale_.assign(batch_.count, softmax_scale(options_.separation.beta));
    describe_softmax(pass, memory_, batch_, batch_.count, options_.similarity, scale_.data(), lse_.data());
    pass.read_keys = false;
    pass.readout = column<float>(kValues);
    return true;
  }

  Batch batch_;
  const RetrieveOptions options_;
  ScoredMemory memory_;
  const bool hetero_;
  Updates updates_;
  EnergyPasses energy_;
  Stage stage_ = Stage::kUpdates;
  std::vector<double> lse_;
  std::vector<float> scale_;
};

class Retrieve final : public Operation {
 public:
  explicit Retrieve(const RetrieveOptions& options) : options_(options) {}
  bool same(const Operation& other) const override {
    const auto* that = dynamic_cast<const Retrieve*>(&other);
    return that != nullptr && options_ == that->options_;
  }
  std::unique_ptr<Program> start(Batch batch) const override {
    return std::make_unique<RetrieveProgram>(std::move(batch), options_);
  }

 private:
  const RetrieveOptions options_;
};

Result<Prepared> prepare_retrieval(const Memory& memory, const float* queries, uint64_t count,
                                   const RetrieveOptions& options, const RetrieveOutputs& out) {
  return prepare(memory, queries, count,
                 {{out.patterns, memory.dim() * sizeof(float)},
                  {memory.hetero() ? out.values : nullptr, memory.value_dim() * sizeof(float)},
                  {options.energy ? out.energy : nullptr, sizeof(float)},
                  {out.steps, sizeof(uint32_t)},
                  {out.converged, sizeof(uint8_t)}});
}

}  // namespace

Result<std::shared_ptr<Ticket>> retrieve(std::shared_ptr<Memory> memory, const float* queries,
                                         uint64_t query_count, const RetrieveOptions& options,
                                         RetrieveOutputs out, runtime::CallOptions call, Done done) {
  Result<Prepared> prepared = prepare_retrieval(*memory, queries, query_count, options, out);
  if (!prepared.ok()) return prepared.status();
  return submit(std::move(prepared).value(), std::make_shared<Retrieve>(options), std::move(call),
                std::move(done), /*may_join=*/true);
}

Status retrieve_sync(std::shared_ptr<Memory> memory, const float* queries, uint64_t query_count,
                     const RetrieveOptions& options, RetrieveOutputs out, unsigned max_threads) {
  Result<Prepared> prepared = prepare_retrieval(*memory, queries, query_count, options, out);
  if (!prepared.ok()) return prepared.status();
  return run(std::move(prepared).value(), std::make_shared<Retrieve>(options), max_threads);
}

}  // namespace engram::dense
