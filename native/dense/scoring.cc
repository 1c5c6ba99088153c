#include "dense/scoring.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace engram::dense {
namespace {

double dot(const float* a, const float* b, size_t dim) {
  double even = 0;
  double odd = 0;
  size_t d = 0;
  for (; d + 2 <= dim; d += 2) {
    even += static_cast<double>(a[d]) * b[d];
    odd += static_cast<double>(a[d + 1]) * b[d + 1];
  }
  if (d < dim) even += static_cast<double>(a[d]) * b[d];
  return even + odd;
}

double square_distance(const float* a, const float* b, size_t dim) {
  double sum = 0;
  for (size_t d = 0; d < dim; ++d) {
    const double difference = static_cast<double>(a[d]) - b[d];
    sum += difference * difference;
  }
  return sum;
}

}  // namespace

ScoredMemory::ScoredMemory(std::shared_ptr<const Snapshot> snapshot) : snapshot_(std::move(snapshot)) {
  blocks_.reserve(snapshot_->blocks.size());
  for (const Block& block : snapshot_->blocks) {
    blocks_.push_back({.keys = block.keys,
                       .values = block.values,
                       .first = block.first,
                       .rows = block.rows,
                       .resident = block.resident.get()});
  }
}

engine::ScoreFold ScoredMemory::pass() const {
  engine::ScoreFold pass;
  pass.blocks = blocks_;
  pass.count = snapshot_->count;
  pass.dim = snapshot_->dim;
  pass.value_dim = snapshot_->value_dim;
  pass.separate_values = snapshot_->hetero;
  pass.device = snapshot_->placement.options;
  if (snapshot_->removed != nullptr) pass.removed = *snapshot_->removed;
  return pass;
}

const float* ScoredMemory::key(uint64_t item) const {
  const auto after = std::upper_bound(blocks_.begin(), blocks_.end(), item,
                                      [](uint64_t i, const engine::KeyBlock& b) { return i < b.first; });
  const engine::KeyBlock& block = *(after - 1);
  return block.keys + (item - block.first) * snapshot_->dim;
}

engine::KeyTerm key_term(Similarity similarity) {
  switch (similarity) {
    case Similarity::kEuclidean: return engine::KeyTerm::kHalfSquareNorm;
    case Similarity::kCosine: return engine::KeyTerm::kReciprocalNorm;
    case Similarity::kDot: break;
  }
  return engine::KeyTerm::kNone;
}

float softmax_scale(float beta) { return static_cast<float>(beta * std::numbers::log2e); }

double square_norm(const float* q, size_t dim) { return dot(q, q, dim); }

void prepare_queries(Similarity similarity, float* queries, uint64_t count, size_t dim) {
  if (similarity != Similarity::kCosine) return;
  for (uint64_t i = 0; i < count; ++i) {
    float* q = queries + i * dim;
    const double norm = std::sqrt(square_norm(q, dim));
    if (norm == 0) continue;
    for (size_t d = 0; d < dim; ++d) q[d] = static_cast<float>(q[d] / norm);
  }
}

double exact_similarity(Similarity similarity, const float* q, const float* x, size_t dim) {
  if (similarity == Similarity::kEuclidean)
    return 0.0 - 0.5 * square_distance(q, x, dim);  // +0 for a perfect match
  const double product = dot(q, x, dim);
  if (similarity == Similarity::kDot) return product;
  const double norms = std::sqrt(square_norm(q, dim)) * std::sqrt(square_norm(x, dim));
  return norms > 0 ? product / norms : 0;
}

double softmax_energy(Similarity similarity, float beta, double lse, double query_square_norm,
                      double max_square_norm, uint64_t live) {
  switch (similarity) {
    case Similarity::kEuclidean: return 0.5 * query_square_norm - lse / beta;
    case Similarity::kCosine: return 1.0 + (std::log(static_cast<double>(live)) - lse) / beta;
    case Similarity::kDot: break;
  }
  return 0.5 * (query_square_norm + max_square_norm) + (std::log(static_cast<double>(live)) - lse) / beta;
}

}  // namespace engram::dense
