// Retrieval of many queries: their flows advance side by side.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "transport/device_batch.h"
#include "transport/flow.h"
#include "transport/pairs.h"
#include "transport/requests.h"

namespace engram::transport {
namespace {

constexpr size_t kMostBytes = size_t{512} << 20;  // what the flows under way may remember

using Flows = std::vector<Flow*>;

class OpenPhase final : public Phase {
 public:
  explicit OpenPhase(Flows flows) : flows_(std::move(flows)) {}
  size_t items() const override { return flows_.size(); }
  Result<bool> work(size_t item, Workspace& workspace, bool fresh, size_t& entries) override {
    return flows_[item]->work_open(workspace, fresh, entries);
  }

 private:
  const Flows flows_;
};

// Chunks of stored clouds, for several flows.
class ChunkPhase final : public Phase {
 public:
  ChunkPhase(Flow::Need need, Flows flows)
      : need_(need), flows_(std::move(flows)), chunks_(flows_.front()->chunks()) {}
  size_t items() const override { return flows_.size() * chunks_; }
  Result<bool> work(size_t item, Workspace& workspace, bool fresh, size_t& entries) override {
    Flow& flow = *flows_[item / chunks_];
    const size_t chunk = item % chunks_;
    return need_ == Flow::Need::kSurvey ? flow.work_survey(chunk, workspace, fresh, entries)
                                        : flow.work_others(chunk, workspace, entries);
  }
  uint64_t units_per_item() const override { return 0; }
  void end() {
    for (Flow* flow : flows_) need_ == Flow::Need::kSurvey ? flow->end_survey() : flow->end_others();
  }

 private:
  const Flow::Need need_;
  const Flows flows_;
  const size_t chunks_;
};

// What a device solves of the others of several flows, before the CPU looks at what is left of them. One
// item, which goes from batch to batch.
class DeviceOthersPhase final : public Phase {
 public:
  DeviceOthersPhase(const MeasureMemory& memory, const SolveOptions& options, Flows flows)
      : memory_(memory), options_(options), flows_(std::move(flows)) {}
  size_t items() const override { return 1; }
  uint64_t units_per_item() const override { return 0; }
  Result<bool> work(size_t /*item*/, Workspace& workspace, bool /*fresh*/, size_t& entries) override {
    entries = 0;  // a batch is a slice
    DeviceBatch batch(memory_, options_, /*projects=*/true);
    std::vector<std::pair<Evaluation*, size_t>> pairs;
    gather(batch, pairs, workspace);
    if (batch.empty()) return true;
    Status status = batch.solve();
    for (size_t p = 0; p < pairs.size() && status.ok(); ++p) {
      status = pairs[p].first->take(pairs[p].second, batch.answer(p));
    }
    if (!status.ok()) return status;
    return flow_ == flows_.size();
  }

 private:
  void gather(DeviceBatch& batch, std::vector<std::pair<Evaluation*, size_t>>& pairs, Workspace& workspace) {
    for (; flow_ < flows_.size() && !batch.full(); ++flow_, cloud_ = 0) {
      Evaluation& evaluation = flows_[flow_]->evaluation();
      batch.begin_query(evaluation.state().measure());
      for (; cloud_ < memory_.clouds().count(); ++cloud_) {
        if (batch.full()) return;
        if (!evaluation.is_open(cloud_) || !batch.fits(cloud_)) continue;
        batch.add(cloud_, evaluation.first_potential(cloud_, workspace));
        pairs.emplace_back(&evaluation, cloud_);
      }
    }
  }

  const MeasureMemory& memory_;
  const SolveOptions options_;
  const Flows flows_;
  size_t flow_ = 0;
  size_t cloud_ = 0;
};

class RetrieveProgram final : public Program {
 public:
  RetrieveProgram(std::shared_ptr<const MeasureMemory> memory, QueryClouds queries,
                  const FlowOptions& options, RetrievalOutputs& out)
      : memory_(std::move(memory)),
        queries_(std::move(queries)),
        options_(options),
        out_(out),
        asks_device_(asks_device(*memory_, options.solve)),
        stored_selves_(*memory_) {}

  Result<Phase*> next() override {
    if (!prepared_) {
      prepared_ = true;
      out_.offsets = {0};
      return &stored_selves_;
    }
    if (chunks_) chunks_->end();
    chunks_.reset();
    for (;;) {
      if (Flows flows = in_need(Flow::Need::kOpen); !flows.empty()) {
        open_ = std::make_unique<OpenPhase>(std::move(flows));
        return open_.get();
      }
      for (Flow::Need need : {Flow::Need::kSurvey, Flow::Need::kOthers}) {
        Flows flows = in_need(need);
        if (flows.empty()) continue;
        if (need == Flow::Need::kOthers && asks_device_ && device_ == nullptr) {
          device_ = std::make_unique<DeviceOthersPhase>(*memory_, options_.solve, std::move(flows));
          return device_.get();
        }
        device_.reset();
        chunks_ = std::make_unique<ChunkPhase>(need, std::move(flows));
        return chunks_.get();
      }
      write();
      if (!begin_wave()) return nullptr;
    }
  }

  uint64_t total_units() const override {
    return stored_selves_.items() + queries_->count() * (uint64_t{options_.steps} + 2);
  }

 private:
  Flows in_need(Flow::Need need) {
    Flows flows;
    for (const std::unique_ptr<Flow>& flow : wave_) {
      if (flow->need() == need) flows.push_back(flow.get());
    }
    return flows;
  }

  // Sets out with as many of the next queries as memory allows; false when none is left.
  bool begin_wave() {
    wave_.clear();
    size_t bytes = 0;
    for (; next_query_ < queries_->count(); ++next_query_) {
      const Cloud cue = (*queries_)[next_query_];
      bytes += Evaluation::most_bytes(*memory_, cue.size, options_);
      if (!wave_.empty() && bytes > kMostBytes) break;
      wave_.push_back(std::make_unique<Flow>(*memory_, cue, options_, next_query_));
    }
    return !wave_.empty();
  }

  void write() {
    for (const std::unique_ptr<Flow>& flow : wave_) {
      const State& state = flow->state();
      out_.points.insert(out_.points.end(), state.points.begin(), state.points.end());
      out_.weights.insert(out_.weights.end(), state.weights.begin(), state.weights.end());
      out_.offsets.push_back(static_cast<uint32_t>(out_.weights.size()));
      out_.index.push_back(static_cast<uint32_t>(flow->energetics().nearest));
      out_.divergence.push_back(flow->divergence());
      out_.energy.push_back(flow->energetics().energy);
      for (size_t k = 0; k < memory_->clouds().count(); ++k) out_.gibbs.push_back(flow->gibbs(k));
      out_.steps.push_back(flow->steps());
      out_.converged.push_back(flow->converged() ? 1 : 0);
      if (options_.trace) out_.traces.push_back(std::move(flow->trace()));
      out_.pairs_evaluated += flow->pairs_evaluated();
      out_.pairs_pruned += flow->pairs_pruned();
      out_.iterations += flow->iterations();
    }
  }

  const std::shared_ptr<const MeasureMemory> memory_;
  const QueryClouds queries_;
  const FlowOptions options_;
  RetrievalOutputs& out_;
  const bool asks_device_;
  StoredSelfPhase stored_selves_;
  bool prepared_ = false;
  size_t next_query_ = 0;
  std::vector<std::unique_ptr<Flow>> wave_;
  std::unique_ptr<OpenPhase> open_;
  std::unique_ptr<DeviceOthersPhase> device_;
  std::unique_ptr<ChunkPhase> chunks_;
};

}  // namespace

Result<std::shared_ptr<runtime::Ticket>> retrieve(std::shared_ptr<const MeasureMemory> memory,
                                                  QueryClouds queries, const FlowOptions& options,
                                                  std::shared_ptr<RetrievalOutputs> out,
                                                  runtime::CallOptions call, runtime::Done done) {
  Status status = check_queries(*memory, *queries);
  if (!status.ok()) return status;
  const engine::Backend& backend = memory->backend();
  auto program = std::make_unique<RetrieveProgram>(std::move(memory), std::move(queries), options, *out);
  return submit(std::move(program), backend, std::move(call),
                [out = std::move(out), done = std::move(done)](const Status& outcome) { done(outcome); });
}

Status retrieve_sync(std::shared_ptr<const MeasureMemory> memory, QueryClouds queries,
                     const FlowOptions& options, RetrievalOutputs& out, unsigned max_threads) {
  Status status = check_queries(*memory, *queries);
  if (!status.ok()) return status;
  return run(std::make_unique<RetrieveProgram>(std::move(memory), std::move(queries), options, out),
             max_threads);
}

}  // namespace engram::transport
