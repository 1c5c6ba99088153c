// What a round makes of the clients' sum: a new state and a report (see federated_memory.h for the steps).
#pragma once

#include <array>
#include <vector>

#include "base/status.h"
#include "runtime/parallel.h"
#include "spectral/edge.h"
#include "spectral/federated_memory.h"
#include "spectral/linear_operator.h"

namespace engram::spectral {

struct RoundInput {
  RoundInput(const FederatedOptions& options_, double quantile_) : options(options_), quantile(quantile_) {}

  const FederatedOptions& options;
  double quantile = 0;                   // tracy_widom_quantile of the false-alarm level
  std::vector<ClientModel> clients;      // weight: a_c, which sum to 1; empty: nobody was accepted
  std::vector<double> plasticity;        // w_c of each
  const LinearOperator* data = nullptr;  // sum_c a_c w_c N J_c
  // The same sum over either half of the clients; null where only all of them are known.
  std::array<const LinearOperator*, 2> halves = {nullptr, nullptr};
  double symmetric_noise = 0;  // sigma of an off-diagonal entry of `data`
};

// Changes `state` to what it is after the round, and fills the report but for the clients' part. The state is
// of no use where it fails. kNotConverged, kNonFinite, kOutOfMemory, kAborted.
Status finish_round(const RoundInput& input, FederatedState& state, RoundReport& report,
                    const runtime::Parallel& parallel);

}  // namespace engram::spectral
