#include "spectral/client_noise.h"

#include <algorithm>
#include <cmath>

#include "spectral/edge.h"
#include "spectral/outlier.h"

namespace engram::spectral {
namespace {

constexpr double kRounding = 1e-6;  // of the trace: an eigenvalue below it may be the rounding of a zero

// sigma^2 (N + sum kappa^_i) - trace, over the first `count` eigenvalues.
double surplus(const std::vector<double>& eigenvalues, size_t count, double variance, double trace,
               double dim, double q) {
  double strength = dim;
  for (size_t i = 0; i < count; ++i) strength += estimate_spike(eigenvalues[i] / variance, q).kappa;
  return variance * strength - trace;
}

// The root of the surplus below `high`, where it is positive. It is concave in the variance and negative at
// 0, or zero there when the outliers are the whole trace, so there is one. Bisection.
double solve_variance(const std::vector<double>& eigenvalues, size_t count, double high, double trace,
                      double dim, double q) {
  double low = 0;
  while (true) {
    const double middle = low + (high - low) / 2;
    if (middle <= 1e-12 * trace / dim) return 0;
    if (middle <= low || middle >= high) return middle;
    (surplus(eigenvalues, count, middle, trace, dim, q) > 0 ? high : low) = middle;
  }
}

// At or below its edge an eigenvalue has no kappa, whatever the quantile.
double cut_of(double variance, double mean_square, double dim, double samples, double quantile) {
  const NoiseEdge edge({{1, samples, variance / mean_square}}, dim);
  return mean_square * std::max({edge.cut(quantile), edge.edge(), kRounding * dim});
}

}  // namespace

// The more outliers, the smaller the variance and the cut, and the more outliers: counted until none is
// added.
ClientNoise estimate_client_noise(const std::vector<double>& eigenvalues, double trace, double dim,
                                  double samples, double quantile) {
  ClientNoise noise;
  noise.variance = trace / dim;
  if (samples < 2) return noise;
  const double q = dim / samples;
  while (true) {
    size_t count = noise.outliers;
    const double least = cut_of(noise.variance, trace / dim, dim, samples, quantile);
    while (count < eigenvalues.size() && eigenvalues[count] > least) ++count;
    if (count == noise.outliers) break;
    noise.variance = solve_variance(eigenvalues, count, noise.variance, trace, dim, q);
    noise.outliers = count;
  }
  noise.quality = std::sqrt(std::clamp(1 - noise.variance * dim / trace, 0.0, 1.0));
  noise.complete =
      noise.outliers < eigenvalues.size() || static_cast<double>(noise.outliers) >= std::min(dim, samples);
  return noise;
}

}  // namespace engram::spectral
