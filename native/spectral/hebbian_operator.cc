#include "spectral/hebbian_operator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/numbers.h"
#include "spectral/client_noise.h"
#include "spectral/eigenpairs.h"

namespace engram::spectral {
namespace {

constexpr double kNegligible = 1e-7;  // of the largest eigenvalue: rounding of a zero
constexpr double kNotOrthonormal = 1e-3;
constexpr double kBeyondTrace = 1e-4;
constexpr size_t kLargestDim = (size_t{1} << 31) - 1;

Status out_of_range(std::string message) { return {StatusCode::kRange, std::move(message)}; }

std::string count_of(uint64_t number, const char* what) { return std::to_string(number) + " " + what; }

Result<size_t> rank_of(const engine::Rows& examples, const EncodeOptions& options) {
  const size_t samples = examples.count;
  if (samples == 0) return Status(StatusCode::kShape, "there are no examples; at least one is needed");
  if (options.rank > examples.dim) {
    return out_of_range("rank is " + std::to_string(options.rank) + "; expected at most the dim, " +
                        std::to_string(examples.dim));
  }
  const size_t most = std::min(samples, examples.dim);
  if (options.allow_leak) return std::min(options.rank == 0 ? kDefaultRank : options.rank, most);
  if (samples == 1 || options.rank >= samples) {
    return out_of_range("a message of rank " + std::to_string(std::max<size_t>(options.rank, 1)) + " from " +
                        count_of(samples, "examples") +
                        " gives the examples away bit by bit; take a rank below the number of examples, more "
                        "examples, or allow the leak");
  }
  return std::min({options.rank == 0 ? kDefaultRank : options.rank, samples - 1, examples.dim});
}

// The sum of squares of an element's row; NaN or infinite where an element is.
double square_sum(const engine::Rows& examples, size_t row) {
  const size_t n = examples.dim;
  if (examples.element == engine::Element::kSign) return static_cast<double>(n);
  double sum = 0;
  if (examples.element == engine::Element::kInt8) {
    const auto* x = static_cast<const int8_t*>(examples.data) + row * n;
    for (size_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
    return sum;
  }
  const auto* x = static_cast<const float*>(examples.data) + row * n;
  for (size_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

// The trace of X^T X / M.
Result<double> trace_of(const engine::Rows& examples) {
  double sum = 0;
  for (size_t row = 0; row < examples.count; ++row) {
    const double squares = square_sum(examples, row);
    if (!std::isfinite(squares)) {
      return Status(StatusCode::kNonFinite, "example " + std::to_string(row) +
                                                " has an element that is not finite, or squares beyond it");
    }
    sum += squares;
  }
  const double trace = sum / static_cast<double>(examples.count);
  if (trace < std::numeric_limits<float>::min()) {
    return out_of_range("all examples are zero; expected signs or numbers that say something");
  }
  return trace;
}

// Takes the pairs that are more than the rounding of a zero.
void take_pairs(const Eigenpairs& pairs, HebbianOperator& message) {
  const double least = kNegligible * pairs.eigenvalues.front();
  for (const double value : pairs.eigenvalues) {
    if (value > least) message.eigenvalues.push_back(value);
  }
  message.factor.assign(pairs.vectors.begin(),
                        pairs.vectors.begin() + static_cast<ptrdiff_t>(message.rank() * message.dim));
}

void take_noise(const EncodeOptions& options, HebbianOperator& message) {
  const auto dim = static_cast<double>(message.dim);
  const ClientNoise noise = estimate_client_noise(
      message.eigenvalues, message.trace, dim, static_cast<double>(message.sample_count), options.quantile);
  message.noise_variance = std::clamp(noise.variance * dim / message.trace, 0.0, 1.0);
  message.quality = noise.quality;
}

Status format_error(std::string message) { return {StatusCode::kFormat, "message: " + std::move(message)}; }

Status check_number(const char* name, double value, double least, double most) {
  if (value >= least && value <= most) return {};  // not so for NaN
  return format_error(std::string(name) + " is " + print_number(value) + "; expected " + print_number(least) +
                      " to " + print_number(most));
}

Status check_eigenvalues(const HebbianOperator& message) {
  double sum = 0;
  double last = std::numeric_limits<double>::max();
  for (const double value : message.eigenvalues) {
    if (!(value > 0 && value <= last)) {
      return format_error("eigenvalue " + print_number(value) + " follows " + print_number(last) +
                          "; expected falling numbers above 0");
    }
    sum += value;
    last = value;
  }
  if (sum <= message.trace * (1 + kBeyondTrace)) {
    if (last >= message.rest() * (1 - kBeyondTrace)) return {};
    return format_error("the smallest eigenvalue, " + print_number(last) +
                        ", is below the mean of those left out, " + print_number(message.rest()));
  }
  return format_error("the eigenvalues sum to " + print_number(sum) + ", beyond the trace, " +
                      print_number(message.trace));
}

Status check_factor(const HebbianOperator& message) {
  const size_t n = message.dim;
  if (message.factor.size() != message.rank() * n) {
    return format_error("the factor has " + std::to_string(message.factor.size()) + " numbers; expected " +
                        std::to_string(message.rank()) + " rows of " + std::to_string(n));
  }
  const size_t rank = message.rank();
  std::vector<double> inner(rank * rank);
  runtime::Parallel alone;
  alone.max_threads = 1;  // callers need not be where others could help
  Status status =
      engine::gram_of_rows({message.factor.data(), engine::Element::kFloat32, rank, n}, inner.data(), alone);
  if (!status.ok()) return status;
  for (size_t i = 0; i < rank; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      const double found = inner[i * rank + j];
      const double wanted = i == j ? 1 : 0;
      if (std::abs(found - wanted) <= kNotOrthonormal) continue;  // not so for NaN
      return format_error("rows " + std::to_string(j) + " and " + std::to_string(i) +
                          " of the factor have the " + "inner product " + print_number(found) +
                          "; expected orthonormal rows");
    }
  }
  return {};
}

}  // namespace

double HebbianOperator::rest() const {
  double left = trace;
  for (const double value : eigenvalues) left -= value;
  return rank() == dim ? 0 : std::max(0.0, left) / static_cast<double>(dim - rank());
}

std::vector<double> HebbianOperator::row_weights() const {
  const double level = rest();
  std::vector<double> weights(eigenvalues);
  for (double& weight : weights) weight = std::max(0.0, weight - level);
  return weights;
}

engine::Rows HebbianOperator::rows() const {
  return {.data = factor.data(), .element = engine::Element::kFloat32, .count = rank(), .dim = dim};
}

Result<HebbianOperator> encode(const engine::Rows& examples, const EncodeOptions& options,
                               const runtime::Parallel& parallel) {
  Status status = check_client_name(options.client);
  if (!status.ok()) return status;
  const Result<size_t> rank = rank_of(examples, options);
  if (!rank.ok()) return rank.status();
  const Result<double> trace = trace_of(examples);
  if (!trace.ok()) return trace.status();
  const FactorOperator second_moment(examples, 1 / static_cast<double>(examples.count));
  const Result<Eigenpairs> pairs =
      top_eigenpairs_of_factor(second_moment, {.k = rank.value(), .start = {}, .enough = {}}, parallel);
  if (!pairs.ok()) return pairs.status();
  if (!pairs.value().converged) {
    return Status(StatusCode::kNotConverged, "the eigenvalues of the examples were not found in " +
                                                 count_of(pairs.value().products, "products"));
  }
  HebbianOperator message;
  message.dim = examples.dim;
  message.sample_count = examples.count;
  message.trace = trace.value();
  message.client = options.client;
  take_pairs(pairs.value(), message);
  take_noise(options, message);
  return message;
}

Status check(const HebbianOperator& message) {
  if (message.dim < 1 || message.dim > kLargestDim) {
    return format_error("the dim is " + std::to_string(message.dim) + "; expected 1 to " +
                        std::to_string(kLargestDim));
  }
  if (message.sample_count < 1) return format_error("the sample count is 0; expected at least 1");
  if (message.rank() < 1 || message.rank() > message.dim) {
    return format_error("the rank is " + std::to_string(message.rank()) + "; expected 1 to the dim, " +
                        std::to_string(message.dim));
  }
  Status status = check_number("trace", message.trace, std::numeric_limits<float>::min(),
                               std::numeric_limits<float>::max());
  if (status.ok()) status = check_number("noise variance", message.noise_variance, 0, 1);
  if (status.ok()) status = check_number("quality", message.quality, 0, 1);
  if (status.ok()) status = check_client_name(message.client);
  if (status.ok()) status = check_eigenvalues(message);
  return status.ok() ? check_factor(message) : Status(StatusCode::kFormat, status.message());
}

Status check_client_name(const std::string& client) {
  if (client.size() > kLongestClientName) {
    return out_of_range("the client's name has " + count_of(client.size(), "bytes") + "; expected at most " +
                        std::to_string(kLongestClientName));
  }
  const bool plain = std::all_of(client.begin(), client.end(),
                                 [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
  if (plain) return {};
  return out_of_range("the client's name has a control character; expected none");
}

bool leak_risk(size_t dim, uint64_t sample_count) { return sample_count < dim / 8; }

}  // namespace engram::spectral
