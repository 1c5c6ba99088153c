#include "transport/divergence.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "transport/device_batch.h"
#include "transport/device_phase.h"
#include "transport/pairs.h"

namespace engram::transport {
namespace {

// The queries in Float64, with what their pairs have in common.
struct Query {
  std::vector<double> points;
  Measure measure;
  std::vector<double> mean;
  Solution self;
};

class QuerySelfPhase final : public Phase {
 public:
  QuerySelfPhase(std::vector<Query>& queries, const Geometry& geometry, const SolveOptions& options)
      : queries_(queries), geometry_(geometry), options_(options) {}

  size_t items() const override { return queries_.size(); }

  Result<bool> work(size_t item, Workspace& workspace, bool fresh, size_t& entries) override {
    Query& query = queries_[item];
    if (fresh) {
      Status status = workspace.self.start(query.measure, geometry_, options_, nullptr, /*means=*/false);
      if (!status.ok()) return status;
    }
    Result<bool> solved = workspace.self.advance(entries);
    if (solved.ok() && solved.value()) query.self = workspace.self.solution();
    return solved;
  }

 private:
  std::vector<Query>& queries_;
  const Geometry geometry_;
  const SolveOptions options_;
};

class PairPhase final : public Phase {
 public:
  PairPhase(const MeasureMemory& memory, const std::vector<Query>& queries, const SolveOptions& options,
            const DeviceAnswers& answers, const DivergenceOutputs& out)
      : memory_(memory),
        queries_(queries),
        geometry_(geometry_of(memory)),
        options_(options),
        answers_(answers),
        out_(out) {}

  size_t items() const override { return queries_.size() * memory_.clouds().count(); }

  Result<bool> work(size_t item, Workspace& workspace, bool fresh, size_t& entries) override {
    const engine::PairSolution* found = answers_.find(item);
    if (found != nullptr && is_final(*found, options_)) {
      entries -= std::min<size_t>(entries, 1);
      const Result<Solution> solution = solution_of(*found, geometry_);
      if (!solution.ok()) return solution.status();
      return finish(item, solution.value());
    }
    if (fresh) {
      Status status = start(item, workspace);
      if (!status.ok()) return status;
    }
    Result<bool> solved = workspace.cross.advance(entries);
    if (!solved.ok() || !solved.value()) return solved;
    Solution solution = workspace.cross.solution();
    if (found != nullptr) solution.iterations += found->iterations;
    return finish(item, solution);
  }

 private:
  Result<bool> finish(size_t item, const Solution& cross) {
    const size_t q = item / memory_.clouds().count();
    const size_t k = item % memory_.clouds().count();
    const Solution& self = queries_[q].self;
    const Debiased divergence = debias(cross, self, memory_.self_terms().solution(k));
    Solution worst = cross;  // of the problems that this request has solved
    worst.residual = std::max(worst.residual, self.residual);
    worst.converged = worst.converged && self.converged;
    Status status = check_converged(worst, options_, q, k);
    if (!status.ok()) return status;
    write(item, worst, divergence);
    return true;
  }

  // Begins where a device has stopped, with the iterations that it has left, or from the beginning.
  Status start(size_t item, Workspace& workspace) {
    const Query& query = queries_[item / memory_.clouds().count()];
    const size_t k = item % memory_.clouds().count();
    const Measure nu = to_float64(memory_.clouds()[k], geometry_.dim, workspace.y);
    const engine::PairSolution* found = answers_.find(item);
    SolveOptions options = options_;
    if (found != nullptr) {
      options.max_iterations -= found->iterations;
    } else {
      tilted_potential(memory_.self_terms(), k, nu, query.mean.data(), geometry_, workspace.potential);
    }
    Status status = workspace.cross.start(query.measure, nu, geometry_, options, /*means=*/false);
    if (status.ok()) {
      workspace.cross.begin_with(found != nullptr ? answers_.potential(item) : workspace.potential.data());
    }
    return status;
  }

  void write(size_t at, const Solution& solution, const Debiased& divergence) {
    if (out_.values != nullptr) out_.values[at] = divergence.value;
    if (out_.error_bound != nullptr) out_.error_bound[at] = divergence.bound;
    if (out_.iterations != nullptr) out_.iterations[at] = solution.iterations;
    if (out_.residual != nullptr) out_.residual[at] = static_cast<float>(solution.residual);
    if (out_.converged != nullptr) out_.converged[at] = solution.converged ? 1 : 0;
  }

  const MeasureMemory& memory_;
  const std::vector<Query>& queries_;
  const Geometry geometry_;
  const SolveOptions options_;
  const DeviceAnswers& answers_;
  const DivergenceOutputs out_;
};

class DivergenceProgram final : public Program {
 public:
  DivergenceProgram(std::shared_ptr<const MeasureMemory> memory, QueryClouds queries,
                    const SolveOptions& options, const DivergenceOutputs& out)
      : memory_(std::move(memory)),
        clouds_(std::move(queries)),
        queries_(clouds_->count()),
        stored_selves_(*memory_),
        query_selves_(queries_, geometry_of(*memory_), options),
        device_pairs_(*memory_, *clouds_, options, answers_),
        pairs_(*memory_, queries_, options, answers_, out) {}

  Result<Phase*> next() override {
    switch (passed_++) {
      case 0: gather(); return &stored_selves_;
      case 1: return &query_selves_;
      case 2: return &device_pairs_;
      case 3: return &pairs_;
      default: return nullptr;
    }
  }

  uint64_t total_units() const override {
    return stored_selves_.items() + query_selves_.items() + pairs_.items();
  }

 private:
  void gather() {
    const size_t dim = clouds_->dim();
    for (size_t q = 0; q < queries_.size(); ++q) {
      queries_[q].measure = to_float64((*clouds_)[q], dim, queries_[q].points);
      queries_[q].mean.resize(dim);
      mean_of(queries_[q].measure, dim, queries_[q].mean.data());
    }
  }

  const std::shared_ptr<const MeasureMemory> memory_;
  const QueryClouds clouds_;
  std::vector<Query> queries_;
  StoredSelfPhase stored_selves_;
  QuerySelfPhase query_selves_;
  DeviceAnswers answers_;
  DevicePhase device_pairs_;
  PairPhase pairs_;
  int passed_ = 0;
};

}  // namespace

std::unique_ptr<Program> divergence_program(std::shared_ptr<const MeasureMemory> memory, QueryClouds queries,
                                            const SolveOptions& options, const DivergenceOutputs& out) {
  return std::make_unique<DivergenceProgram>(std::move(memory), std::move(queries), options, out);
}

Result<std::shared_ptr<runtime::Ticket>> divergence(std::shared_ptr<const MeasureMemory> memory,
                                                    QueryClouds queries, const SolveOptions& options,
                                                    DivergenceOutputs out, runtime::CallOptions call,
                                                    runtime::Done done) {
  Status status = check_queries(*memory, *queries);
  if (!status.ok()) return status;
  const engine::Backend& backend = backend_for(*memory, options);
  return submit(divergence_program(std::move(memory), std::move(queries), options, out), backend,
                std::move(call), std::move(done));
}

Status divergence_sync(std::shared_ptr<const MeasureMemory> memory, QueryClouds queries,
                       const SolveOptions& options, DivergenceOutputs out, unsigned max_threads) {
  Status status = check_queries(*memory, *queries);
  if (!status.ok()) return status;
  return run(divergence_program(std::move(memory), std::move(queries), options, out), max_threads);
}

}  // namespace engram::transport
