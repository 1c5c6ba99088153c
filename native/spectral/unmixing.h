// From a detected subspace to the +-1 archetypes that span it.
//
// Archetypes that have been found are taken out of the subspace (deflation.h), and the search goes on in what
// is left. So independent components, which cannot be learnt where K^2 > N, find the last ones even there,
// once sign projection has found enough.
#pragma once

#include <cstdint>
#include <span>

#include "spectral/archetypes.h"
#include "spectral/ica.h"
#include "spectral/lam.h"
#include "spectral/sign_projection.h"
#include "spectral/subspace.h"

namespace engram::spectral {

enum class UnmixingMethod : uint8_t {
  kIca,             // independent components; sign projection where they cannot be learnt, or are too few
  kSignProjection,  // only that
  kLam,             // the paper's layered dynamics
};

struct UnmixingOptions {
  UnmixingMethod method = UnmixingMethod::kIca;
  uint64_t seed = 1;      // of all that is random; those of the methods below do not count
  uint32_t starts = 400;  // of sign projection, at most; fewer where all archetypes are found before
  Acceptance acceptance;
  IcaOptions ica;
  SignProjectionOptions sign_projection;
  LamOptions lam;
};

struct Unmixing {
  Archetypes archetypes;
  uint32_t sweeps = 0;         // of independent-component analysis; 0: it was not tried
  bool ica_converged = false;  // when it was last tried; its components are candidates only then
  uint32_t starts = 0;         // of sign projection, or blocks of LAM, that were used
};

// v: K x N, orthonormal; K = 0 gives no archetypes. gamma: as for score(). Deterministic. kShape (more rows
// than columns; gamma is neither 1 nor K numbers), kRange (v not orthonormal, gamma outside (0, 1]),
// kNonFinite, kAborted.
Result<Unmixing> unmix(const FloatRows& v, std::span<const double> gamma, const UnmixingOptions& options,
                       const KeepGoing& keep_going);

}  // namespace engram::spectral
