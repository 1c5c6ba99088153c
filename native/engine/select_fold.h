// Folds that select by score: the k best items, or all above a threshold.
#pragma once

#include <memory>

#include "engine/strand_fold.h"

namespace engram::engine {

// True when a is a better answer than b: higher score, or equal and earlier.
struct Better {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.score > b.score || (a.score == b.score && a.index < b.index);
  }
};

// Exact top-k: a heap per query with the worst of the k on top; its score is the threshold that the
// vectorised comparison uses to pass over whole tiles. Strands share the thresholds they have reached: an
// item below one of them has k better ones elsewhere.
class TopKFold final : public StrandFold {
 public:
  TopKFold(const ScoreFold& operation, const kernels::KernelTable& kernels, QueryGroup group,
           PassShared& shared);

  void take_row(size_t query, float* scores, const TileRef& tile, float tile_max) override;
  void take_panel(const Panel& panel, float* scores, const TileRef& tile, const float* tile_max) override;
  void absorb(StrandFold& next, size_t part) override;
  Status finish(size_t part) override;

 private:
  void offer(size_t query, const Candidate& candidate);
  void learn(size_t query);
  void tell(size_t query);

  const ScoreFold& operation_;
  const kernels::KernelTable& kernels_;
  const QueryGroup group_;
  PassShared& shared_;
  std::vector<std::vector<Candidate>> heaps_;  // per query, at most k
  std::vector<float> threshold_;               // per lane; +inf in lanes without a query
};

// Every item above its query's threshold.
class CandidateFold final : public StrandFold {
 public:
  CandidateFold(const ScoreFold& operation, const kernels::KernelTable& kernels, QueryGroup group);

  void take_row(size_t query, float* scores, const TileRef& tile, float tile_max) override;
  void take_panel(const Panel& panel, float* scores, const TileRef& tile, const float* tile_max) override;
  void absorb(StrandFold& next, size_t part) override;
  Status finish(size_t part) override;

 private:
  const ScoreFold& operation_;
  const kernels::KernelTable& kernels_;
  const QueryGroup group_;
  std::vector<std::vector<Candidate>> found_;  // per query
  std::vector<float> threshold_;               // per lane, +inf without a query
};

}  // namespace engram::engine
