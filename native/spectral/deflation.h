// What is left of a subspace once some of its archetypes are known.
#pragma once

#include <vector>

#include "spectral/archetypes.h"
#include "spectral/subspace.h"

namespace engram::spectral {

// Orthonormal rows that span the part of the span of v which is orthogonal to the projections of the
// archetypes on it: (K - count) x N. Fewer sources are mixed there, so that what could not be unmixed from
// all of v may be from this; the others lose what they overlap with the known ones, of random archetypes a
// share count / N.
std::vector<float> remaining_subspace(const FloatRows& v, const Archetypes& known);

}  // namespace engram::spectral
