// How much each client counts in the sum of operators.
#pragma once

#include <functional>
#include <vector>

#include "base/status.h"
#include "spectral/edge.h"

namespace engram::spectral {

enum class WeightRule {
  kEqual,    // 1 / L, as in the paper
  kSize,     // by samples: the operator of the pooled examples
  kMaximin,  // best for the worst archetype
};

// Weights >= 0 that sum to 1, one for each of `clients`, whose own weights are ignored.
//   signals[mu][c] = r_c^2 pi_c(mu), >= 0, of the archetypes (only kMaximin reads them; archetypes that no
//   client sees are left out, and without any the weights are by size).
// kMaximin maximises min_mu of the predicted squared overlap, and while an archetype is undetectable its
// margin (outlier.h). The objective is not concave: exponentiated-gradient ascent on a soft minimum that
// sharpens by stages, from each of three starts, with steps halved until they gain. The result is the best
// point met, equal and size included, hence never worse than those. Deterministic. Inverse-variance weights
// are not optimal in general (Hong, Fessler & Balzano 2018). Preconditions: dim >= 1, a client, samples >= 1.
// keep_going is asked at every evaluation, each O(clients x archetypes). kAborted.
Result<std::vector<double>> client_weights(WeightRule rule, const std::vector<ClientModel>& clients,
                                           double dim, const std::vector<std::vector<double>>& signals,
                                           const std::function<bool()>& keep_going);

// Scales them to sum 1. Precondition: one is positive.
void normalise_weights(std::vector<double>& weights);

// What kMaximin maximises: min over the archetypes that any client sees of their predicted squared overlap,
// or of margin - 1 (<= 0) where that is not above 1. Infinite where there are none. Precondition: as above.
double worst_overlap(const std::vector<double>& weights, const std::vector<ClientModel>& clients, double dim,
                     const std::vector<std::vector<double>>& signals);

}  // namespace engram::spectral
