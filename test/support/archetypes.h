// Archetypes, and subspaces that were estimated from them with a known overlap.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "base/view.h"

namespace engram::support {

// count x dim independent +-1, row-major.
inline std::vector<int8_t> random_archetypes(size_t count, size_t dim, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<int8_t> states(count * dim);
  for (int8_t& s : states) s = (random() & 1) != 0 ? 1 : -1;
  return states;
}

inline MatrixView<const int8_t> patterns(const std::vector<int8_t>& states, size_t dim) {
  return {states.data(), states.size() / dim, dim};
}

class NormalNumbers {
 public:
  explicit NormalNumbers(uint64_t seed) : random_(seed) {}
  double operator()() {
    const double radius = std::sqrt(-2 * std::log((static_cast<double>(random_() >> 11) + 0.5) * 0x1p-53));
    return radius * std::cos(6.283185307179586 * static_cast<double>(random_() >> 11) * 0x1p-53);
  }

 private:
  std::mt19937_64 random_;
};

// Makes the rows from `first` on orthonormal, to each other and to those before (Gram-Schmidt, twice).
inline void orthonormalise(std::vector<double>& rows, size_t dim, size_t first) {
  const auto product = [&](size_t i, size_t j) {
    double sum = 0;
    for (size_t n = 0; n < dim; ++n) sum += rows[i * dim + n] * rows[j * dim + n];
    return sum;
  };
  for (size_t i = first; i < rows.size() / dim; ++i) {
    for (int pass = 0; pass < 2; ++pass) {
      for (size_t j = 0; j < i; ++j) {
        const double along = product(i, j);
        for (size_t n = 0; n < dim; ++n) rows[i * dim + n] -= along * rows[j * dim + n];
      }
    }
    const double norm = std::sqrt(product(i, i));
    for (size_t n = 0; n < dim; ++n) rows[i * dim + n] /= norm;
  }
}

// K x N rows of the kind an eigensolver leaves: a random orthonormal basis of the span of the archetypes, of
// which row k has lost all but gamma[k] of its squared length to noise in the rest of space.
inline std::vector<float> estimated_subspace(const std::vector<int8_t>& archetypes, size_t dim,
                                             const std::vector<double>& gamma, uint64_t seed) {
  const size_t count = archetypes.size() / dim;
  NormalNumbers normal(seed);
  std::vector<double> rows(2 * count * dim);
  for (size_t k = 0; k < count; ++k) {
    for (size_t mu = 0; mu < count; ++mu) {
      const double share = normal();
      for (size_t n = 0; n < dim; ++n) rows[k * dim + n] += share * archetypes[mu * dim + n];
    }
  }
  for (size_t at = count * dim; at < rows.size(); ++at) rows[at] = normal();
  orthonormalise(rows, dim, 0);
  std::vector<float> v(count * dim);
  for (size_t at = 0; at < v.size(); ++at) {
    const double g = gamma[at / dim];
    v[at] = static_cast<float>(std::sqrt(g) * rows[at] + std::sqrt(1 - g) * rows[count * dim + at]);
  }
  return v;
}

inline std::vector<float> estimated_subspace(const std::vector<int8_t>& archetypes, size_t dim, double gamma,
                                             uint64_t seed) {
  return estimated_subspace(archetypes, dim, std::vector<double>(archetypes.size() / dim, gamma), seed);
}

}  // namespace engram::support
