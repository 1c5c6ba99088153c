// Similarities in the engine's terms: which key term, what happens to queries, what lse means.
#pragma once

#include <cstdint>
#include <vector>

#include "dense/memory.h"
#include "engine/score_fold.h"

namespace engram::dense {

// The snapshot's blocks and removals in the engine's form. Valid while the snapshot and this live.
class ScoredMemory {
 public:
  explicit ScoredMemory(std::shared_ptr<const Snapshot> snapshot);
  const Snapshot& snapshot() const { return *snapshot_; }
  // A pass over all items with nothing chosen yet but the memory.
  engine::ScoreFold pass() const;
  // Keys of one item.
  const float* key(uint64_t item) const;

 private:
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<engine::KeyBlock> blocks_;
};

engine::KeyTerm key_term(Similarity similarity);

// Scale that makes the exponential folds a softmax at inverse temperature beta.
float softmax_scale(float beta);

// Prepares `count` queries for scoring: cosine divides each by its norm (a zero query stays zero), the
// others leave them. In place.
void prepare_queries(Similarity similarity, float* queries, uint64_t count, size_t dim);

// |q|^2 in float64.
double square_norm(const float* q, size_t dim);

// The similarity of q and x in float64: negative half squared distance, cosine (0 with a zero vector),
// dot product.
double exact_similarity(Similarity similarity, const float* q, const float* x, size_t dim);

// Energy of a softmax memory at q (Ramsauer et al. 2020, eq. 3; for the Euclidean similarity the form
// -(1/beta) log sum exp(-beta/2 |q - x|^2)). `lse` is the pass's log-sum-exp of beta * score,
// `max_square_norm` the largest |x|^2 among live items (dot similarity only).
double softmax_energy(Similarity similarity, float beta, double lse, double query_square_norm,
                      double max_square_norm, uint64_t live);

}  // namespace engram::dense
