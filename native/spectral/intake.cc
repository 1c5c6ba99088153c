#include "spectral/intake.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <tuple>
#include <variant>

#include "spectral/client_weights.h"
#include "spectral/correlations.h"
#include "spectral/message_bytes.h"

namespace engram::spectral {
namespace {

constexpr size_t kMostPositions = size_t{1} << 24;

// FNV-1a by words.
uint64_t fingerprint_of(const std::vector<float>& factor) {
  uint64_t hash = 0xCBF29CE484222325U;
  for (const float entry : factor) {
    uint32_t word = 0;
    std::memcpy(&word, &entry, sizeof word);
    hash = (hash ^ word) * 0x100000001B3U;
  }
  return hash;
}

// The sender's own name, where there is one that can be printed.
std::string label_of(const ClientMessage& message, const HebbianOperator& operator_) {
  const bool has_name = !operator_.client.empty() && check_client_name(operator_.client).ok();
  return has_name ? operator_.client : message.name;
}

AcceptedClient client_of(const ClientMessage& message, const HebbianOperator& operator_) {
  AcceptedClient client;
  client.position = message.position;
  client.client = operator_.client;
  client.label = label_of(message, operator_);
  client.samples = static_cast<double>(operator_.sample_count);
  client.noise_variance = operator_.noise_variance;
  client.quality = operator_.quality;
  client.eigenvalues = operator_.eigenvalues;
  client.fingerprint = fingerprint_of(operator_.factor);
  return client;
}

// Of those whose factors have the same fingerprint.
bool is_same_message(const AcceptedClient& a, const AcceptedClient& b) {
  return a.samples == b.samples && a.eigenvalues == b.eigenvalues;
}

std::string named(const std::string& label, size_t position) {
  return label.empty() ? "client " + std::to_string(position) : "client '" + label + "'";
}

bool comes_before(const AcceptedClient& a, const AcceptedClient& b) {
  const auto facts = [](const AcceptedClient& client) {
    return std::tie(client.client, client.samples, client.noise_variance, client.eigenvalues,
                    client.fingerprint, client.position);
  };
  return facts(a) < facts(b);
}

// The message's operator at trace N.
SumOperator operator_at_unit_trace(const HebbianOperator& message, const std::vector<double>& row_weights) {
  const double scale = static_cast<double>(message.dim) / message.trace;
  return {message.dim,
          {{.rows = message.rows(), .scale = scale, .row_weights = row_weights}},
          scale * message.rest()};
}

bool ends_round(StatusCode code) { return code == StatusCode::kOutOfMemory || code == StatusCode::kAborted; }

const double* known_plasticity(const FederatedState& state, const AcceptedClient& client) {
  if (client.client.empty()) {
    const auto entry = state.by_position.find(client.position);
    return entry == state.by_position.end() ? nullptr : &entry->second;
  }
  const auto entry = state.by_name.find(client.client);
  return entry == state.by_name.end() ? nullptr : &entry->second;
}

}  // namespace

Intake::Intake(const FederatedOptions& options, double quantile, const FederatedState& state)
    : options_(options), quantile_(quantile), state_(state) {}

Result<AcceptedClient*> Intake::take(ClientMessage message, HebbianOperator& operator_,
                                     const runtime::Parallel& parallel) {
  Status status = read(message, operator_);
  AcceptedClient client;
  if (status.ok()) {
    client = client_of(message, operator_);
    status = check_new(message, operator_, client);
  } else if (ends_round(status.code())) {
    return status;
  }
  if (message.position < kMostPositions) positions_.insert(message.position);
  if (!status.ok()) {
    rejected_.push_back({message.position, label_of(message, operator_), status.code(), status.message()});
    return nullptr;
  }
  const bool is_given = !options_.given_weights.empty();
  client.weight = is_given ? options_.given_weights[message.position]
                           : (options_.weights == WeightRule::kEqual ? 1 : client.samples);
  Result<double> plasticity = plasticity_of(client, operator_, parallel);
  if (!plasticity.ok()) return plasticity.status();
  client.plasticity = plasticity.value();
  if (!is_given && options_.weights == WeightRule::kMaximin) {
    status = find_signals(operator_, client, parallel);
    if (!status.ok()) return status;
  }
  by_fingerprint_.emplace(client.fingerprint, accepted_.size());
  accepted_.push_back(std::move(client));
  return &accepted_.back();
}

Status Intake::read(ClientMessage& message, HebbianOperator& operator_) const {
  if (auto* const bytes = std::get_if<std::vector<std::byte>>(&message.content)) {
    Result<HebbianOperator> parsed = from_bytes(*bytes);
    *bytes = {};
    if (!parsed.ok()) return parsed.status();
    operator_ = std::move(parsed).value();
    return {};
  }
  operator_ = std::move(std::get<HebbianOperator>(message.content));
  return check(operator_);
}

Status Intake::check_new(const ClientMessage& message, const HebbianOperator& operator_,
                         const AcceptedClient& client) const {
  if (operator_.dim != options_.dim) {
    return {StatusCode::kShape, "the message has the dim " + std::to_string(operator_.dim) +
                                    "; expected that of the memory, " + std::to_string(options_.dim)};
  }
  const size_t weights = options_.given_weights.size();
  const size_t most = weights > 0 ? weights : kMostPositions;
  if (message.position >= most) {
    return {StatusCode::kRange, "the position is " + std::to_string(message.position) +
                                    "; expected less than " + std::to_string(most) +
                                    (weights > 0 ? ", the number of weights" : "")};
  }
  if (positions_.contains(message.position)) {
    return {StatusCode::kRange,
            "a message of position " + std::to_string(message.position) + " was there already"};
  }
  const auto [first, last] = by_fingerprint_.equal_range(client.fingerprint);
  for (auto entry = first; entry != last; ++entry) {
    const AcceptedClient& other = accepted_[entry->second];
    if (is_same_message(other, client)) {
      return {StatusCode::kRange, "the same message as " + named(other.label, other.position)};
    }
  }
  return {};
}

Result<double> Intake::plasticity_of(const AcceptedClient& client, const HebbianOperator& message,
                                     const runtime::Parallel& parallel) const {
  const std::vector<double> row_weights = message.row_weights();
  const SumOperator moments = operator_at_unit_trace(message, row_weights);
  const ClientModel model{.weight = 1, .samples = client.samples, .noise_variance = client.noise_variance};
  const Experience experience{
      .moments = moments, .noise = {{model}, static_cast<double>(options_.dim)}, .quality = client.quality};
  Result<double> raw = raw_plasticity(options_.controller, state_.view(), experience, quantile_, parallel);
  if (!raw.ok()) return raw;
  return smoothed(options_.controller, known_plasticity(state_, client), raw.value());
}

// b_c(mu) = (xi^T N J_c xi / N - sigma_c^2) / N.
Status Intake::find_signals(const HebbianOperator& message, AcceptedClient& client,
                            const runtime::Parallel& parallel) const {
  if (state_.count() == 0) return {};
  const size_t dim = options_.dim;
  const std::vector<double> row_weights = message.row_weights();
  const SumOperator moments = operator_at_unit_trace(message, row_weights);
  const std::vector<double> xi(state_.archetypes.begin(), state_.archetypes.end());
  std::vector<double> product(xi.size());
  Status status = moments.apply(xi.data(), state_.count(), product.data(), parallel);
  if (!status.ok()) return status;
  for (size_t k = 0; k < state_.count(); ++k) {
    double square = 0;
    for (size_t n = k * dim; n < (k + 1) * dim; ++n) square += xi[n] * product[n];
    const double size = static_cast<double>(dim);
    client.signals.push_back(std::max(0.0, (square / size - client.noise_variance) / size));
  }
  return {};
}

Status Intake::weigh(const runtime::Parallel& parallel) {
  std::sort(accepted_.begin(), accepted_.end(), comes_before);
  std::sort(rejected_.begin(), rejected_.end(),
            [](const RejectedClient& a, const RejectedClient& b) { return a.position < b.position; });
  if (accepted_.empty()) return {};
  std::vector<double> weights;
  if (options_.given_weights.empty() && options_.weights == WeightRule::kMaximin) {
    std::vector<ClientModel> models;
    std::vector<std::vector<double>> signals(state_.count());
    for (const AcceptedClient& client : accepted_) {
      models.push_back({.weight = 1, .samples = client.samples, .noise_variance = client.noise_variance});
      for (size_t k = 0; k < signals.size(); ++k) signals[k].push_back(client.signals[k]);
    }
    const std::function<bool()> keep_going = parallel.keep_going ? parallel.keep_going : [] { return true; };
    Result<std::vector<double>> best =
        client_weights(WeightRule::kMaximin, models, static_cast<double>(options_.dim), signals, keep_going);
    if (!best.ok()) return best.status();
    weights = std::move(best).value();
  } else {
    for (const AcceptedClient& client : accepted_) weights.push_back(client.weight);
  }
  const bool counts = std::any_of(weights.begin(), weights.end(), [](double a) { return a > 0; });
  if (counts) normalise_weights(weights);
  for (size_t c = 0; c < weights.size(); ++c) accepted_[c].weight = weights[c];
  return {};
}

double smoothed(const ControllerOptions& options, const double* before, double raw) {
  if (options.rule == Controller::kFixed || before == nullptr) return raw;
  return options.smoothing * raw + (1 - options.smoothing) * *before;
}

void remember_plasticity(const ControllerOptions& options, const std::vector<AcceptedClient>& clients,
                         FederatedState& state) {
  if (options.rule == Controller::kFixed) return;  // which smooths nothing
  // A client may have sent several messages; then their mean counts, for any order of them.
  std::map<std::string, std::vector<double>> named;
  for (const AcceptedClient& client : clients) {
    if (client.client.empty()) {
      state.by_position[client.position] = client.plasticity;
    } else {
      named[client.client].push_back(client.plasticity);
    }
  }
  for (auto& [name, values] : named) {
    std::sort(values.begin(), values.end());
    double sum = 0;
    for (const double w : values) sum += w;
    state.by_name[name] = sum / static_cast<double>(values.size());
  }
}

}  // namespace engram::spectral
