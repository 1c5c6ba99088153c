// Archetypes are only nearly orthogonal; what undoes their overlaps.
#pragma once

#include <Eigen/Core>
#include <vector>

#include "spectral/subspace.h"

namespace engram::spectral {

// C^-1 for C = xi xi^T / N, K x K; without the directions in which archetypes depend on each other.
// Precondition: there is an archetype.
Eigen::MatrixXd inverse_correlations(const FloatRows& xi);

// +-1 as Float32, row by row.
std::vector<float> as_floats(const MatrixView<const int8_t>& archetypes);

}  // namespace engram::spectral
