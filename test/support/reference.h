// Float64 scalar references of the engine's operations: slow, obvious, used by tests only.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "engine/score_fold.h"

namespace engram::reference {

// Uniform in [-1, 1), the same on every machine.
inline std::vector<float> random_floats(size_t count, uint64_t seed, float magnitude = 1.0F) {
  std::mt19937_64 random(seed);
  std::vector<float> values(count);
  for (float& v : values) {
    v = magnitude * static_cast<float>(static_cast<double>(random() >> 11) * 0x1p-52 - 1.0);
  }
  return values;
}

inline double dot(const float* a, const float* b, size_t dim) {
  double sum = 0;
  for (size_t d = 0; d < dim; ++d) sum += static_cast<double>(a[d]) * b[d];
  return sum;
}

// Where item j of the operation lies.
inline const engine::KeyBlock& block_of(const engine::ScoreFold& op, uint64_t item) {
  for (const engine::KeyBlock& block : op.blocks) {
    if (item < block.first + block.rows) return block;
  }
  return op.blocks.back();
}
inline const float* key(const engine::ScoreFold& op, uint64_t item) {
  const engine::KeyBlock& block = block_of(op, item);
  return block.keys + (item - block.first) * op.dim;
}
inline const float* value(const engine::ScoreFold& op, uint64_t item) {
  if (op.read_keys) return key(op, item);
  const engine::KeyBlock& block = block_of(op, item);
  return block.values + (item - block.first) * op.value_dim;
}
inline bool removed(const engine::ScoreFold& op, uint64_t item) {
  return item / 64 < op.removed.size() && (op.removed[item / 64] >> (item % 64) & 1) != 0;
}

// s_ij, -infinity for a removed item.
inline double score(const engine::ScoreFold& op, uint64_t query, uint64_t item) {
  if (removed(op, item)) return -std::numeric_limits<double>::infinity();
  const float* x = key(op, item);
  const double product = dot(op.queries + query * op.dim, x, op.dim);
  const double square = dot(x, x, op.dim);
  double s = product;
  if (op.term == engine::KeyTerm::kHalfSquareNorm) s = product - 0.5 * square;
  if (op.term == engine::KeyTerm::kReciprocalNorm) s = square > 0 ? product / std::sqrt(square) : 0;
  return op.scale[query] * s;
}

inline std::vector<double> scores(const engine::ScoreFold& op, uint64_t query) {
  std::vector<double> row(op.count);
  for (uint64_t j = 0; j < op.count; ++j) row[j] = score(op, query, j);
  return row;
}

// log sum_j 2^s_j, natural logarithm.
inline double lse(std::span<const double> row) {
  const double max = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const double s : row) sum += std::exp2(s - max);
  return (max + std::log2(sum)) * std::log(2.0);
}

inline std::vector<double> readout(const engine::ScoreFold& op, uint64_t query) {
  const std::vector<double> row = scores(op, query);
  const double total = lse(row) / std::log(2.0);
  std::vector<double> out(op.read_keys ? op.dim : op.value_dim, 0.0);
  for (uint64_t j = 0; j < op.count; ++j) {
    const double p = std::exp2(row[j] - total);
    for (size_t d = 0; d < out.size(); ++d) out[d] += p * value(op, j)[d];
  }
  return out;
}

}  // namespace engram::reference
