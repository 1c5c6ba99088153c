// Entropic transport, the energy of measures and its flow, by plain loops in Float64: slow, obvious, used by
// tests only. Written from the definitions (Feydy et al. 2019, "Interpolating between optimal transport and
// MMD using Sinkhorn divergences"; Mustafi & Mukherjee 2026), not from the fast code.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

#include "support/clouds.h"
#include "transport/problem.h"

namespace engram::reference {

using support::DoubleCloud;
using transport::Geometry;

// Residuals go no lower: an exponent of size e is known to e * 2^-53.
constexpr double kResidual = 1e-13;
constexpr int kMostIterations = 300'000;

// x.size x y.size, row-major.
inline std::vector<double> costs(const DoubleCloud& x, const DoubleCloud& y, const Geometry& geometry) {
  std::vector<double> matrix;
  for (size_t i = 0; i < x.weights.size(); ++i) {
    for (size_t j = 0; j < y.weights.size(); ++j) matrix.push_back(support::cost(x, i, y, j, geometry));
  }
  return matrix;
}

// b_j exp((g_j - c_j) / epsilon) / sum of them: the row of the plan that belongs to costs c. Returns
// -epsilon log of the sum, the soft c-transform of g.
inline double softmin(const double* c, const std::vector<double>& b, const std::vector<double>& g,
                      double epsilon, std::vector<double>& row) {
  row.resize(b.size());
  double most = -std::numeric_limits<double>::infinity();
  for (size_t j = 0; j < b.size(); ++j) {
    row[j] = (g[j] - c[j]) / epsilon;
    if (b[j] > 0) most = std::max(most, row[j]);
  }
  double sum = 0;
  for (size_t j = 0; j < b.size(); ++j) {
    row[j] = b[j] > 0 ? b[j] * std::exp(row[j] - most) : 0;
    sum += row[j];
  }
  for (double& p : row) p /= sum;
  return -epsilon * (most + std::log(sum));
}

// The soft c-transform of g, the potential of y, at the points of x; c are their costs.
inline std::vector<double> transform(const std::vector<double>& c, size_t points, const DoubleCloud& y,
                                     const std::vector<double>& g, double epsilon) {
  std::vector<double> f(points);
  std::vector<double> row;
  for (size_t i = 0; i < points; ++i) {
    f[i] = softmin(c.data() + i * y.weights.size(), y.weights, g, epsilon, row);
  }
  return f;
}

// L1 residual of the marginal of weights b, when g is the potential and `next` its update.
inline double marginal_residual(const std::vector<double>& b, const std::vector<double>& g,
                                const std::vector<double>& next, double epsilon) {
  double residual = 0;
  for (size_t j = 0; j < b.size(); ++j) residual += b[j] * std::abs(std::expm1((g[j] - next[j]) / epsilon));
  return residual;
}

inline double mean_of(const DoubleCloud& x, const std::vector<double>& f) {
  return std::inner_product(f.begin(), f.end(), x.weights.begin(), 0.0);
}

struct Potentials {
  std::vector<double> f;
  std::vector<double> g;
  double value = 0;     // OT
  double residual = 0;  // L1, of the second marginal; the first one holds
};

// Alternating soft c-transforms until both marginals hold.
inline Potentials solve(const DoubleCloud& x, const DoubleCloud& y, const Geometry& geometry) {
  const std::vector<double> there = costs(x, y, geometry);
  const std::vector<double> back = costs(y, x, geometry);
  const double largest = *std::max_element(there.begin(), there.end());
  const double goal = kResidual + 0x1p-52 * largest / geometry.epsilon;
  Potentials p;
  p.g.assign(y.weights.size(), 0);
  for (int k = 0; k < kMostIterations; ++k) {
    p.f = transform(there, x.weights.size(), y, p.g, geometry.epsilon);
    const std::vector<double> next = transform(back, y.weights.size(), x, p.f, geometry.epsilon);
    p.residual = marginal_residual(y.weights, p.g, next, geometry.epsilon);
    if (p.residual <= goal) break;
    p.g = next;
  }
  p.value = mean_of(x, p.f) + mean_of(y, p.g);
  return p;
}

// The problem of x with itself, by averaged updates, which converge for any epsilon; f = g.
inline Potentials solve_self(const DoubleCloud& x, const Geometry& geometry) {
  const std::vector<double> c = costs(x, x, geometry);
  const double largest = *std::max_element(c.begin(), c.end());
  const double goal = kResidual + 0x1p-52 * largest / geometry.epsilon;
  Potentials p;
  p.f.assign(x.weights.size(), 0);
  for (int k = 0; k < kMostIterations; ++k) {
    const std::vector<double> next = transform(c, x.weights.size(), x, p.f, geometry.epsilon);
    p.residual = marginal_residual(x.weights, p.f, next, geometry.epsilon);
    for (size_t i = 0; i < next.size(); ++i) p.f[i] = (p.f[i] + next[i]) / 2;
    if (p.residual <= goal) break;
  }
  // Points without mass are no part of the fixed point: their potential is the transform of the others'.
  p.f = transform(c, x.weights.size(), x, p.f, geometry.epsilon);
  p.g = p.f;
  p.value = 2 * mean_of(x, p.f);
  return p;
}

// S = OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2.
inline double divergence(const DoubleCloud& x, const DoubleCloud& y, const Geometry& geometry) {
  return solve(x, y, geometry).value - (solve_self(x, geometry).value + solve_self(y, geometry).value) / 2;
}

// Where the plan of potential g takes the points of x: x.size x dim barycentres of y.
inline std::vector<double> barycentres(const DoubleCloud& x, const DoubleCloud& y,
                                       const std::vector<double>& g, const Geometry& geometry) {
  const std::vector<double> c = costs(x, y, geometry);
  std::vector<double> means(x.points.size(), 0);
  std::vector<double> row;
  for (size_t i = 0; i < x.weights.size(); ++i) {
    softmin(c.data() + i * y.weights.size(), y.weights, g, geometry.epsilon, row);
    for (size_t j = 0; j < row.size(); ++j) {
      for (size_t d = 0; d < geometry.dim; ++d) {
        means[i * geometry.dim + d] += row[j] * y.points[j * geometry.dim + d];
      }
    }
  }
  return means;
}

// The energy at a measure and what drives its flow.
struct Field {
  double energy = 0;                // -(1 / beta) log sum_k p_k exp(-beta S_k)
  std::vector<double> divergences;  // S_k
  std::vector<double> gibbs;        // softmax(log p_k - beta S_k)
  std::vector<double> variation;    // V = sum_k w_k f_k - f_self, less its mean
  std::vector<double> gradient;     // 2 cost_scale (T_self - sum_k w_k T_k), n x dim
  double gradient_points = 0;       // G_x = sum_i a_i |grad V_i|^2
  double gradient_weights = 0;      // G_a = Var_a(V)
};

// Energy and Gibbs weights of divergences.
inline void weigh(Field& field, double beta, const std::vector<double>& log_prior) {
  double most = -std::numeric_limits<double>::infinity();
  for (size_t k = 0; k < field.divergences.size(); ++k) {
    field.gibbs.push_back((log_prior.empty() ? 0 : log_prior[k]) - beta * field.divergences[k]);
    most = std::max(most, field.gibbs[k]);
  }
  double sum = 0;
  for (double& w : field.gibbs) sum += w = std::exp(w - most);
  for (double& w : field.gibbs) w /= sum;
  field.energy = -(most + std::log(sum)) / beta;
}

inline Field field(const DoubleCloud& x, const std::vector<DoubleCloud>& stored, const Geometry& geometry,
                   double beta, const std::vector<double>& log_prior = {}) {
  const Potentials self = solve_self(x, geometry);
  std::vector<Potentials> cross;
  Field field;
  for (const DoubleCloud& y : stored) {
    cross.push_back(solve(x, y, geometry));
    field.divergences.push_back(cross.back().value - (self.value + solve_self(y, geometry).value) / 2);
  }
  weigh(field, beta, log_prior);
  field.variation.assign(x.weights.size(), 0);
  field.gradient = barycentres(x, x, self.f, geometry);
  for (size_t i = 0; i < x.weights.size(); ++i) field.variation[i] -= self.f[i];
  for (size_t k = 0; k < stored.size(); ++k) {
    const std::vector<double> means = barycentres(x, stored[k], cross[k].g, geometry);
    for (size_t i = 0; i < x.weights.size(); ++i) field.variation[i] += field.gibbs[k] * cross[k].f[i];
    for (size_t at = 0; at < means.size(); ++at) field.gradient[at] -= field.gibbs[k] * means[at];
  }
  for (double& slope : field.gradient) slope *= 2 * geometry.cost_scale;
  const double average = mean_of(x, field.variation);
  for (double& v : field.variation) v -= average;
  for (size_t i = 0; i < x.weights.size(); ++i) {
    field.gradient_weights += x.weights[i] * field.variation[i] * field.variation[i];
    for (size_t d = 0; d < geometry.dim; ++d) {
      field.gradient_points += x.weights[i] * std::pow(field.gradient[i * geometry.dim + d], 2);
    }
  }
  return field;
}

inline double energy(const DoubleCloud& x, const std::vector<DoubleCloud>& stored, const Geometry& geometry,
                     double beta, const std::vector<double>& log_prior = {}) {
  Field found;
  for (const DoubleCloud& y : stored) found.divergences.push_back(divergence(x, y, geometry));
  weigh(found, beta, log_prior);
  return found.energy;
}

// One simultaneous step of the spherical Hellinger-Kantorovich flow.
inline DoubleCloud step(const DoubleCloud& x, const Field& field, double step_points, double step_weights) {
  DoubleCloud moved = x;
  for (size_t at = 0; at < x.points.size(); ++at) moved.points[at] -= step_points * field.gradient[at];
  for (size_t i = 0; i < x.weights.size(); ++i) {
    moved.weights[i] *= std::exp(-step_weights * field.variation[i]);
  }
  return support::normalised(moved);
}

// The unregularised cost between two clouds of the same number of points of equal weight: of all orders, the
// cheapest.
inline double assignment(const DoubleCloud& x, const DoubleCloud& y, const Geometry& geometry) {
  std::vector<size_t> order(y.weights.size());
  std::iota(order.begin(), order.end(), size_t{0});
  double least = std::numeric_limits<double>::infinity();
  do {
    double sum = 0;
    for (size_t i = 0; i < order.size(); ++i) sum += support::cost(x, i, y, order[i], geometry);
    least = std::min(least, sum / static_cast<double>(order.size()));
  } while (std::next_permutation(order.begin(), order.end()));
  return least;
}

// The unregularised cost in one dimension: sorted mass goes to sorted mass.
inline double line_transport(const DoubleCloud& x, const DoubleCloud& y, double cost_scale) {
  const auto sorted = [](const DoubleCloud& cloud) {
    std::vector<size_t> order(cloud.weights.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(),
              [&](size_t i, size_t j) { return cloud.points[i] < cloud.points[j]; });
    return order;
  };
  const std::vector<size_t> rows = sorted(x);
  const std::vector<size_t> columns = sorted(y);
  double sum = 0;
  double left = x.weights[rows[0]];
  double room = y.weights[columns[0]];
  for (size_t i = 0, j = 0; i < rows.size() && j < columns.size();) {
    const double mass = std::min(left, room);
    sum += mass * cost_scale * std::pow(x.points[rows[i]] - y.points[columns[j]], 2);
    left -= mass;
    room -= mass;
    if (left <= 0 && ++i < rows.size()) left = x.weights[rows[i]];
    if (room <= 0 && ++j < columns.size()) room = y.weights[columns[j]];
  }
  return sum;
}

}  // namespace engram::reference
