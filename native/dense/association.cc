// Association: the weights p_j = softmax_j(beta * s(q, x_j)) themselves, as sparse rows.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "dense/batch_job.h"
#include "dense/program.h"
#include "dense/requests.h"
#include "dense/scoring.h"
#include "dense/updates.h"

namespace engram::dense {
namespace {

// A log-sum-exp pass gives the denominator; a second one selects: the `top` best, or all whose weight is
// at least 2^-126, the smallest normal Float32.
class AssociationProgram final : public Program {
 public:
  AssociationProgram(Batch batch, const RetrieveOptions& options, uint32_t top,
                     std::shared_ptr<AssociationOutputs> out)
      : batch_(std::move(batch)),
        options_(options),
        top_(static_cast<uint32_t>(std::min<uint64_t>(top, batch_.snapshot->live))),
        out_(std::move(out)),
        memory_(batch_.snapshot),
        states_(batch_.count * batch_.snapshot->dim),
        steps_(batch_.count),
        converged_(batch_.count),
        updates_(batch_, options, options.steps - 1,
                 {.states = states_.data(), .steps = steps_.data(), .converged = converged_.data()}) {}

  Result<bool> next(engine::ScoreFold& pass) override {
    switch (stage_) {
      case Stage::kUpdates: {
        Result<bool> more = updates_.next(pass);
        if (!more.ok() || more.value()) return more;
        describe_partition(pass);
        stage_ = Stage::kPartition;
        return true;
      }
      case Stage::kPartition:
        describe_selection(pass);
        stage_ = Stage::kSelection;
        return true;
      case Stage::kSelection: break;
    }
    Status status = write_rows();
    if (!status.ok()) return status;
    return false;
  }

  uint64_t total_work() const override {
    return (options_.steps + 1ULL) * batch_.count * batch_.snapshot->count;
  }

 private:
  enum class Stage { kUpdates, kPartition, kSelection };

  void describe_partition(engine::ScoreFold& pass) {
    std::copy(states_.begin(), states_.end(), batch_.queries);
    prepare_queries(options_.similarity, batch_.queries, batch_.count, batch_.snapshot->dim);
    lse_.resize(batch_.count);
    scale_.assign(batch_.count, softmax_scale(options_.separation.beta));
    describe_softmax(pass, memory_, batch_, batch_.count, options_.similarity, scale_.data(), lse_.data());
    pass.fold = engine::Fold::kLogSumExp;
    pass.in_float32 = too_many();
  }

  void describe_selection(engine::ScoreFold& pass) {
    describe_softmax(pass, memory_, batch_, batch_.count, options_.similarity, scale_.data(), lse_.data());
    selected_.resize(batch_.count);
    pass.in_float32 = too_many();
    if (top_ > 0) {
      pass.fold = engine::Fold::kTopK;
      pass.k = top_;
      best_.resize(batch_.count * top_);
      pass.top = best_.data();
      return;
    }
    threshold_.resize(batch_.count);
    for (uint64_t i = 0; i < batch_.count; ++i) threshold_[i] = static_cast<float>(log2_partition(i) - 126.0);
    pass.fold = engine::Fold::kCandidates;
    pass.threshold = threshold_.data();
    pass.candidates = selected_.data();
  }

  // More than a device selects: its scores and the sum they are divided by must then have the accuracy of the
  // host's, or weights add up to more than 1.
  bool too_many() const { return top_ > engine::kMostDeviceK; }

  double log2_partition(uint64_t query) const { return lse_[query] * std::numbers::log2e; }

  Status write_rows() {
    out_->offsets.assign(1, 0);
    for (uint64_t i = 0; i < batch_.count; ++i) {
      std::vector<engine::Candidate>& row = selected_[i];
      if (top_ > 0) {
        row.assign(best_.begin() + static_cast<int64_t>(i * top_),
                   best_.begin() + static_cast<int64_t>((i + 1) * top_));
      } else {
        std::stable_sort(row.begin(), row.end(),
                         [](const auto& a, const auto& b) { return a.score > b.score; });
      }
      for (const engine::Candidate& candidate : row) {
        out_->indices.push_back(static_cast<uint32_t>(candidate.index));
        // The two passes may differ in the last bits of the scores.
        const double weight = std::min(1.0, std::exp2(candidate.score - log2_partition(i)));
        out_->weights.push_back(static_cast<float>(weight));
      }
      if (out_->indices.size() > std::numeric_limits<uint32_t>::max()) {
        return {StatusCode::kShape,
                "the association has more than 4294967295 entries; use `top` or fewer queries"};
      }
      out_->offsets.push_back(static_cast<uint32_t>(out_->indices.size()));
      row = {};
    }
    return {};
  }

  Batch batch_;
  const RetrieveOptions options_;
  const uint32_t top_;  // 0: every item with a weight
  const std::shared_ptr<AssociationOutputs> out_;
  ScoredMemory memory_;
  std::vector<float> states_;
  std::vector<uint32_t> steps_;
  std::vector<uint8_t> converged_;
  Updates updates_;
  Stage stage_ = Stage::kUpdates;
  std::vector<double> lse_;
  std::vector<float> scale_;
  std::vector<float> threshold_;
  std::vector<engine::Candidate> best_;
  std::vector<std::vector<engine::Candidate>> selected_;
};

class Association final : public Operation {
 public:
  Association(const RetrieveOptions& options, uint32_t top, std::shared_ptr<AssociationOutputs> out)
      : options_(options), top_(top), out_(std::move(out)) {}
  // Rows of different length have no common columns: associations are never joined.
  bool same(const Operation& other) const override { return this == &other; }
  std::unique_ptr<Program> start(Batch batch) const override {
    return std::make_unique<AssociationProgram>(std::move(batch), options_, top_, out_);
  }

 private:
  const RetrieveOptions options_;
  const uint32_t top_;
  const std::shared_ptr<AssociationOutputs> out_;
};

Result<Prepared> prepare_association(const Memory& memory, const float* queries, uint64_t count) {
  Result<Prepared> prepared = prepare(memory, queries, count, {});
  if (prepared.ok() && prepared.value().snapshot->count > std::numeric_limits<uint32_t>::max()) {
    return Status(StatusCode::kShape, "the memory holds " + std::to_string(prepared.value().snapshot->count) +
                                          " items; results are 32-bit indices, at most 4294967295 items");
  }
  return prepared;
}

}  // namespace

Result<std::shared_ptr<Ticket>> association(std::shared_ptr<Memory> memory, const float* queries,
                                            uint64_t query_count, const RetrieveOptions& options,
                                            uint32_t top, std::shared_ptr<AssociationOutputs> out,
                                            runtime::CallOptions call, Done done) {
  Result<Prepared> prepared = prepare_association(*memory, queries, query_count);
  if (!prepared.ok()) return prepared.status();
  return submit(std::move(prepared).value(), std::make_shared<Association>(options, top, std::move(out)),
                std::move(call), std::move(done), /*may_join=*/false);
}

Status association_sync(std::shared_ptr<Memory> memory, const float* queries, uint64_t query_count,
                        const RetrieveOptions& options, uint32_t top, AssociationOutputs& out,
                        unsigned max_threads) {
  Result<Prepared> prepared = prepare_association(*memory, queries, query_count);
  if (!prepared.ok()) return prepared.status();
  auto rows = std::make_shared<AssociationOutputs>();
  Status status =
      run(std::move(prepared).value(), std::make_shared<Association>(options, top, rows), max_threads);
  if (status.ok()) out = std::move(*rows);
  return status;
}

}  // namespace engram::dense
