#include "spectral/controllers.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "spectral/evidence.h"
#include "spectral/novelty.h"
#include "spectral/random_stream.h"
#include "spectral/round_detection.h"

namespace engram::spectral {
namespace {

constexpr size_t kAllColumns = 512;  // of operators this small
constexpr size_t kPairs = size_t{1} << 18;
constexpr size_t kLeastColumns = 16;
constexpr size_t kAtOnce = 64;  // columns of one product
constexpr uint64_t kColumnSeed = 1;

// Ascending; one from each of equal parts of the coordinates.
std::vector<size_t> columns_of(size_t dim) {
  const size_t count = dim <= kAllColumns ? dim : std::max(kLeastColumns, (kPairs + dim - 1) / dim);
  RandomStream random(kColumnSeed, dim);
  std::vector<size_t> columns;
  for (size_t c = 0; c < count; ++c) {
    const size_t first = c * dim / count;
    const size_t width = (c + 1) * dim / count - first;
    columns.push_back(first + static_cast<size_t>(random.uniform() * static_cast<double>(width)));
  }
  return columns;
}

// A_ij for all i, times N: whole numbers, so that ties are exact.
std::vector<int32_t> memory_column(const MatrixView<const int8_t>& archetypes, size_t j) {
  std::vector<int32_t> column(archetypes.cols, 0);
  for (size_t k = 0; k < archetypes.rows; ++k) {
    const int8_t* const row = archetypes.row(k);
    for (size_t i = 0; i < column.size(); ++i) column[i] += row[i] * row[j];
  }
  return column;
}

struct Count {
  uint64_t agree = 0;
  uint64_t all = 0;
};

void compare(const std::vector<int32_t>& memory, const double* moments, size_t diagonal, Count& count) {
  for (size_t i = 0; i < memory.size(); ++i) {
    if (i == diagonal || memory[i] == 0 || moments[i] == 0) continue;
    ++count.all;
    count.agree += (memory[i] > 0) == (moments[i] > 0) ? 1 : 0;
  }
}

// Bits.
double binary_entropy(double p) {
  double sum = 0;
  for (const double share : {p, 1 - p}) sum -= share > 0 ? share * std::log2(share) : 0;
  return sum;
}

// The share p0 of signs that one example has right of its own archetype's.
double best_agreement(double quality) {
  constexpr double kShowsNone = 1e-6;
  const double r = quality > kShowsNone ? quality : 1;
  return (1 + r * r) / 2;
}

double mean_noise(const NoiseEdge& noise) {
  double weights = 0;
  double sum = 0;
  for (const ClientModel& client : noise.clients()) {
    weights += client.weight;
    sum += client.weight * client.noise_variance;
  }
  return sum / weights;
}

Result<double> spectral_rule(const MatrixView<const int8_t>& archetypes, const Experience& experience,
                             double quantile, const runtime::Parallel& parallel) {
  const std::vector<double> overlaps(archetypes.rows, 1);
  Result<std::vector<FreshEvidence>> known =
      fresh_evidence(archetypes, overlaps, experience.moments, mean_noise(experience.noise), parallel);
  if (!known.ok()) return known.status();
  std::vector<int8_t> seen;
  double strength = 0;
  for (size_t k = 0; k < archetypes.rows; ++k) {
    if (!known.value()[k].seen) continue;
    strength += known.value()[k].strength;
    seen.insert(seen.end(), archetypes.row(k), archetypes.row(k) + archetypes.cols);
  }
  const size_t dim = archetypes.cols;
  const MatrixView<const int8_t> seen_rows(seen.data(), seen.size() / dim, dim);
  DetectionOptions options;
  options.quantile = quantile;
  options.expected = seen_rows.rows;
  Result<Detection> found = detect(experience.moments, experience.noise, options, parallel);
  if (!found.ok()) return found.status();
  const std::vector<double> unknown = unknown_strengths(found.value(), seen_rows, experience.noise);
  return std::max(kLeastSpectral, novelty_share(unknown, strength));
}

}  // namespace

Result<double> sign_agreement(const MatrixView<const int8_t>& archetypes, const LinearOperator& moments,
                              const runtime::Parallel& parallel) {
  const size_t dim = archetypes.cols;
  const std::vector<size_t> columns = columns_of(dim);
  Count count;
  for (size_t first = 0; first < columns.size(); first += kAtOnce) {
    const size_t width = std::min(kAtOnce, columns.size() - first);
    std::vector<double> units(width * dim, 0);
    for (size_t c = 0; c < width; ++c) units[c * dim + columns[first + c]] = 1;
    std::vector<double> product(width * dim);
    Status status = moments.apply(units.data(), width, product.data(), parallel);
    if (!status.ok()) return status;
    for (size_t c = 0; c < width; ++c) {
      const size_t j = columns[first + c];
      compare(memory_column(archetypes, j), product.data() + c * dim, j, count);
    }
  }
  return count.all == 0 ? 0.5 : static_cast<double>(count.agree) / static_cast<double>(count.all);
}

double entropy_rule(double agreement, double quality) {
  const double least = binary_entropy(best_agreement(quality));
  return least < 1 ? std::max(0.0, (binary_entropy(agreement) - least) / (1 - least)) : 1;
}

double trust_rule(double agreement, double quality) {
  return std::clamp((agreement - 0.5) / (best_agreement(quality) - 0.5), 0.0, 1.0);
}

Result<double> raw_plasticity(const ControllerOptions& options, const MatrixView<const int8_t>& archetypes,
                              const Experience& experience, double quantile,
                              const runtime::Parallel& parallel) {
  if (archetypes.rows == 0) return 1.0;
  if (options.rule == Controller::kFixed) return options.plasticity;
  if (options.rule == Controller::kSpectral) {
    return spectral_rule(archetypes, experience, quantile, parallel);
  }
  Result<double> agreement = sign_agreement(archetypes, experience.moments, parallel);
  if (!agreement.ok()) return agreement;
  return options.rule == Controller::kEntropy ? entropy_rule(agreement.value(), experience.quality)
                                              : trust_rule(agreement.value(), experience.quality);
}

}  // namespace engram::spectral
