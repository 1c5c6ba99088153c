// Products with a few long rows: a detected subspace V, or archetypes as numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/status.h"
#include "base/view.h"

namespace engram::spectral {

// K x N; where it says so the rows are orthonormal, as the eigensolver leaves them, and V^T V projects on
// their span.
using FloatRows = MatrixView<const float>;

// Asked about every millisecond; false: stop, the caller has lost interest.
using KeepGoing = std::function<bool()>;

// c = V x. x: N numbers; c: K. Summed in Float32 over short runs and in Float64 over those.
void multiply(const FloatRows& v, const float* x, double* c);
// x = V^T c. c: K numbers; x: N.
void multiply_transposed(const FloatRows& v, const double* c, float* x);

// The sign of `field`, and of `otherwise` where it is zero, as it is for even numbers of patterns that
// balance: a state has no zeros, and a tie changes nothing. A zero that ties with zero is +1.
inline float sign(float field, float otherwise) {
  const float decisive = field == 0 ? otherwise : field;
  return decisive < 0 ? -1.0F : 1.0F;
}

// kShape: no columns, or more rows than columns; kNonFinite; kRange: not orthonormal within 1e-3.
Status check_orthonormal(const FloatRows& v);

}  // namespace engram::spectral
