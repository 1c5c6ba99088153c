// Calibration: how sharp must the softmax be for the memory to tell its own items apart?
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <unordered_set>
#include <vector>

#include "dense/batch_job.h"
#include "dense/program.h"
#include "dense/requests.h"
#include "dense/scoring.h"

namespace engram::dense {
namespace {

constexpr double kCoverage = 0.99;       // share of the sample that must reach the recall
constexpr double kBracketWidth = 1.002;  // beta of an item is known to 0.2 %
constexpr int kMaxRootPasses = 16;       // the bracket halves at least every other pass

// `size` different live items, in rising order; the same for the same seed on every machine.
std::vector<uint64_t> sample_items(const Snapshot& snapshot, uint64_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::unordered_set<uint64_t> chosen;
  std::vector<uint64_t> items;
  if (size * 2 >= snapshot.live) {  // most of them: take all, drop some
    for (uint64_t i = 0; i < snapshot.count; ++i) {
      if (!snapshot.is_removed(i)) items.push_back(i);
    }
    for (uint64_t i = 0; i < size; ++i) std::swap(items[i], items[i + random() % (items.size() - i)]);
    items.resize(size);
  } else {
    while (items.size() < size) {
      const uint64_t item = random() % snapshot.count;
      if (!snapshot.is_removed(item) && chosen.insert(item).second) items.push_back(item);
    }
  }
  std::sort(items.begin(), items.end());
  return items;
}

// The search for one item's beta: the smallest at which its own weight reaches the recall. With gaps
// g_j = s(x_i, x_i) - s(x_i, x_j) the odds of the item are 1 / sum_j exp(-beta g_j): their logarithm
// rises with beta, concave, between the lines of one rival and of live - 1 equal rivals.
struct Root {
  uint64_t item = 0;
  double self = 0;           // s(x_i, x_i)
  double gap = 0;            // to the nearest rival
  double low = 0, high = 0;  // beta lies between
  double excess_low = 0;     // log odds minus those wanted, at low: <= 0
  double excess_high = 0;    // at high: >= 0
  double beta = 0;           // where the next pass looks
  bool looked_low = false, looked_high = false;
  int last_side = 0;  // Illinois: -1 low, 1 high moved last

  void begin(double wanted_log_odds, uint64_t rivals) {
    low = wanted_log_odds / gap;
    high = (wanted_log_odds + std::log(static_cast<double>(rivals))) / gap;
    beta = low;
  }
  bool found() const { return high <= low * kBracketWidth; }

  void look(double excess) {
    if (excess >= 0) {
      high = beta;
      excess_high = excess;
      looked_high = true;
      if (last_side == 1) excess_low *= 0.5;
      last_side = 1;
    } else {
      low = beta;
      excess_low = excess;
      looked_low = true;
      if (last_side == -1) excess_high *= 0.5;
      last_side = -1;
    }
    beta = propose();
  }

 private:
  double propose() const {
    if (!looked_high) return high;
    if (!looked_low) return low;
    const double at = (low * excess_high - high * excess_low) / (excess_high - excess_low);
    // Never so close to an end that the bracket hardly shrinks.
    const double margin = (high - low) * 0.02;
    return std::clamp(at, low + margin, high - margin);
  }
};

// A top-2 pass finds every item's nearest rival; then log-sum-exp passes with a beta of its own for each
// item close in on the roots.
class CalibrateProgram final : public Program {
 public:
  CalibrateProgram(Batch batch, const CalibrateOptions& options, std::vector<uint64_t> items,
                   std::shared_ptr<Calibration> out)
      : batch_(std::move(batch)),
        options_(options),
        memory_(batch_.snapshot),
        items_(std::move(items)),
        out_(std::move(out)),
        wanted_(std::log(options.recall / (1.0 - options.recall))) {}

  Result<bool> next(engine::ScoreFold& pass) override {
    switch (stage_) {
      case Stage::kBegin:
        stage_ = Stage::kRivals;
        find_rivals(pass);
        return true;
      case Stage::kRivals:
        stage_ = Stage::kRoots;
        begin_roots();
        break;
      case Stage::kRoots: look(); break;
    }
    if (roots_.empty()) {
      return Status(
          StatusCode::kRange,
          "no item of the sample can hold " + std::to_string(options_.recall) +
              " of its own association: each has a duplicate or a stronger rival under this similarity");
    }
    if (!open_.empty() && passes_ < kMaxRootPasses) {
      weigh(pass);
      return true;
    }
    write();
    return false;
  }

  uint64_t total_work() const override {
    constexpr uint64_t kTypicalPasses = 7;
    return kTypicalPasses * batch_.count * batch_.snapshot->count;
  }

 private:
  enum class Stage { kBegin, kRivals, kRoots };

  void describe(engine::ScoreFold& pass, uint64_t queries) {
    prepare_queries(options_.similarity, batch_.queries, queries, batch_.snapshot->dim);
    pass = memory_.pass();
    pass.in_float32 = true;  // what is added up is compared with Float64 scores of the rows as given
    pass.term = key_term(options_.similarity);
    pass.queries = batch_.queries;
    pass.query_count = queries;
    pass.scale = scale_.data();
  }

  void find_rivals(engine::ScoreFold& pass) {
    scale_.assign(batch_.count, 1.0F);
    rivals_ = static_cast<uint32_t>(std::min<uint64_t>(2, batch_.snapshot->live));
    top_.resize(batch_.count * rivals_);
    describe(pass, batch_.count);
    pass.fold = engine::Fold::kTopK;
    pass.k = rivals_;
    pass.top = top_.data();
  }

  double similarity(uint64_t item, uint64_t other) const {
    return exact_similarity(options_.similarity, memory_.key(item), memory_.key(other), batch_.snapshot->dim);
  }

  void begin_roots() {
    for (size_t i = 0; i < items_.size(); ++i) {
      Root root{.item = items_[i], .self = similarity(items_[i], items_[i])};
      const engine::Candidate* best = &top_[i * rivals_];
      double strongest = -HUGE_VAL;
      for (uint32_t r = 0; r < rivals_; ++r) {
        if (best[r].index != root.item) strongest = std::max(strongest, similarity(root.item, best[r].index));
      }
      root.gap = root.self - strongest;
      gaps_.push_back(root.gap);
      // Below Float32's resolution of the scores a gap cannot be told from a tie.
      const double scale = options_.similarity == Similarity::kCosine
                               ? 1.0
                               : square_norm(memory_.key(root.item), batch_.snapshot->dim);
      if (!(root.gap > 1e-6 * scale)) continue;
      root.begin(wanted_, batch_.snapshot->live - 1);
      roots_.push_back(root);
    }
    for (size_t r = 0; r < roots_.size(); ++r) open_.push_back(r);
    std::erase_if(open_, [this](size_t r) { return roots_[r].found(); });
  }

  // A pass over the open items, each at its own beta.
  void weigh(engine::ScoreFold& pass) {
    const size_t dim = batch_.snapshot->dim;
    scale_.resize(open_.size());
    lse_.resize(open_.size());
    for (size_t o = 0; o < open_.size(); ++o) {
      const Root& root = roots_[open_[o]];
      std::memcpy(batch_.queries + o * dim, memory_.key(root.item), dim * sizeof(float));
      scale_[o] = softmax_scale(static_cast<float>(root.beta));
    }
    describe(pass, open_.size());
    pass.fold = engine::Fold::kLogSumExp;
    pass.lse = lse_.data();
    ++passes_;
  }

  void look() {
    for (size_t o = 0; o < open_.size(); ++o) {
      Root& root = roots_[open_[o]];
      // The engine's scores leave out the query's own term of the Euclidean similarity.
      const double own = options_.similarity == Similarity::kEuclidean
                             ? 0.5 * square_norm(memory_.key(root.item), batch_.snapshot->dim)
                             : root.self;
      const double log_weight = std::min(root.beta * own - lse_[o], -1e-12);
      root.look(log_weight - std::log(-std::expm1(log_weight)) - wanted_);
    }
    std::erase_if(open_, [this](size_t r) { return roots_[r].found(); });
  }

  void write() {
    std::vector<double> betas;
    for (const Root& root : roots_) betas.push_back(root.high);
    std::sort(betas.begin(), betas.end());
    std::sort(gaps_.begin(), gaps_.end());
    const auto rank = static_cast<size_t>(std::ceil(kCoverage * static_cast<double>(betas.size())));
    out_->beta = static_cast<float>(betas[std::max<size_t>(rank, 1) - 1]);
    out_->similarity = options_.similarity;
    out_->recall = options_.recall;
    out_->sample = static_cast<uint32_t>(items_.size());
    out_->unreachable = static_cast<uint32_t>(items_.size() - roots_.size());
    out_->gap_min = static_cast<float>(gaps_.front());
    out_->gap_median = static_cast<float>(gaps_[gaps_.size() / 2]);
    out_->gap_max = static_cast<float>(gaps_.back());
  }

  Batch batch_;
  const CalibrateOptions options_;
  ScoredMemory memory_;
  const std::vector<uint64_t> items_;
  const std::shared_ptr<Calibration> out_;
  const double wanted_;  // log odds at the recall
  Stage stage_ = Stage::kBegin;
  uint32_t rivals_ = 0;  // items the first pass asks for: the item itself and its nearest rival
  int passes_ = 0;
  std::vector<engine::Candidate> top_;
  std::vector<double> gaps_;
  std::vector<Root> roots_;   // items that can reach the recall
  std::vector<size_t> open_;  // roots not yet known well enough
  std::vector<double> lse_;
  std::vector<float> scale_;
};

class Calibrate final : public Operation {
 public:
  Calibrate(const CalibrateOptions& options, std::vector<uint64_t> items, std::shared_ptr<Calibration> out)
      : options_(options), items_(std::move(items)), out_(std::move(out)) {}
  bool same(const Operation& other) const override { return this == &other; }
  std::unique_ptr<Program> start(Batch batch) const override {
    return std::make_unique<CalibrateProgram>(std::move(batch), options_, items_, out_);
  }

 private:
  const CalibrateOptions options_;
  const std::vector<uint64_t> items_;
  const std::shared_ptr<Calibration> out_;
};

struct PreparedCalibration {
  Prepared prepared;
  std::shared_ptr<const Operation> operation;
};

// The sample's keys are the queries.
Result<PreparedCalibration> prepare_calibration(const Memory& memory, const CalibrateOptions& options,
                                                std::shared_ptr<Calibration> out) {
  const std::shared_ptr<const Snapshot> snapshot = memory.snapshot();
  if (snapshot->live < 2) {
    return Status(StatusCode::kShape, "calibration compares items; the memory holds " +
                                          std::to_string(snapshot->live) + ", at least 2 are needed");
  }
  const uint64_t size = std::min<uint64_t>(options.sample, snapshot->live);
  std::vector<uint64_t> items = sample_items(*snapshot, size, options.seed);
  const ScoredMemory scored(snapshot);
  std::vector<float> queries(size * memory.dim());
  for (uint64_t i = 0; i < size; ++i) {
    std::copy_n(scored.key(items[i]), memory.dim(), queries.begin() + static_cast<int64_t>(i * memory.dim()));
  }
  Result<Prepared> prepared = prepare(memory, queries.data(), size, {});
  if (!prepared.ok()) return prepared.status();
  PreparedCalibration result{std::move(prepared).value(), nullptr};
  result.prepared.snapshot = snapshot;
  result.operation = std::make_shared<Calibrate>(options, std::move(items), std::move(out));
  return result;
}

}  // namespace

Result<std::shared_ptr<Ticket>> calibrate(std::shared_ptr<Memory> memory, const CalibrateOptions& options,
                                          std::shared_ptr<Calibration> out, runtime::CallOptions call,
                                          Done done) {
  Result<PreparedCalibration> prepared = prepare_calibration(*memory, options, out);
  if (!prepared.ok()) return prepared.status();
  // Lets go of the memory before anybody is told: see BatchJob::finish.
  Done keep = [memory = std::move(memory), out, done = std::move(done)](const Status& status) mutable {
    if (status.ok()) memory->set_calibration(*out);
    memory.reset();
    if (done) done(status);
  };
  PreparedCalibration ready = std::move(prepared).value();
  return submit(std::move(ready.prepared), std::move(ready.operation), std::move(call), std::move(keep),
                /*may_join=*/false);
}

Status calibrate_sync(std::shared_ptr<Memory> memory, const CalibrateOptions& options, Calibration& out,
                      unsigned max_threads) {
  auto result = std::make_shared<Calibration>();
  Result<PreparedCalibration> prepared = prepare_calibration(*memory, options, result);
  if (!prepared.ok()) return prepared.status();
  PreparedCalibration ready = std::move(prepared).value();
  Status status = run(std::move(ready.prepared), std::move(ready.operation), max_threads);
  if (!status.ok()) return status;
  memory->set_calibration(*result);
  out = *result;
  return status;
}

}  // namespace engram::dense
