#include "engine/key_terms.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace engram::engine {
namespace {

constexpr float kExcluded = -std::numeric_limits<float>::infinity();

// Calls exclude(j) for every row of the tile that is removed.
template <typename Exclude>
void for_removed(const ScoreFold& operation, const TileRef& tile, Exclude exclude) {
  const uint64_t bits = operation.removed.size() * 64;
  for (size_t j = 0; j < tile.rows; ++j) {
    const uint64_t item = tile.first + j;
    if (item >= bits) return;
    if (operation.removed[item / 64] >> (item % 64) & 1) exclude(j);
  }
}

bool all_finite(const float* values, size_t count) {
  float check = 0;
  for (size_t j = 0; j < count; ++j) check += values[j] * 0.0F;
  return check == 0;
}

}  // namespace

bool key_terms(const ScoreFold& operation, const TileRef& tile, float* norms, float* multiplier,
               float* bias) {
  bool finite = true;
  // A removed row may be so large that its norm is not finite.
  if (norms != nullptr) for_removed(operation, tile, [&](size_t j) { norms[j] = 0; });
  switch (operation.term) {
    case KeyTerm::kNone:
      std::fill_n(multiplier, tile.rows, 1.0F);
      std::fill_n(bias, tile.rows, 0.0F);
      break;
    case KeyTerm::kHalfSquareNorm:
      finite = all_finite(norms, tile.rows);
      std::fill_n(multiplier, tile.rows, 1.0F);
      for (size_t j = 0; j < tile.rows; ++j) bias[j] = -0.5F * norms[j];
      break;
    case KeyTerm::kReciprocalNorm:
      finite = all_finite(norms, tile.rows);
      for (size_t j = 0; j < tile.rows; ++j) multiplier[j] = norms[j] > 0 ? 1.0F / std::sqrt(norms[j]) : 0.0F;
      std::fill_n(bias, tile.rows, 0.0F);
      break;
  }
  for_removed(operation, tile, [&](size_t j) { bias[j] = kExcluded; });
  return finite;
}

Status explain_non_finite(const ScoreFold& operation, const TileRef& tile) {
  for (size_t j = 0; j < tile.rows; ++j) {
    for (size_t d = 0; d < operation.dim; ++d) {
      const float x = tile.keys[j * operation.dim + d];
      if (std::isfinite(x)) continue;
      return {StatusCode::kNonFinite, "stored pattern " + std::to_string(tile.first + j) + " has " +
                                          std::to_string(x) + " at position " + std::to_string(d) +
                                          "; every element must be finite"};
    }
  }
  return {StatusCode::kRange, "a score of stored patterns " + std::to_string(tile.first) + " to " +
                                  std::to_string(tile.first + tile.rows - 1) +
                                  " overflows Float32 (limit 3.4e38); scale patterns and queries"};
}

}  // namespace engram::engine
