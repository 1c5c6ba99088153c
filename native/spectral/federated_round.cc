#include "spectral/federated_round.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "spectral/archetypes.h"
#include "spectral/blend.h"
#include "spectral/evidence.h"
#include "spectral/novelty.h"
#include "spectral/replication.h"
#include "spectral/round_detection.h"
#include "spectral/unmixing.h"

namespace engram::spectral {
namespace {

// Below this share of fresh data the round has nothing to learn from.
constexpr double kLeastPlasticity = 1e-9;
// Times the cut that is fed back at most: more would only cost the eigenvectors of fresh data precision.
constexpr double kMostFeedback = 1000;
// An archetype whose predicted overlap is below this has to be seen again in the next round.
constexpr double kDoubtful = 0.75;

// Of sign projection.
constexpr size_t kStartsPerDirection = 16;
constexpr size_t kFewestStarts = 64;

class Round {
 public:
  Round(const RoundInput& input, FederatedState& state, RoundReport& report,
        const runtime::Parallel& parallel)
      : input_(input), state_(state), report_(report), parallel_(parallel), dim_(state.dim) {
    for (size_t c = 0; c < input.clients.size(); ++c) {
      fresh_ += input.clients[c].weight * input.plasticity[c];
      fed_back_ += input.clients[c].weight * (1 - input.plasticity[c]);
    }
  }

  Status run() {
    report_.round = ++state_.rounds;
    if (fresh_ > kLeastPlasticity) {
      Status status = hear();
      if (status.ok()) status = look();
      if (status.ok()) status = unmix_found();
      if (!status.ok()) return status;
      remember();
    }
    report_.overlaps = state_.overlaps;
    return {};
  }

 private:
  // Of the clients that may change the memory.
  NoiseEdge noise() const {
    std::vector<ClientModel> clients;
    for (size_t c = 0; c < input_.clients.size(); ++c) {
      ClientModel client = input_.clients[c];
      client.weight *= input_.plasticity[c];
      if (client.weight > 0) clients.push_back(client);
    }
    return {std::move(clients), static_cast<double>(dim_), input_.symmetric_noise};
  }

  double mean_noise() const {
    double sum = 0;
    for (size_t c = 0; c < input_.clients.size(); ++c) {
      sum += input_.clients[c].weight * input_.plasticity[c] * input_.clients[c].noise_variance;
    }
    return sum / fresh_;
  }

  // Fresh data teaches the known archetypes before they are fed back, so that what it knows better does not
  // look like news.
  Status hear() {
    const Blend moments(dim_, {{input_.data, 1 / fresh_}});
    Result<std::vector<FreshEvidence>> all =
        fresh_evidence(state_.view(), state_.overlaps, moments, mean_noise(), parallel_);
    if (!all.ok()) return all.status();
    for (size_t k = 0; k < state_.count(); ++k) {
      const FreshEvidence& fresh = all.value()[k];
      if (!fresh.seen) continue;
      known_strength_ += fresh.strength;
      state_.last_seen[k] = state_.rounds;
      const std::span<float> evidence(state_.evidence.data() + k * dim_, dim_);
      take_evidence(fresh.ratio, fresh_, evidence);
      take_signs(evidence, {state_.archetypes.data() + k * dim_, dim_});
      state_.overlaps[k] = expected_overlap(evidence);
    }
    return {};
  }

  Status look() {
    const NoiseEdge edge = noise();
    const ArchetypeOperator memory(state_.view());
    const double most = kMostFeedback * edge.cut(input_.quantile) / static_cast<double>(dim_);
    const double feedback = most > 0 ? std::min(fed_back_, most) : fed_back_;
    const Blend blend(dim_, {{input_.data, 1}, {&memory, feedback}});
    DetectionOptions options;
    options.quantile = input_.quantile;
    options.expected = state_.count();
    options.most = input_.options.most_archetypes;
    options.start.assign(state_.archetypes.begin(), state_.archetypes.end());
    Result<Detection> found = detect(blend, edge, options, parallel_);
    if (!found.ok()) return found.status();
    detection_ = std::move(found).value();
    if (input_.halves[0] != nullptr) {
      const Blend first(dim_, {{input_.halves[0], 1}, {&memory, feedback}});
      const Blend second(dim_, {{input_.halves[1], 1}, {&memory, feedback}});
      Status status = keep_replicated(first, second, edge, detection_, parallel_);
      if (!status.ok()) return status;
    }
    report_.eigenvalues = detection_.eigenvalues;
    report_.edge = detection_.edge;
    report_.cut = detection_.cut;
    report_.detected = static_cast<uint32_t>(detection_.count());
    return {};
  }

  Status unmix_found() {
    if (detection_.count() == 0) return {};
    UnmixingOptions options;
    options.method = input_.options.unmixing;
    options.seed = input_.options.seed;
    // A direction that is noise keeps the search for its archetype going to the end.
    const size_t starts = kStartsPerDirection * detection_.count();
    options.starts = static_cast<uint32_t>(std::clamp<size_t>(starts, kFewestStarts, options.starts));
    const KeepGoing keep_going = parallel_.keep_going ? parallel_.keep_going : [] { return true; };
    Result<Unmixing> unmixed = unmix(detection_.rows(dim_), detection_.gamma, options, keep_going);
    if (!unmixed.ok()) return unmixed.status();
    candidates_ = std::move(unmixed.value().archetypes);
    report_.accepted = static_cast<uint32_t>(candidates_.count());
    report_.rejected = static_cast<uint32_t>(candidates_.rejected);
    return {};
  }

  bool is_same(const int8_t* x, const int8_t* y) const {
    return std::abs(overlap(x, y, dim_)) >= Acceptance().distinct;
  }

  // The detected subspace holds it: it is a candidate, or would be accepted as one.
  bool is_held(const int8_t* x) const {
    for (size_t i = 0; i < candidates_.count(); ++i) {
      if (is_same(candidates_.view().row(i), x)) return true;
    }
    if (detection_.count() == 0) return false;
    const Score judged = score(detection_.rows(dim_), detection_.gamma, x);
    return judged.score >= Acceptance().share * judged.gamma;
  }

  bool is_stale(size_t k) const {
    const uint32_t unseen = state_.rounds - state_.last_seen[k];
    const uint32_t most = input_.options.forget_after;
    return (most > 0 && unseen >= most) || (unseen > 0 && state_.overlaps[k] < kDoubtful);
  }

  bool is_one_of(const std::vector<size_t>& kept, const int8_t* x) const {
    return std::any_of(kept.begin(), kept.end(), [&](size_t k) { return is_same(state_.view().row(k), x); });
  }

  // Keeps what the factorisation still holds, of two that have become one the one known for longer, and adds
  // what is none of these.
  void remember() {
    std::vector<size_t> held;
    for (size_t k = 0; k < state_.count(); ++k) {
      const int8_t* const x = state_.view().row(k);
      if (is_held(x) && !is_one_of(held, x)) held.push_back(k);
    }
    std::vector<size_t> news;
    for (size_t i = 0; i < candidates_.count(); ++i) {
      if (!is_one_of(held, candidates_.view().row(i))) news.push_back(i);
    }
    const size_t before = state_.count();
    state_.keep(held);
    report_.novelty = novelty_share(unknown_strengths(detection_, state_.view(), noise()), known_strength_);
    drop_stale();
    report_.forgotten = static_cast<uint32_t>(before - state_.count());
    for (const size_t i : news) add(candidates_.view().row(i));
  }

  // Those that are held only because they were fed back.
  void drop_stale() {
    std::vector<size_t> fresh;
    for (size_t k = 0; k < state_.count(); ++k) {
      if (!is_stale(k)) fresh.push_back(k);
    }
    state_.keep(fresh);
  }

  // A candidate that is expected to overlap its archetype by less than what two archetypes are told apart by
  // is not worth remembering.
  void add(const int8_t* candidate) {
    const std::vector<float> evidence = evidence_of(candidate);
    if (expected_overlap(evidence) >= Acceptance().distinct &&
        state_.count() < input_.options.most_archetypes) {
      state_.add(evidence, {candidate, dim_});
      ++report_.added;
    } else {
      --report_.accepted;
      ++report_.rejected;
    }
  }

  std::vector<float> evidence_of(const int8_t* candidate) const {
    const FloatRows v = detection_.rows(dim_);
    const std::vector<float> state(candidate, candidate + dim_);
    std::vector<double> coordinates(v.rows);
    std::vector<float> direction(dim_);
    multiply(v, state.data(), coordinates.data());
    multiply_transposed(v, coordinates.data(), direction.data());
    return first_evidence(direction, score(v, detection_.gamma, candidate).gamma);
  }

  const RoundInput& input_;
  FederatedState& state_;
  RoundReport& report_;
  const runtime::Parallel& parallel_;
  const size_t dim_;
  double fresh_ = 0;           // sum a_c w_c
  double fed_back_ = 0;        // sum a_c (1 - w_c)
  double known_strength_ = 0;  // of what the fresh data shows
  Detection detection_;
  Archetypes candidates_;
};

}  // namespace

Status finish_round(const RoundInput& input, FederatedState& state, RoundReport& report,
                    const runtime::Parallel& parallel) {
  return Round(input, state, report, parallel).run();
}

}  // namespace engram::spectral
