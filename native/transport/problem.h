// One transport problem, and what is known of its solution.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engram::transport {

// Cost and regularisation: c(x, y) = cost_scale * |x - y|^2, regularised by epsilon.
struct Geometry {
  size_t dim = 0;
  double cost_scale = 0.5;
  double epsilon = 1;
};

// A measure in Float64: size x dim points, weights >= 0 that sum to 1.
struct Measure {
  const double* points = nullptr;
  const double* weights = nullptr;
  size_t size = 0;
};

// The value of a problem, with a certificate. For any potential g of the second measure, with f its soft
// c-transform, D(g) = <a, f> + <b, g> is at most OT; the residual of the second marginal bounds the rest:
//   0 <= OT - D(g) <= |pi^T 1 - b|_1 * (max_i osc_j c_ij + osc g) / 2.
struct Solution {
  double value = 0;         // D(g)
  double bound = 0;         // OT lies in [value, value + bound]
  double residual = 0;      // L1 residual of the second marginal
  uint32_t iterations = 0;  // a Newton step counts as one
  bool converged = false;
};

}  // namespace engram::transport
