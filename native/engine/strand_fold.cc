#include "engine/strand_fold.h"

#include <algorithm>
#include <limits>

#include "engine/select_fold.h"
#include "engine/softmax_fold.h"

namespace engram::engine {

std::vector<Panel> make_panels(size_t queries, const kernels::KernelTable& kernels) {
  const size_t narrow = kernels.panel_widths[0];
  const size_t wide = kernels.panel_widths[1];
  std::vector<Panel> panels;
  for (size_t first = 0; first < queries;) {
    const size_t rest = queries - first;
    const size_t width = rest > narrow ? wide : narrow;
    panels.push_back({.first = first, .count = std::min(rest, width), .width = width});
    first += width;
  }
  return panels;
}

PassShared::PassShared(const ScoreFold& operation)
    : floor(operation.fold == Fold::kTopK ? operation.query_count : 0) {
  for (std::atomic<float>& score : floor) {
    score.store(-std::numeric_limits<float>::infinity(), std::memory_order_relaxed);
  }
}

Result<std::unique_ptr<StrandFold>> make_strand_fold(const ScoreFold& operation, const CpuPlan& plan,
                                                     const kernels::KernelTable& kernels, QueryGroup group,
                                                     PassShared& shared) {
  switch (operation.fold) {
    case Fold::kLogSumExp:
    case Fold::kReadout: return SoftmaxFold::create(operation, plan, kernels, group);
    case Fold::kTopK: return std::unique_ptr<StrandFold>(new TopKFold(operation, kernels, group, shared));
    case Fold::kCandidates: return std::unique_ptr<StrandFold>(new CandidateFold(operation, kernels, group));
  }
  return Status(StatusCode::kRange, "unknown fold");
}

}  // namespace engram::engine
