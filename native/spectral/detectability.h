// What a federation will be able to detect, asked before any data is collected.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/status.h"
#include "spectral/client_weights.h"

namespace engram::spectral {

struct DetectabilityQuestion {
  double dim = 1;                // N, >= 1
  std::vector<double> samples;   // M_c of each client, >= 1
  std::vector<double> quality;   // r_c of each client, in (0, 1]
  size_t archetypes = 0;         // K
  std::vector<double> exposure;  // clients x K, row-major: pi_c(mu), the share of c's examples from mu
  WeightRule weights = WeightRule::kEqual;  // used where given_weights is empty
  std::vector<double> given_weights;        // one >= 0 for each client, one of them > 0; are scaled to sum 1
  // Symmetric noise for privacy, in the sum of all: its deviation over the sensitivity max_c a_c N / M_c, >=
  // 0. It shrinks as samples grow. Weights are chosen as without it.
  double privacy_noise = 0;
};

// Of each archetype in turn, in the limit of large dim and samples (edge.h, outlier.h).
struct Detectability {
  double edge = 0;                        // of the noise, on the scale of N J
  std::vector<double> eigenvalues;        // of the outliers; the edge where not detectable
  std::vector<double> subspace_overlap;   // squared overlap gamma of the eigenvector; 0 where not detectable
  std::vector<double> archetype_overlap;  // m of the signs after unmixing; 0 where not detectable
  std::vector<bool> detectable;           // whether an outlier leaves the noise
  // Further examples in the whole federation until one would, if all clients grew in proportion at the same
  // weights and exposures; rounded up to whole examples. 0 where detectable, infinite for an archetype that
  // no client with weight sees.
  std::vector<double> extra_samples_needed;
  std::vector<double> client_weights;  // sum 1
};

// kShape: lengths that do not fit; kNonFinite, kRange: a number outside the range given above, or exposures
// of a client that sum to more than 1; kAborted.
Result<Detectability> detectability(const DetectabilityQuestion& question,
                                    const std::function<bool()>& keep_going);

}  // namespace engram::spectral
