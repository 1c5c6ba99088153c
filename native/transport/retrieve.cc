// Retrieval of many queries: their flows advance side by side.
#include <algorithm>
#include <memory>
#include <optional>
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
// item: pairs are gathered, as many as a batch takes, and solved.
class DeviceOthersPhase final : public Phase {
 public:
  DeviceOthersPhase(const MeasureMemory& memory, const SolveOptions& options, Flows flows)
      : memory_(memory), options_(options), flows_(std::move(flows)) {}
  size_t items() const override { return 1; }
  uint64_t units_per_item() const override { return 0; }
  Result<bool> work(size_t /*item*/, Workspace& workspace, bool /*fresh*/, size_t& entries) override {
    if (!batch_) batch_.emplace(memory_, options_, /*projects=*/true);
    gather(workspace, entries);
    const bool all = flow_ == flows_.size();
    if (!all && !batch_->full()) return false;  // out of time
    entries = 0;                                // a batch is a slice
    Status status = batch_->empty() ? Status() : batch_->solve(workspace.keep_going);
    for (size_t p = 0; p < pairs_.size() && status.ok(); ++p) {
      status = pairs_[p].first->take(pairs_[p].second, batch_->answer(p));
    }
    if (!status.ok()) return status;
    batch_.reset();
    pairs_.clear();
    begun_ = false;
    return all;
  }

 private:
  void gather(Workspace& workspace, size_t& entries) {
    for (; flow_ < flows_.size(); ++flow_, cloud_ = 0, begun_ = false) {
      Evaluation& evaluation = flows_[flow_]->evaluation();
      const size_t look = memory_.clouds().dim() * evaluation.state().weights.size();
      for (; cloud_ < memory_.clouds().count(); ++cloud_) {
        if (batch_->full() || entries == 0) return;
        entries -= std::min(entries, look);
        if (!evaluation.is_open(cloud_)) continue;
        if (!std::exchange(begun_, true)) batch_->begin_query(evaluation.state().measure());
        if (!batch_->fits(cloud_)) continue;
        batch_->add(cloud_, evaluation.first_potential(cloud_, workspace));
        pairs_.emplace_back(&evaluation, cloud_);
      }
    }
  }

  const MeasureMemory& memory_;
  const SolveOptions options_;
  const Flows flows_;
  std::optional<DeviceBatch> batch_;  // gathered so far
  std::vector<std::pair<Evaluation*, size_t>> pairs_;
  size_t flow_ = 0;  // of the pair that is looked at next
  size_t cloud_ = 0;
  bool begun_ = false;  // the batch knows the state of flow_
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
  const engine::Backend& backend = backend_for(*memory, options.solve);
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
