// How noisy a client's examples are, from the trace and the outliers of its own operator.
//
// The trace of N J is exact: sigma^2 N from noise and sigma^2 kappa_i from each archetype. Outliers are
// inflated by the noise they stand on, so that subtracting them raw runs away to sigma^2 = 0 when samples are
// few; here kappa^_i is the debiased strength (estimate_spike), which leaves trace = sigma^2 (N + sum_i
// kappa^_i) (derivation, 1.7).
#pragma once

#include <cstddef>
#include <vector>

namespace engram::spectral {

struct ClientNoise {
  double variance = 1;   // sigma^2 of an entry; in [0, 1] for examples of +-1
  double quality = 0;    // r^ = sqrt(1 - sigma^2 / (trace / N)), in [0, 1]
  size_t outliers = 0;   // eigenvalues that noise does not explain
  bool complete = true;  // false: all given eigenvalues are outliers and the operator has more, so that
                         // variance may be too large
};

// eigenvalues: of N J = X^T X / samples, the largest ones, falling, >= 0; trace: its trace, exactly `dim` for
// +-1; quantile: tracy_widom_quantile of the false-alarm level. The outcomes at the ends:
//   pure noise, or signal too weak for so few samples: no outliers, variance = trace / dim, quality 0;
//   one sample, which any noise explains: the same;
//   no noise (all examples equal to few archetypes, so that the outliers are the whole trace): variance 0,
//   quality 1.
// Preconditions: dim, samples >= 1; trace > 0.
ClientNoise estimate_client_noise(const std::vector<double>& eigenvalues, double trace, double dim,
                                  double samples, double quantile);

}  // namespace engram::spectral
