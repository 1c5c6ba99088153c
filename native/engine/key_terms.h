// Multiplier and bias of the keys of a tile.
#pragma once

#include <cstddef>

#include "base/status.h"
#include "engine/score_fold.h"
#include "engine/strand_fold.h"
#include "kernels/kernel_table.h"

namespace engram::engine {

// Turns norms[j] = |x_j|^2 (unused for kNone; overwritten) into multiplier[j] and bias[j]; removed items
// get bias -inf. Returns false when a norm is not finite.
bool key_terms(const ScoreFold& operation, const TileRef& tile, float* norms, float* multiplier, float* bias);

// Why scores of this tile were not finite: kNonFinite naming the first bad element, else kRange.
Status explain_non_finite(const ScoreFold& operation, const TileRef& tile);

}  // namespace engram::engine
