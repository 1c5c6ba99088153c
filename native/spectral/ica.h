// Independent-component analysis of a subspace: the rows of sqrt(N) V are a rotation of sources, and the only
// rotation that leaves nothing but +-1 is that of the archetypes.
//
// Symmetric FastICA with the cubic nonlinearity (Hyvarinen & Oja 1997; Hyvarinen 1999): with X = sqrt(N) V,
// which is white, every sweep takes W <- E[(W x)^3 x^T] - 3 W and restores orthonormality, W <- (W
// W^T)^(-1/2) W. The
// +-1 sources have kurtosis -2, the most negative there is, and convergence is cubic. The rotation has K^2
// parameters and N columns to learn it from, so that it fails where K^2 > N; see sign_projection.h.
#pragma once

#include <cstdint>
#include <vector>

#include "spectral/subspace.h"

namespace engram::spectral {

struct IcaOptions {
  uint32_t most_sweeps = 100;  // of one start, >= 1; O(N K^2) each
  uint32_t restarts = 2;       // from random rotations, when the start from the identity does not converge
  double tolerance = 1e-6;     // 1 - |cosine| between a row of W and the same row one sweep before, > 0
  uint64_t seed = 1;           // of the restarts
};

struct IcaRotation {
  std::vector<double> weights;  // W, K x K, row-major, orthonormal
  bool converged = false;       // of the last start, whose rotation this is
  uint32_t sweeps = 0;          // of all starts together
};

// Precondition: v is orthonormal and has a row. kAborted.
Result<IcaRotation> fast_ica(const FloatRows& v, const IcaOptions& options, const KeepGoing& keep_going);

// sign(W V), K x N; +1 where a source is exactly zero.
std::vector<int8_t> sign_sources(const FloatRows& v, const std::vector<double>& weights);

}  // namespace engram::spectral
