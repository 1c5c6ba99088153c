// Examples of archetypes and the leading eigenvectors of their second moment, in Float64.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "support/archetypes.h"

namespace engram::support {

// count x dim rows chi * xi^mu, P(chi = +1) = (1 + quality) / 2, mu in turn.
inline std::vector<int8_t> noisy_examples(const std::vector<int8_t>& archetypes, size_t dim, size_t count,
                                          double quality, uint64_t seed) {
  std::mt19937_64 random(seed);
  const size_t kinds = archetypes.size() / dim;
  std::vector<int8_t> examples;
  examples.reserve(count * dim);
  for (size_t i = 0; i < count; ++i) {
    for (size_t n = 0; n < dim; ++n) {
      const bool flipped = static_cast<double>(random() >> 11) * 0x1p-53 >= (1 + quality) / 2;
      const int8_t pure = archetypes[i % kinds * dim + n];
      examples.push_back(static_cast<int8_t>(flipped ? -pure : pure));
    }
  }
  return examples;
}

// The span of the `count` leading eigenvectors of X^T X, by orthogonal iteration; orthonormal rows.
inline std::vector<float> leading_subspace(const std::vector<int8_t>& examples, size_t dim, size_t count,
                                           int iterations, uint64_t seed) {
  NormalNumbers normal(seed);
  std::vector<double> rows(count * dim);
  for (double& entry : rows) entry = normal();
  orthonormalise(rows, dim, 0);
  const std::vector<double> x(examples.begin(), examples.end());
  for (int iteration = 0; iteration < iterations; ++iteration) {
    std::vector<double> next(count * dim);
    for (size_t i = 0; i < x.size() / dim; ++i) {
      for (size_t k = 0; k < count; ++k) {
        double along = 0;
        for (size_t n = 0; n < dim; ++n) along += x[i * dim + n] * rows[k * dim + n];
        for (size_t n = 0; n < dim; ++n) next[k * dim + n] += along * x[i * dim + n];
      }
    }
    rows.swap(next);
    orthonormalise(rows, dim, 0);
  }
  return {rows.begin(), rows.end()};
}

}  // namespace engram::support
