// Archetypes as fixed points of s <- sign(P s + noise), P = V^T V.
//
// Each +-1 state that lies in the subspace, all but the part that was lost to sampling noise, is a fixed
// point; so are states that no archetype is near, which Gaussian noise that decays to nothing shakes off. It
// learns no rotation, so that it works where K^2 > N and independent-component analysis does not (see ica.h).
#pragma once

#include <cstdint>
#include <vector>

#include "spectral/subspace.h"

namespace engram::spectral {

struct SignProjectionOptions {
  double noise = 0.3;          // standard deviation at the start, >= 0; entries of P s are at most about 1
  uint32_t noisy_steps = 100;  // over which it decays to zero, linearly
  uint32_t quiet_steps = 50;   // most steps after that; fewer where a fixed point is reached before
  uint64_t seed = 1;
};

// One state for each of the starts [first, first + count), each from the sign of a random mixture of the rows
// of v: count x N. What a start leads to depends on its number and the seed alone. Precondition: v is
// orthonormal and has a row. kAborted.
Result<std::vector<int8_t>> sign_projection(const FloatRows& v, uint64_t first, size_t count,
                                            const SignProjectionOptions& options,
                                            const KeepGoing& keep_going);

// Moves each of the states (any number x N of +-1) to the fixed point that it leads to without noise, as far
// as `most_steps` go. kAborted.
Status settle(const FloatRows& v, uint32_t most_steps, std::vector<int8_t>& states,
              const KeepGoing& keep_going);

}  // namespace engram::spectral
