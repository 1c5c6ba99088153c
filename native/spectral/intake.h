// What arrives in a round: which messages can be used, by whom they are and how much each counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "runtime/parallel.h"
#include "spectral/federated_memory.h"

namespace engram::spectral {

// A client whose message was accepted.
struct AcceptedClient {
  size_t position = 0;
  std::string client;     // the message's own name; may be empty
  std::string label;      // what reports call it
  double weight = 0;      // a_c; until weigh() has been called not normalised
  double plasticity = 1;  // w_c
  double samples = 1;     // M_c
  double noise_variance = 1;
  double quality = 0;
  std::vector<double> signals;      // of kMaximin: b_c of each known archetype
  std::vector<double> eigenvalues;  // of the message: with the rest, what makes it the same as another
  uint64_t fingerprint = 0;         // of its factor
};

class Intake {
 public:
  // Both must outlive the intake. quantile: tracy_widom_quantile of the false-alarm level.
  Intake(const FederatedOptions& options, double quantile, const FederatedState& state);

  // Reads and checks a message and asks the controller. Null where it was rejected, with the reason in
  // rejected(); else the client, at the end of accepted(), whose operator `operator_` then is. kNonFinite,
  // kNotConverged, kOutOfMemory, kAborted are failures of the round.
  Result<AcceptedClient*> take(ClientMessage message, HebbianOperator& operator_,
                               const runtime::Parallel& parallel);

  // Sorts the clients by name and content, and lets their weights sum to 1, after the rule where it can only
  // judge all of them together. kAborted.
  Status weigh(const runtime::Parallel& parallel);

  const std::vector<AcceptedClient>& accepted() const noexcept { return accepted_; }
  const std::vector<RejectedClient>& rejected() const noexcept { return rejected_; }
  size_t positions() const noexcept { return positions_.empty() ? 0 : *positions_.rbegin() + 1; }

 private:
  Status read(ClientMessage& message, HebbianOperator& operator_) const;
  Status check_new(const ClientMessage& message, const HebbianOperator& operator_,
                   const AcceptedClient& client) const;
  Result<double> plasticity_of(const AcceptedClient& client, const HebbianOperator& message,
                               const runtime::Parallel& parallel) const;
  Status find_signals(const HebbianOperator& message, AcceptedClient& client,
                      const runtime::Parallel& parallel) const;

  const FederatedOptions& options_;
  const double quantile_;
  const FederatedState& state_;
  std::vector<AcceptedClient> accepted_;
  std::vector<RejectedClient> rejected_;
  std::set<size_t> positions_;                      // of all messages so far
  std::multimap<uint64_t, size_t> by_fingerprint_;  // accepted ones, as long as they stand as they came
};

// The smoothed plasticity after w_raw: that of a client (of sums of clients) for the first time is w_raw.
double smoothed(const ControllerOptions& options, const double* before, double raw);

// What the state remembers of these clients' plasticity from now on.
void remember_plasticity(const ControllerOptions& options, const std::vector<AcceptedClient>& clients,
                         FederatedState& state);

}  // namespace engram::spectral
