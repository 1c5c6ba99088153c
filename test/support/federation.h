// Federations of clients that see noisy examples of +-1 archetypes, round by round, as the experiments of the
// specification define them: flip channel, labels drawn from each client's exposure.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "spectral/federated_memory.h"
#include "spectral/hebbian_operator.h"
#include "spectral/random_stream.h"

namespace engram::support {

struct Device {
  size_t samples = 1;            // a round
  double quality = 1;            // r; 0: pure noise
  std::vector<double> exposure;  // of each archetype; they sum to 1
  std::string name;
};

// samples x dim of +-1.
inline std::vector<int8_t> seen_by(const Device& device, const std::vector<int8_t>& archetypes, size_t dim,
                                   spectral::RandomStream& random) {
  std::vector<int8_t> examples;
  examples.reserve(device.samples * dim);
  for (size_t i = 0; i < device.samples; ++i) {
    double left = random.uniform();
    size_t mu = 0;
    while (mu + 1 < device.exposure.size() && left >= device.exposure[mu]) left -= device.exposure[mu++];
    for (size_t n = 0; n < dim; ++n) {
      const bool right = random.uniform() < (1 + device.quality) / 2;
      examples.push_back(right ? archetypes[mu * dim + n] : static_cast<int8_t>(-archetypes[mu * dim + n]));
    }
  }
  return examples;
}

inline engine::Rows as_rows(const std::vector<int8_t>& examples, size_t dim) {
  return {
      .data = examples.data(), .element = engine::Element::kInt8, .count = examples.size() / dim, .dim = dim};
}

inline spectral::HebbianOperator message_of(const Device& device, const std::vector<int8_t>& archetypes,
                                            size_t dim, spectral::RandomStream& random) {
  const std::vector<int8_t> examples = seen_by(device, archetypes, dim, random);
  spectral::EncodeOptions options;
  options.client = device.name;
  return spectral::encode(as_rows(examples, dim), options, {}).value();
}

// A stream of these messages, in their order, at positions 0, 1, ...
inline spectral::MessageStream stream_of(std::vector<spectral::HebbianOperator> messages) {
  return [messages = std::move(messages),
          at = size_t{0}]() mutable -> Result<std::optional<spectral::ClientMessage>> {
    if (at == messages.size()) return std::optional<spectral::ClientMessage>();
    const size_t position = at++;
    return std::optional<spectral::ClientMessage>(
        {position, "client " + std::to_string(position), std::move(messages[position])});
  };
}

inline std::vector<spectral::HebbianOperator> messages_of(const std::vector<Device>& devices,
                                                          const std::vector<int8_t>& archetypes, size_t dim,
                                                          spectral::RandomStream& random) {
  std::vector<spectral::HebbianOperator> messages;
  for (const Device& device : devices) messages.push_back(message_of(device, archetypes, dim, random));
  return messages;
}

}  // namespace engram::support
