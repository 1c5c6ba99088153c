#include "spectral/detectability.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "base/numbers.h"
#include "spectral/outlier.h"

namespace engram::spectral {
namespace {

constexpr double kMost = std::numeric_limits<double>::max();

// False for NaN.
bool is_within(double value, double least, double most) { return value >= least && value <= most; }

Status out_of_range(const char* what, size_t at, double value, const char* valid) {
  return {
      std::isnan(value) ? StatusCode::kNonFinite : StatusCode::kRange,
      std::string(what) + "[" + std::to_string(at) + "] is " + print_number(value) + "; valid is " + valid};
}

Status wrong_length(const char* what, size_t length, size_t wanted) {
  return {StatusCode::kShape, std::string(what) + " has " + std::to_string(length) + " entries; wanted are " +
                                  std::to_string(wanted)};
}

Status check_shape(const DetectabilityQuestion& q) {
  const size_t clients = q.samples.size();
  if (clients == 0) return {StatusCode::kShape, "samples is empty; wanted is one entry for each client"};
  if (q.quality.size() != clients) return wrong_length("quality", q.quality.size(), clients);
  if (q.exposure.size() != clients * q.archetypes) {
    return wrong_length("exposure", q.exposure.size(), clients * q.archetypes);
  }
  if (!q.given_weights.empty() && q.given_weights.size() != clients) {
    return wrong_length("weights", q.given_weights.size(), clients);
  }
  return {};
}

Status check_exposure(const DetectabilityQuestion& q, size_t client) {
  constexpr double kRounding = 1e-6;
  double sum = 0;
  for (size_t mu = 0; mu < q.archetypes; ++mu) {
    const size_t at = client * q.archetypes + mu;
    if (!is_within(q.exposure[at], 0, 1 + kRounding))
      return out_of_range("exposure", at, q.exposure[at], "0 to 1");
    sum += q.exposure[at];
  }
  if (sum <= 1 + kRounding) return {};
  return {StatusCode::kRange, "the exposures of client " + std::to_string(client) + " sum to " +
                                  print_number(sum) + "; valid is at most 1"};
}

Status check(const DetectabilityQuestion& q) {
  Status status = check_shape(q);
  if (!status.ok()) return status;
  if (!is_within(q.dim, 1, kMost)) {
    return {std::isnan(q.dim) ? StatusCode::kNonFinite : StatusCode::kRange,
            "dim is " + print_number(q.dim) + "; valid is 1 or more"};
  }
  if (!is_within(q.privacy_noise, 0, kMost)) {
    return {std::isnan(q.privacy_noise) ? StatusCode::kNonFinite : StatusCode::kRange,
            "privacy_noise is " + print_number(q.privacy_noise) + "; valid is 0 or more"};
  }
  double weights = q.given_weights.empty() ? 1 : 0;
  for (size_t c = 0; c < q.samples.size(); ++c) {
    if (!is_within(q.samples[c], 1, kMost)) {
      return out_of_range("samples", c, q.samples[c], "1 or more");
    }
    if (!is_within(q.quality[c], std::numeric_limits<double>::min(), 1))
      return out_of_range("quality", c, q.quality[c], "above 0 to 1");
    if (!q.given_weights.empty()) {
      const double a = q.given_weights[c];
      if (!is_within(a, 0, kMost)) return out_of_range("weights", c, a, "0 or more");
      weights += a;
    }
    status = check_exposure(q, c);
    if (!status.ok()) return status;
  }
  if (!(weights > 0)) return {StatusCode::kRange, "all weights are 0; wanted is one above it"};
  return {};
}

NoiseEdge edge_of(std::vector<ClientModel> clients, double dim, double privacy_noise) {
  double sensitivity = 0;
  for (const ClientModel& client : clients) {
    sensitivity = std::max(sensitivity, client.weight * dim / client.samples);
  }
  return {std::move(clients), dim, privacy_noise * sensitivity};
}

// A federation whose samples may grow.
struct Federation {
  std::vector<ClientModel> clients;
  double dim;
  double privacy_noise;

  double margin_at(double growth, const std::vector<double>& signal) const {
    std::vector<ClientModel> grown = clients;
    for (ClientModel& client : grown) client.samples *= growth;
    return predict_outlier(edge_of(std::move(grown), dim, privacy_noise), signal).margin;
  }
};

// The factor on all samples with which the margin is 1; it grows as their square root in the end.
// Precondition: it is below 1 at 1 and the archetype is seen.
double growth_to_detect(const Federation& federation, const std::vector<double>& signal) {
  constexpr double kTolerance = 1e-12;
  constexpr double kLongest = 0x1p200;
  double high = 2;
  while (federation.margin_at(high, signal) < 1) {
    if (high >= kLongest) return std::numeric_limits<double>::infinity();
    high *= 2;
  }

  double low = high / 2;
  while (high - low > kTolerance * high) {
    const double middle = low + (high - low) / 2;
    (federation.margin_at(middle, signal) < 1 ? low : high) = middle;
  }
  return high;
}

double extra_samples(const Federation& federation, const std::vector<double>& signal) {
  const std::vector<ClientModel>& clients = federation.clients;
  double total = 0;
  double seen = 0;
  for (size_t c = 0; c < clients.size(); ++c) {
    total += clients[c].samples;
    seen += clients[c].weight * signal[c];
  }
  if (!(seen > 0)) return std::numeric_limits<double>::infinity();
  return std::max(1.0, std::ceil(total * (growth_to_detect(federation, signal) - 1)));
}

}  // namespace

Result<Detectability> detectability(const DetectabilityQuestion& question,
                                    const std::function<bool()>& keep_going) {
  const Status status = check(question);
  if (!status.ok()) return status;
  std::vector<ClientModel> clients;
  std::vector<std::vector<double>> signals(question.archetypes, std::vector<double>(question.samples.size()));
  for (size_t c = 0; c < question.samples.size(); ++c) {
    const double r2 = question.quality[c] * question.quality[c];
    clients.push_back({1, question.samples[c], 1 - r2});
    for (size_t mu = 0; mu < question.archetypes; ++mu) {
      signals[mu][c] = r2 * question.exposure[c * question.archetypes + mu];
    }
  }
  Detectability answer;
  answer.client_weights = question.given_weights;
  if (answer.client_weights.empty()) {
    Result<std::vector<double>> weights =
        client_weights(question.weights, clients, question.dim, signals, keep_going);
    if (!weights.ok()) return weights.status();
    answer.client_weights = std::move(weights).value();
  }
  normalise_weights(answer.client_weights);
  for (size_t c = 0; c < clients.size(); ++c) clients[c].weight = answer.client_weights[c];
  const NoiseEdge noise = edge_of(clients, question.dim, question.privacy_noise);
  const Federation federation{std::move(clients), question.dim, question.privacy_noise};
  answer.edge = noise.edge();
  for (const std::vector<double>& signal : signals) {
    if (!keep_going()) return Status(StatusCode::kAborted, "the forecast was aborted");
    const Outlier outlier = predict_outlier(noise, signal);
    answer.eigenvalues.push_back(outlier.eigenvalue);
    answer.subspace_overlap.push_back(outlier.overlap);
    answer.archetype_overlap.push_back(archetype_overlap(outlier.overlap));
    answer.detectable.push_back(outlier.detectable());
    answer.extra_samples_needed.push_back(outlier.detectable() ? 0 : extra_samples(federation, signal));
  }
  return answer;
}

}  // namespace engram::spectral
