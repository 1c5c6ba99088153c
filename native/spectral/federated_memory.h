// The server of a federation: takes in what clients know of shared archetypes, round by round, finds how many
// there are and which, keeps them while the world drifts, and lets anyone recall them.
//
// A round (details in the headers named):
//   1. client weights a_c (client_weights.h) and plasticities w_c (controllers.h);
//   2. known archetypes hear of fresh data D = sum a_c w_c N J_c / sum a_c w_c (evidence.h);
//   3. the blend B = sum_c a_c w_c N J_c + f xi^T xi, f = sum_c a_c (1 - w_c), is searched for eigenvalues
//      beyond what the noise of its clients explains (round_detection.h), on request only those that
//      replicate between two halves of the clients (replication.h); f N is at most 1000 times the cut, beyond
//      which it would only cost precision;
//   4. their span is unmixed into +-1 candidates (unmixing.h);
//   5. known archetypes that the span still holds are kept, the others are forgotten, and so is one with a
//      predicted overlap below 3/4 that the round after did not show; candidates that are none of the known
//      (|overlap| < 1/2) are added, if they are expected to overlap their archetype by 1/2 at least;
//   6. how much of the fresh data's signal was new (novelty.h).
//
// A client's operator counts as scaled to trace N, whatever the scale of its examples. A message that cannot
// be used is rejected alone, and the round goes on; a round that fails or is aborted changes nothing. Results
// are the same bits for any number of threads, and for any order of clients that have names, as long as their
// messages fit into the budget together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "runtime/parallel.h"
#include "spectral/client_weights.h"
#include "spectral/controllers.h"
#include "spectral/federated_state.h"
#include "spectral/gathering.h"
#include "spectral/hebbian_operator.h"
#include "spectral/linear_operator.h"
#include "spectral/recall.h"
#include "spectral/unmixing.h"

namespace engram::spectral {

struct FederatedOptions {
  size_t dim = 0;  // N, 2 to 2^31 - 1
  WeightRule weights = WeightRule::kEqual;
  // In place of the rule: one for each position, >= 0, at least one > 0; only ratios matter.
  std::vector<double> given_weights;
  double false_alarm = 0.05;  // of one round without signal, in [kLeastFalseAlarm, kMostFalseAlarm]
  UnmixingMethod unmixing = UnmixingMethod::kIca;
  ControllerOptions controller;
  bool replicate = false;        // only what two halves of the clients agree on is detected
  uint32_t forget_after = 0;     // rounds without fresh evidence after which an archetype goes; 0: never
  size_t most_archetypes = 256;  // >= 1
  uint64_t seed = 1;             // of unmixing
  GatheringOptions gathering;    // how many bytes of messages are held at a time, and the sketch beyond
};

// kRange or kNonFinite, naming the option.
Status check(const FederatedOptions& options);

struct RejectedClient {
  size_t position = 0;
  std::string client;  // its name; the label it came with, where the message could not be read
  StatusCode code = StatusCode::kFormat;
  std::string reason;
};

struct RoundReport {
  uint32_t round = 0;  // from 1 on
  // Of the blended operator, falling: all beyond the cut and at least two more (fewer: N is smaller), which
  // are lower bounds within a tenth of the cut. Empty where there was nothing to look at: no client was
  // accepted, or no client may change the memory.
  std::vector<double> eigenvalues;
  double edge = 0;                     // of the clients' noise in the blend
  double cut = 0;                      // beyond which an eigenvalue is signal
  uint32_t detected = 0;               // directions beyond the cut (that replicate, if asked for)
  std::vector<double> overlaps;        // predicted, of each archetype after the round
  double discarded_trace = 0;          // of the blend, left out by compression of messages
  double novelty = 0;                  // share of fresh signal that was not known before, in [0, 1]
  std::vector<double> client_weights;  // a_c by position, sum 1; 0 where rejected
  std::vector<double> plasticity;      // w_c by position; 0 where rejected
  // Candidates of unmixing.
  uint32_t accepted = 0;
  uint32_t rejected = 0;
  uint32_t added = 0;                            // archetypes
  uint32_t forgotten = 0;                        // archetypes
  std::vector<RejectedClient> rejected_clients;  // by position
};

// A message as it arrives: an operator, or bytes not yet read.
struct ClientMessage {
  size_t position = 0;  // among the clients of the round, from 0 on; below 2^32
  std::string name;     // for reports, where the message has none of its own or cannot be read
  std::variant<HebbianOperator, std::vector<std::byte>> content;
};
// Gives one message after another, and then none; it may wait. A failure ends the round.
using MessageStream = std::function<Result<std::optional<ClientMessage>>()>;

// What is known of one client of a sum of products.
struct ProductClient {
  std::string client;
  uint64_t sample_count = 1;
  double noise_variance = 1;
  double quality = 0;
  double weight = 1;  // a_c, >= 0
};

// One round at a time; readers see the memory as it was before a round or after it. All methods may be called
// from any thread.
class FederatedMemory {
 public:
  // Failures are those of check().
  static Result<std::shared_ptr<FederatedMemory>> create(FederatedOptions options);
  // Continues from a state (federated_files.h). kFormat where it contradicts itself.
  static Result<std::shared_ptr<FederatedMemory>> restore(FederatedOptions options, FederatedState state);

  using Message = ClientMessage;

  // Rejected alone: bytes that are no message (kFormat), another dim (kShape), numbers that are not finite or
  // out of range (kFormat), a message that was there already (kRange), a position without a given weight, or
  // taken already (kRange). If all are rejected the memory stays and the round is still counted. kRange:
  // kMaximin when not all messages fit into the budget; kNotConverged, kOutOfMemory, kAborted: nothing has
  // changed.
  Result<RoundReport> round(const MessageStream& next, const runtime::Parallel& parallel);
  // `data` is sum_c a_c N J_c with sum a_c = 1 of these clients, each of trace N. The controllers judge the
  // sum, so that all clients have one w_c. symmetric_noise: sigma of an off-diagonal entry of `data` that was
  // added for privacy, >= 0. kRange: no clients, numbers out of range, `replicate`, which needs messages;
  // kShape: dim; and as above.
  Result<RoundReport> round_of_products(const std::vector<ProductClient>& clients, const LinearOperator& data,
                                        double symmetric_noise, const runtime::Parallel& parallel);

  size_t dim() const noexcept { return options_.dim; }
  const FederatedOptions& options() const noexcept { return options_; }
  size_t count() const;                    // K
  uint32_t rounds() const;                 // finished
  std::vector<int8_t> archetypes() const;  // K x N of +-1
  std::vector<double> overlaps() const;    // K, predicted
  // The memory as it is now; what it points at does not change.
  std::shared_ptr<const FederatedState> state() const;
  // As recall() of the archetypes as they are now.
  Status retrieve(const FloatRows& cues, const RecallOptions& options, const RecallOutputs& out,
                  const KeepGoing& keep_going) const;
  size_t native_bytes() const;

 private:
  FederatedMemory(FederatedOptions options, double quantile, FederatedState state);
  void replace(FederatedState next);

  const FederatedOptions options_;
  const double quantile_;  // tracy_widom_quantile(false_alarm)
  std::mutex round_;       // held for the whole of a round
  mutable std::mutex reading_;
  std::shared_ptr<const FederatedState> state_;
};

}  // namespace engram::spectral
