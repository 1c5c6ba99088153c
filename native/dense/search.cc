// Exact search: the k most similar items of each query.
#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "dense/batch_job.h"
#include "dense/program.h"
#include "dense/requests.h"
#include "dense/scoring.h"

namespace engram::dense {
namespace {

enum OutputColumn { kIndices, kScores };

struct Hit {
  float score;  // as reported: ties are ties of what the caller sees
  uint64_t index;
  bool operator<(const Hit& other) const {
    return score > other.score || (score == other.score && index < other.index);
  }
};

// One top-k pass on Float32 scores, which cancel where a query is close to an item; then the k found are
// scored again in Float64, rounded once, and sorted by that.
class SearchProgram final : public Program {
 public:
  SearchProgram(Batch batch, Similarity similarity, uint32_t k)
      : batch_(std::move(batch)), similarity_(similarity), k_(k), memory_(batch_.snapshot) {}

  Result<bool> next(engine::ScoreFold& pass) override {
    if (!top_.empty()) {
      for (uint64_t i = 0; i < batch_.count; ++i) write(i);
      return false;
    }
    prepare_queries(similarity_, batch_.queries, batch_.count, batch_.snapshot->dim);
    top_.resize(batch_.count * k_);
    scale_.assign(batch_.count, 1.0F);
    pass = memory_.pass();
    pass.term = key_term(similarity_);
    pass.queries = batch_.queries;
    pass.query_count = batch_.count;
    pass.scale = scale_.data();
    pass.fold = engine::Fold::kTopK;
    pass.k = k_;
    pass.top = top_.data();
    return true;
  }

  uint64_t total_work() const override { return batch_.count * batch_.snapshot->count; }

 private:
  void write(uint64_t query) {
    const size_t dim = batch_.snapshot->dim;
    hits_.clear();
    for (uint32_t r = 0; r < k_; ++r) {
      const uint64_t item = top_[query * k_ + r].index;
      const double exact =
          exact_similarity(similarity_, batch_.queries + query * dim, memory_.key(item), dim);
      hits_.push_back({static_cast<float>(exact), item});
    }
    std::sort(hits_.begin(), hits_.end());
    uint32_t* indices = static_cast<uint32_t*>(batch_.columns[kIndices].data) + query * k_;
    float* scores = static_cast<float*>(batch_.columns[kScores].data) + query * k_;
    for (uint32_t r = 0; r < k_; ++r) {
      indices[r] = static_cast<uint32_t>(hits_[r].index);
      scores[r] = hits_[r].score;
    }
  }

  Batch batch_;
  const Similarity similarity_;
  const uint32_t k_;
  ScoredMemory memory_;
  std::vector<engine::Candidate> top_;
  std::vector<Hit> hits_;
  std::vector<float> scale_;
};

class Search final : public Operation {
 public:
  Search(Similarity similarity, uint32_t k) : similarity_(similarity), k_(k) {}
  bool same(const Operation& other) const override {
    const auto* that = dynamic_cast<const Search*>(&other);
    return that != nullptr && similarity_ == that->similarity_ && k_ == that->k_;
  }
  std::unique_ptr<Program> start(Batch batch) const override {
    return std::make_unique<SearchProgram>(std::move(batch), similarity_, k_);
  }

 private:
  const Similarity similarity_;
  const uint32_t k_;
};

Result<Prepared> prepare_search(const Memory& memory, const float* queries, uint64_t count, uint32_t k,
                                const SearchOutputs& out) {
  Result<Prepared> prepared =
      prepare(memory, queries, count, {{out.indices, k * sizeof(uint32_t)}, {out.scores, k * sizeof(float)}});
  if (!prepared.ok()) return prepared;
  const Snapshot& snapshot = *prepared.value().snapshot;
  if (snapshot.count > std::numeric_limits<uint32_t>::max()) {
    return Status(StatusCode::kShape, "the memory holds " + std::to_string(snapshot.count) +
                                          " items; results are 32-bit indices, at most 4294967295 items");
  }
  if (k == 0 || k > snapshot.live) {
    return Status(StatusCode::kRange, "k is " + std::to_string(k) + "; valid: 1 to " +
                                          std::to_string(snapshot.live) + " (items in the memory)");
  }
  return prepared;
}

}  // namespace

Result<std::shared_ptr<Ticket>> search(std::shared_ptr<Memory> memory, const float* queries,
                                       uint64_t query_count, Similarity similarity, uint32_t k,
                                       SearchOutputs out, runtime::CallOptions call, Done done) {
  Result<Prepared> prepared = prepare_search(*memory, queries, query_count, k, out);
  if (!prepared.ok()) return prepared.status();
  return submit(std::move(prepared).value(), std::make_shared<Search>(similarity, k), std::move(call),
                std::move(done), /*may_join=*/true);
}

Status search_sync(std::shared_ptr<Memory> memory, const float* queries, uint64_t query_count,
                   Similarity similarity, uint32_t k, SearchOutputs out, unsigned max_threads) {
  Result<Prepared> prepared = prepare_search(*memory, queries, query_count, k, out);
  if (!prepared.ok()) return prepared.status();
  return run(std::move(prepared).value(), std::make_shared<Search>(similarity, k), max_threads);
}

}  // namespace engram::dense
