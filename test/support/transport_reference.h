// Entropic transport by plain loops in Float64: slow, obvious, used by tests only.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "support/clouds.h"
#include "transport/problem.h"

namespace engram::reference {

using support::DoubleCloud;
using transport::Geometry;

// -epsilon log sum_j b_j exp((g_j - c(x, y_j)) / epsilon) at a point x of cloud `at`, number i.
inline double softmin(const DoubleCloud& at, size_t i, const DoubleCloud& y, const std::vector<double>& g,
                      const Geometry& geometry) {
  double most = -std::numeric_limits<double>::infinity();
  std::vector<double> exponents(y.weights.size());
  for (size_t j = 0; j < exponents.size(); ++j) {
    exponents[j] = (g[j] - support::cost(at, i, y, j, geometry)) / geometry.epsilon + std::log(y.weights[j]);
    most = std::max(most, exponents[j]);
  }
  double sum = 0;
  for (const double exponent : exponents) sum += std::exp(exponent - most);
  return -geometry.epsilon * (most + std::log(sum));
}

struct Potentials {
  std::vector<double> f;
  std::vector<double> g;
  double value = 0;
};

// Alternating soft c-transforms until the potentials stand still.
inline Potentials solve(const DoubleCloud& x, const DoubleCloud& y, const Geometry& geometry) {
  Potentials p;
  p.f.assign(x.weights.size(), 0);
  p.g.assign(y.weights.size(), 0);
  for (int k = 0; k < 200'000; ++k) {
    for (size_t i = 0; i < p.f.size(); ++i) p.f[i] = softmin(x, i, y, p.g, geometry);
    double change = 0;
    for (size_t j = 0; j < p.g.size(); ++j) {
      const double g = softmin(y, j, x, p.f, geometry);
      if (y.weights[j] > 0) change = std::max(change, std::abs(g - p.g[j]));
      p.g[j] = g;
    }
    if (change <= 1e-14) break;
  }
  for (size_t i = 0; i < p.f.size(); ++i) p.f[i] = softmin(x, i, y, p.g, geometry);
  for (size_t i = 0; i < p.f.size(); ++i) p.value += x.weights[i] * p.f[i];
  for (size_t j = 0; j < p.g.size(); ++j) p.value += y.weights[j] * p.g[j];
  return p;
}

// The self problem, by averaged updates, which converge for any epsilon.
inline Potentials solve_self(const DoubleCloud& x, const Geometry& geometry) {
  Potentials p;
  p.f.assign(x.weights.size(), 0);
  for (int k = 0; k < 80; ++k) {
    std::vector<double> next(p.f.size());
    for (size_t i = 0; i < next.size(); ++i) next[i] = (p.f[i] + softmin(x, i, x, p.f, geometry)) / 2;
    p.f = next;
  }
  p.g = p.f;
  for (size_t i = 0; i < p.f.size(); ++i) p.value += 2 * x.weights[i] * p.f[i];
  return p;
}

inline double divergence(const DoubleCloud& x, const DoubleCloud& y, const Geometry& geometry) {
  return solve(x, y, geometry).value - (solve_self(x, geometry).value + solve_self(y, geometry).value) / 2;
}

inline double energy(const DoubleCloud& x, const std::vector<DoubleCloud>& stored, const Geometry& geometry,
                     double beta, const std::vector<double>& log_prior = {}) {
  double sum = 0;
  for (size_t k = 0; k < stored.size(); ++k) {
    sum += std::exp((log_prior.empty() ? 0 : log_prior[k]) - beta * divergence(x, stored[k], geometry));
  }
  return -std::log(sum) / beta;
}

}  // namespace engram::reference
