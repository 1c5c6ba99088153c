// Where the dynamics that look for archetypes set out from.
#pragma once

#include <vector>

#include "spectral/random_stream.h"
#include "spectral/subspace.h"

namespace engram::spectral {

// state = sign(sum_d c_d v_d) with c ~ N(0, 1) (the paper's section on factorisation); N numbers.
inline void random_mixture(const FloatRows& v, RandomStream& random, float* state) {
  std::vector<double> coefficients(v.rows);
  for (double& c : coefficients) c = random.gaussian();
  multiply_transposed(v, coefficients.data(), state);
  for (size_t n = 0; n < v.cols; ++n) state[n] = sign(state[n], 1);
}

}  // namespace engram::spectral
