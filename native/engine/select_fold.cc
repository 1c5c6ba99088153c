#include "engine/select_fold.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace engram::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool any_above(const float* values, const float* threshold, size_t count) {
  bool above = false;
  for (size_t i = 0; i < count; ++i) above |= values[i] > threshold[i];
  return above;
}

// Calls take(query, candidate) for each score of the panel above its lane's threshold, by rising item
// number; false when no lane's maximum is. `take` may raise thresholds: they are looked at again for every
// score.
template <typename Take>
bool for_each_above(const kernels::KernelTable& kernels, const Panel& panel, const float* scores,
                    const TileRef& tile, const float* tile_max, const float* threshold, Take take) {
  if (!any_above(tile_max, threshold, panel.width)) return false;
  constexpr size_t kChunk = 128;
  uint32_t hits[kChunk + 1];  // the kernel writes one entry past its count
  for (size_t start = 0; start < tile.rows; start += kChunk) {
    const size_t rows = std::min(kChunk, tile.rows - start);
    const float* chunk = scores + start * panel.width;
    const size_t count = kernels.panel_above(chunk, rows, panel.width, threshold, hits);
    for (size_t h = 0; h < count; ++h) {
      const float* row = chunk + hits[h] * panel.width;
      for (size_t i = 0; i < panel.count; ++i) {
        if (row[i] > threshold[i]) take(panel.first + i, Candidate{tile.first + start + hits[h], row[i]});
      }
    }
  }
  return true;
}

}  // namespace

TopKFold::TopKFold(const ScoreFold& operation, const kernels::KernelTable& kernels, QueryGroup group,
                   PassShared& shared)
    : operation_(operation), kernels_(kernels), group_(group), shared_(shared), heaps_(group.count) {
  threshold_.assign(group.count + kernels::kMaxPanelWidth, kInfinity);
  std::fill_n(threshold_.begin(), group.count, -kInfinity);
}

void TopKFold::offer(size_t query, const Candidate& candidate) {
  std::vector<Candidate>& heap = heaps_[query];
  if (heap.size() == operation_.k) {
    if (!Better()(candidate, heap.front())) return;
    std::pop_heap(heap.begin(), heap.end(), Better());
    heap.back() = candidate;
  } else {
    heap.push_back(candidate);
  }
  std::push_heap(heap.begin(), heap.end(), Better());
  if (heap.size() == operation_.k) threshold_[query] = std::max(threshold_[query], heap.front().score);
}

// Takes over what other strands have reached. An item that equals the shared score may still win by its
// lower number, so the threshold stays just below it.
void TopKFold::learn(size_t query) {
  const float floor = shared_.floor[group_.first + query].load(std::memory_order_relaxed);
  if (floor > threshold_[query]) {
    threshold_[query] = std::max(threshold_[query], std::nextafter(floor, -kInfinity));
  }
}

void TopKFold::tell(size_t query) {
  if (heaps_[query].size() < operation_.k) return;
  const float reached = heaps_[query].front().score;
  std::atomic<float>& floor = shared_.floor[group_.first + query];
  float known = floor.load(std::memory_order_relaxed);
  while (reached > known && !floor.compare_exchange_weak(known, reached, std::memory_order_relaxed)) {
  }
}

void TopKFold::take_row(size_t query, float* scores, const TileRef& tile, float tile_max) {
  learn(query);
  if (!(tile_max > threshold_[query])) return;
  for (size_t j = 0; j < tile.rows; ++j) {
    if (scores[j] > threshold_[query]) offer(query, {tile.first + j, scores[j]});
  }
  tell(query);
}

void TopKFold::take_panel(const Panel& panel, float* scores, const TileRef& tile, const float* tile_max) {
  for (size_t i = 0; i < panel.count; ++i) learn(panel.first + i);
  const bool any =
      for_each_above(kernels_, panel, scores, tile, tile_max, &threshold_[panel.first],
                     [this](size_t query, const Candidate& candidate) { offer(query, candidate); });
  if (!any) return;
  for (size_t i = 0; i < panel.count; ++i) tell(panel.first + i);
}

void TopKFold::absorb(StrandFold& next, size_t /*part*/) {
  TopKFold& other = static_cast<TopKFold&>(next);
  for (size_t i = 0; i < heaps_.size(); ++i) {
    for (const Candidate& candidate : other.heaps_[i]) offer(i, candidate);
  }
}

Status TopKFold::finish(size_t /*part*/) {
  for (size_t i = 0; i < heaps_.size(); ++i) {
    std::sort(heaps_[i].begin(), heaps_[i].end(), Better());
    std::copy(heaps_[i].begin(), heaps_[i].end(), operation_.top + (group_.first + i) * operation_.k);
  }
  return {};
}

CandidateFold::CandidateFold(const ScoreFold& operation, const kernels::KernelTable& kernels,
                             QueryGroup group)
    : operation_(operation), kernels_(kernels), group_(group), found_(group.count) {
  threshold_.assign(group.count + kernels::kMaxPanelWidth, kInfinity);
  std::copy_n(operation.threshold + group.first, group.count, threshold_.begin());
}

void CandidateFold::take_row(size_t query, float* scores, const TileRef& tile, float tile_max) {
  const float threshold = threshold_[query];
  if (!(tile_max > threshold)) return;
  for (size_t j = 0; j < tile.rows; ++j) {
    if (scores[j] > threshold) found_[query].push_back({tile.first + j, scores[j]});
  }
}

void CandidateFold::take_panel(const Panel& panel, float* scores, const TileRef& tile,
                               const float* tile_max) {
  for_each_above(kernels_, panel, scores, tile, tile_max, &threshold_[panel.first],
                 [this](size_t query, const Candidate& candidate) { found_[query].push_back(candidate); });
}

void CandidateFold::absorb(StrandFold& next, size_t /*part*/) {
  CandidateFold& other = static_cast<CandidateFold&>(next);
  for (size_t i = 0; i < found_.size(); ++i) {
    found_[i].insert(found_[i].end(), other.found_[i].begin(), other.found_[i].end());
  }
}

Status CandidateFold::finish(size_t /*part*/) {
  for (size_t i = 0; i < found_.size(); ++i) operation_.candidates[group_.first + i] = std::move(found_[i]);
  return {};
}

}  // namespace engram::engine
