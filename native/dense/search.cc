// Exact search: the k most similar items of each query.
#include <algorithm>
#include <cmath>
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

// Top-k passes find the items, then those found are scored again in Float64, rounded once, and sorted by
// that: Float32 scores cancel where a query is close to an item.
//
// A device that keeps or multiplies rows in fewer bits is asked for more than k. Whether the k best are
// surely among them follows from how far its scores may be off; queries for which that is not so go through a
// second pass in Float32. Where the first could prove nothing, that is the only one.
class SearchProgram final : public Program {
 public:
  SearchProgram(Batch batch, Similarity similarity, uint32_t k)
      : batch_(std::move(batch)),
        similarity_(similarity),
        k_(k),
        rounding_(
            batch_.snapshot->placement.backend->rounding(batch_.snapshot->placement.options, batch_.count)),
        asked_(items_to_ask()),
        proofs_(!rounding_.none() && (asked_ == batch_.snapshot->live || (asked_ > k_ && bounded()))),
        memory_(batch_.snapshot) {}

  Result<bool> next(engine::ScoreFold& pass) override {
    switch (stage_++) {
      case 0: ask(pass); return true;
      case 1:
        for (uint64_t i = 0; i < batch_.count; ++i) {
          if (!proofs_ || proved(i)) {
            write(i, i);
          } else {
            unproved_.push_back(i);
          }
        }
        if (unproved_.empty()) return false;
        ask_again(pass);
        return true;
      default:
        for (uint64_t u = 0; u < unproved_.size(); ++u) write(unproved_[u], u);
        return false;
    }
  }

  uint64_t total_work() const override {
    const bool may_repeat = proofs_ && asked_ != batch_.snapshot->live;
    return (may_repeat ? 2 : 1) * batch_.count * batch_.snapshot->count;
  }

 private:
  // Of the first pass, where its scores are rounded.
  uint32_t items_to_ask() const {
    constexpr uint64_t kSpare = 32;
    if (rounding_.none() || k_ > engine::kMostDeviceK) return k_;
    return static_cast<uint32_t>(
        std::min<uint64_t>({batch_.snapshot->live, engine::kMostDeviceK, 4 * uint64_t{k_} + kSpare}));
  }

  // Whether rounding moves the similarity by a known amount. Small rows may lose their direction.
  bool bounded() const { return similarity_ != Similarity::kCosine || rounding_.absolute == 0; }

  void ask(engine::ScoreFold& pass) {
    prepare_queries(similarity_, batch_.queries, batch_.count, batch_.snapshot->dim);
    if (!proofs_) asked_ = k_;
    describe(pass, batch_.count);
    pass.in_float32 = !proofs_;
    if (proofs_) pass.max_square_norm = &max_square_norm_;
  }

  // The queries left over, side by side at the front; their numbers ascend.
  void ask_again(engine::ScoreFold& pass) {
    const size_t dim = batch_.snapshot->dim;
    for (uint64_t u = 0; u < unproved_.size(); ++u) {
      std::memmove(batch_.queries + u * dim, batch_.queries + unproved_[u] * dim, dim * sizeof(float));
    }
    asked_ = k_;
    describe(pass, unproved_.size());
    pass.in_float32 = true;
  }

  void describe(engine::ScoreFold& pass, uint64_t queries) {
    top_.resize(queries * asked_);
    scale_.assign(queries, 1.0F);
    pass = memory_.pass();
    pass.term = key_term(similarity_);
    pass.queries = batch_.queries;
    pass.query_count = queries;
    pass.scale = scale_.data();
    pass.fold = engine::Fold::kTopK;
    pass.k = asked_;
    pass.top = top_.data();
  }

  // Whether the k best items of a query are among those found. At least k items have a true score of their
  // k-th score less the error or better; an item that was not found has a true score of the last one found
  // plus the error at most.
  bool proved(uint64_t query) const {
    if (asked_ == batch_.snapshot->live) return true;
    const engine::Candidate* found = top_.data() + query * asked_;
    return static_cast<double>(found[k_ - 1].score) - found[asked_ - 1].score > 2 * score_error(query);
  }

  // |<q', x'> - <q, x>| <= r (2 + r) |q| |x| for q' and x' within r of q and x, and likewise for |x|^2 / 2.
  // Sums in Float32 add what their terms may lose: matrix units cut off, which is 2^-23 of |q| |x| for each.
  double score_error(uint64_t query) const {
    constexpr double kTogether = 1.0625;  // the one error on top of the other
    const size_t dim = batch_.snapshot->dim;
    const double q = std::sqrt(square_norm(batch_.queries + query * dim, dim));
    const double r = rounding_.relative;
    const double sums = (static_cast<double>(dim) + 4) * 0x1p-23;
    // A cosine's error is that of directions: of the product and of the norm, both relative to |x|.
    if (similarity_ == Similarity::kCosine) {
      return kTogether * q * (r * (2 + r) + r * (1 + r) + 1.5 * sums);
    }
    const double stray = rounding_.absolute * std::sqrt(static_cast<double>(dim));
    const double x =
        std::sqrt(static_cast<double>(max_square_norm_)) * (1 + 2 * rounding_.relative) * (1 + sums) + stray;
    double error = r * (2 + r) * q * x + stray * (q + x) + sums * q * x;
    if (similarity_ == Similarity::kEuclidean) error += r * (1 + r) * x * x + stray * x + sums * x * x / 2;
    return kTogether * error;
  }

  // The answer of a query from what the `row`-th query of the last pass found.
  void write(uint64_t query, uint64_t row) {
    const size_t dim = batch_.snapshot->dim;
    hits_.clear();
    for (uint32_t r = 0; r < asked_; ++r) {
      const uint64_t item = top_[row * asked_ + r].index;
      const double exact = exact_similarity(similarity_, batch_.queries + row * dim, memory_.key(item), dim);
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
  const engine::Rounding rounding_;
  uint32_t asked_;     // items that a pass is asked for
  const bool proofs_;  // the first pass is rounded, and may prove its answers
  ScoredMemory memory_;
  int stage_ = 0;
  std::vector<engine::Candidate> top_;
  std::vector<Hit> hits_;
  std::vector<float> scale_;
  std::vector<uint64_t> unproved_;
  float max_square_norm_ = 0;
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
