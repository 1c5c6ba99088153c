// Feeds arbitrary bytes to the reading of messages; what it accepts must be a Hebbian operator, wherever the
// bytes lie, and come back from its own bytes as it was.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "spectral/message_bytes.h"

namespace {

using engram::spectral::from_bytes;
using engram::spectral::HebbianOperator;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_share(double x) { return x >= 0 && x <= 1; }

void check_operator(const HebbianOperator& message) {
  require(message.sample_count > 0);
  require(message.trace > 0 && std::isfinite(message.trace));
  require(is_share(message.noise_variance) && is_share(message.quality));
  require(message.client.size() <= engram::spectral::kLongestClientName);
  require(message.rank() > 0 && message.rank() <= message.dim);
  require(message.factor.size() % message.rank() == 0 &&
          message.factor.size() / message.rank() == message.dim);
  for (const double value : message.eigenvalues) require(value > 0 && std::isfinite(value));
  require(std::is_sorted(message.eigenvalues.rbegin(), message.eigenvalues.rend()));
  require(message.rest() >= 0 && std::isfinite(message.rest()));
  for (const double weight : message.row_weights()) require(weight >= 0 && std::isfinite(weight));
  for (const float x : message.factor) require(std::abs(x) < 1.001F);
}

void check_same(const HebbianOperator& a, const HebbianOperator& b) {
  require(a.dim == b.dim && a.sample_count == b.sample_count && a.trace == b.trace);
  require(a.noise_variance == b.noise_variance && a.quality == b.quality && a.client == b.client);
  require(a.eigenvalues == b.eigenvalues && a.factor == b.factor);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto message = from_bytes(bytes);
  std::vector<std::byte> moved(size + 1);  // where nothing is aligned
  std::copy(bytes.begin(), bytes.end(), moved.begin() + 1);
  const auto elsewhere = from_bytes(std::span<const std::byte>(moved).subspan(1));
  require(elsewhere.ok() == message.ok());
  if (!message.ok()) return 0;
  check_operator(message.value());
  check_same(message.value(), elsewhere.value());
  const auto written = to_bytes(message.value());
  require(written.ok());
  const auto again = from_bytes(written.value());
  require(again.ok());
  check_same(message.value(), again.value());
  return 0;
}
