// The split-half test: what is shared shows in two disjoint halves of the clients, each by itself.
//
// The cut assumes independent pixels with few large entries. Where that fails, noise has eigenvalues beyond
// it, but where heavy tails make them they point elsewhere in every half. (Noise that all clients share, such
// as the correlation of neighbouring pixels, replicates as an archetype does: whiten before.)
//
// The leading eigenvectors of the halves, V_1 and V_2, have the cosines of principal angles sigma(V_1 V_2^T).
// Independent directions, d in each half, have none beyond 2 sqrt(d / N (1 - d / N)) (Wachter 1980), to which
// four times the fluctuation of a single one, 1 / sqrt(N), is added; a direction that both halves know with
// squared overlaps g_1 and g_2 has sqrt(g_1 g_2).
#pragma once

#include "base/status.h"
#include "runtime/parallel.h"
#include "spectral/linear_operator.h"
#include "spectral/round_detection.h"

namespace engram::spectral {

// Leaves in `detection` only the directions, within the span of what was detected, that replicate: as many as
// the halves share, or none. Eigenvalues stay as they are; values and gamma are those of the directions that
// are left. The halves are on the scale of N J, each with what is fed back, and `noise` is that of the whole.
// kNotConverged, kNonFinite, kOutOfMemory, kAborted.
Status keep_replicated(const LinearOperator& first, const LinearOperator& second, const NoiseEdge& noise,
                       Detection& detection, const runtime::Parallel& parallel);

}  // namespace engram::spectral
