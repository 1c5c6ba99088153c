// Point clouds in Float64 for tests of transport.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/reference.h"
#include "transport/problem.h"

namespace engram::support {

struct DoubleCloud {
  std::vector<double> points;
  std::vector<double> weights;

  size_t dim() const { return points.size() / weights.size(); }
  transport::Measure measure() const { return {points.data(), weights.data(), weights.size()}; }
};

inline DoubleCloud normalised(DoubleCloud cloud) {
  double total = 0;
  for (const double weight : cloud.weights) total += weight;
  for (double& weight : cloud.weights) weight /= total;
  return cloud;
}

// The generator of the published reference cases; i and k count from 0.
inline DoubleCloud reference_cloud(size_t n, size_t dim, double s) {
  DoubleCloud cloud;
  for (size_t i = 0; i < n; ++i) {
    const double row = static_cast<double>(i) + 1;
    for (size_t k = 0; k < dim; ++k) {
      const double column = static_cast<double>(k) + 1;
      cloud.points.push_back(std::sin(1.7 * row + 2.3 * column + s) + 0.5 * std::cos(0.9 * row * column + s));
    }
    cloud.weights.push_back(1 + static_cast<double>((7 * i + static_cast<size_t>(s)) % 5));
  }
  return normalised(cloud);
}

// Points in [-1, 1)^dim, weights from 0.05 to 1 before they are normalised.
inline DoubleCloud random_cloud(size_t n, size_t dim, uint64_t seed) {
  DoubleCloud cloud;
  for (const float x : reference::random_floats(n * dim, seed)) cloud.points.push_back(x);
  for (const float w : reference::random_floats(n, seed + 1000)) cloud.weights.push_back(0.525 + 0.475 * w);
  return normalised(cloud);
}

// The points and weights in reverse order.
inline DoubleCloud reversed(const DoubleCloud& cloud) {
  DoubleCloud back;
  const size_t dim = cloud.dim();
  for (size_t i = cloud.weights.size(); i-- > 0;) {
    back.weights.push_back(cloud.weights[i]);
    for (size_t d = 0; d < dim; ++d) back.points.push_back(cloud.points[i * dim + d]);
  }
  return back;
}

// A Gaussian on an even grid of n points over 7.5 standard deviations to each side: exact to Float64.
inline DoubleCloud gaussian_grid(size_t n, double mean, double deviation) {
  DoubleCloud cloud;
  for (size_t i = 0; i < n; ++i) {
    const double z = 15 * (static_cast<double>(i) / static_cast<double>(n - 1) - 0.5);
    cloud.points.push_back(mean + deviation * z);
    cloud.weights.push_back(std::exp(-z * z / 2));
  }
  return normalised(cloud);
}

// OT between Gaussians of deviations s1 and s2, `shift` apart, in one dimension (Janati et al. 2020,
// "Entropic Optimal Transport between Unbalanced Gaussian Measures has a Closed Form").
inline double gaussian_transport(double s1, double s2, double shift, const transport::Geometry& geometry) {
  const double variance = geometry.epsilon / (2 * geometry.cost_scale);
  const double root = std::sqrt(4 * s1 * s1 * s2 * s2 + variance * variance);
  return geometry.cost_scale *
         (shift * shift + s1 * s1 + s2 * s2 - root + variance * (1 - std::log(2 * variance)) +
          variance * std::log(root + variance));
}

inline double cost(const DoubleCloud& x, size_t i, const DoubleCloud& y, size_t j,
                   const transport::Geometry& geometry) {
  double square = 0;
  for (size_t d = 0; d < geometry.dim; ++d) {
    square += std::pow(x.points[i * geometry.dim + d] - y.points[j * geometry.dim + d], 2);
  }
  return geometry.cost_scale * square;
}

}  // namespace engram::support
