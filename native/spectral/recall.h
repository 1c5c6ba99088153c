// Recall of an archetype from a damaged cue.
//
// All entries are updated at once by the field h = J s. The Hebbian coupling is J = (1/N) xi^T xi (K x N rows
// xi); the pseudo-inverse one is the projector on the archetypes, J = (1/N) xi^T C^-1 xi with C = xi xi^T /
// N, under which every archetype is a fixed point however correlated they are (Kanter & Sompolinsky 1987).
// Both keep their diagonal: J is then positive semidefinite, s^T J s never falls, and no cycle is possible.
#pragma once

#include <cstdint>
#include <limits>

#include "base/view.h"
#include "spectral/subspace.h"

namespace engram::spectral {

enum class Coupling : uint8_t { kHebbian, kPseudoInverse };

struct RecallOptions {
  Coupling coupling = Coupling::kHebbian;
  // Inverse temperature of Glauber dynamics, P(s = +1) = (1 + tanh(beta h)) / 2, > 0. Infinite: s = sign(h),
  // and an entry whose field is zero stays as it is.
  double beta = std::numeric_limits<double>::infinity();
  uint32_t steps = 30;  // most updates
  uint64_t seed = 1;    // of Glauber dynamics
};

struct RecallOutputs {           // one entry for each cue; any but `states` may be null
  int8_t* states = nullptr;      // cues x N of +-1, where the dynamics stopped
  int32_t* index = nullptr;      // of the archetype with the largest |overlap|; -1: there are none
  double* overlap = nullptr;     // <state, archetype> / N, with its sign
  uint8_t* converged = nullptr;  // the last update changed nothing
  uint32_t* steps = nullptr;     // updates made; Glauber dynamics makes all of them
};

// archetypes: K x N of +-1; cues: any number x N finite numbers, where 0 says nothing about an entry. What
// nothing is known about in the end is +1: all entries of a cue of zeros, save under Glauber dynamics, which
// draw them. What a cue leads to does not depend on the others, save for its place in the batch, which
// Glauber dynamics draw by. kShape, kNonFinite, kRange (beta), kAborted.
Status recall(const MatrixView<const int8_t>& archetypes, const FloatRows& cues, const RecallOptions& options,
              const RecallOutputs& out, const KeepGoing& keep_going);

}  // namespace engram::spectral
