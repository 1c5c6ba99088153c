#include "spectral/evidence.h"

#include <algorithm>
#include <cmath>

#include "spectral/correlations.h"

namespace engram::spectral {
namespace {

constexpr double kCertain = 0.9999;      // gamma at most: beyond it the log odds say no more
constexpr double kLeastOverlap = 0.5;    // m at least: what is fed back overlaps its archetype
constexpr double kLeastVariance = 1e-4;  // v at least, of mean(h^2): m is only predicted
constexpr double kStandardDeviations = 3;

// C^-1 xi, K x N.
std::vector<double> duals(MatrixView<const int8_t> archetypes) {
  const std::vector<float> xi = as_floats(archetypes);
  const Eigen::MatrixXd inverse = inverse_correlations({xi.data(), archetypes.rows, archetypes.cols});
  std::vector<double> rows(archetypes.rows * archetypes.cols, 0);
  for (size_t k = 0; k < archetypes.rows; ++k) {
    for (size_t j = 0; j < archetypes.rows; ++j) {
      const double share = inverse(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(j));
      const int8_t* const row = archetypes.row(j);
      for (size_t n = 0; n < archetypes.cols; ++n) rows[k * archetypes.cols + n] += share * row[n];
    }
  }
  return rows;
}

double mean_product(const double* x, const double* y, size_t dim) {
  double sum = 0;
  for (size_t n = 0; n < dim; ++n) sum += x[n] * y[n];
  return sum / static_cast<double>(dim);
}

// Takes out of archetype k's field what lies along the others.
void remove_others(MatrixView<const int8_t> archetypes, const std::vector<double>& probes, size_t k,
                   std::vector<double>& field) {
  const size_t dim = archetypes.cols;
  std::vector<double> shares;
  for (size_t j = 0; j < archetypes.rows; ++j) {
    shares.push_back(mean_product(&probes[j * dim], field.data(), dim));
  }
  for (size_t j = 0; j < archetypes.rows; ++j) {
    if (j == k) continue;
    for (size_t n = 0; n < dim; ++n) field[n] -= shares[j] * archetypes.at(j, n);
  }
}

FreshEvidence judge(std::vector<double> field, const double* probe, double predicted) {
  const size_t dim = field.size();
  const double along = mean_product(field.data(), probe, dim);
  const double squares = mean_product(field.data(), field.data(), dim);
  // A quadratic form of noise of variance v in each entry strays by sqrt(2 v / N).
  const double spread = std::sqrt(2 * std::max(squares - along * along, 0.0) / static_cast<double>(dim));
  FreshEvidence fresh;
  fresh.seen = along > 0 && along > kStandardDeviations * spread;
  if (!fresh.seen) return fresh;
  const double overlap = std::max(predicted, kLeastOverlap);
  const double amplitude = along / overlap;
  const double variance = std::max(squares - amplitude * amplitude, kLeastVariance * squares);
  fresh.strength = amplitude / overlap;
  fresh.ratio = std::move(field);
  for (double& h : fresh.ratio) h *= 2 * amplitude / variance;
  return fresh;
}

float bounded(double evidence) {
  return static_cast<float>(std::clamp<double>(evidence, -kMostEvidence, kMostEvidence));
}

}  // namespace

Result<std::vector<FreshEvidence>> fresh_evidence(MatrixView<const int8_t> archetypes,
                                                  std::span<const double> overlaps,
                                                  const LinearOperator& moments, double noise_variance,
                                                  const runtime::Parallel& parallel) {
  std::vector<FreshEvidence> all;
  if (archetypes.rows == 0) return all;
  const size_t dim = archetypes.cols;
  const std::vector<double> probes = duals(archetypes);
  std::vector<double> product(probes.size());
  Status status = moments.apply(probes.data(), archetypes.rows, product.data(), parallel);
  if (!status.ok()) return status;
  for (size_t k = 0; k < archetypes.rows; ++k) {
    std::vector<double> field(product.begin() + static_cast<ptrdiff_t>(k * dim),
                              product.begin() + static_cast<ptrdiff_t>((k + 1) * dim));
    for (size_t n = 0; n < dim; ++n) field[n] -= noise_variance * probes[k * dim + n];
    if (!std::all_of(field.begin(), field.end(), [](double h) { return std::isfinite(h); })) {
      return Status(StatusCode::kNonFinite, "a product with the clients' operators is not finite");
    }
    remove_others(archetypes, probes, k, field);
    all.push_back(judge(std::move(field), &probes[k * dim], overlaps[k]));
  }
  return all;
}

void take_evidence(std::span<const double> ratio, double plasticity, std::span<float> evidence) {
  for (size_t n = 0; n < evidence.size(); ++n) {
    evidence[n] = bounded((1 - plasticity) * static_cast<double>(evidence[n]) + ratio[n]);
  }
}

std::vector<float> first_evidence(std::span<const float> direction, double gamma) {
  double squares = 0;
  for (const float y : direction) squares += static_cast<double>(y) * static_cast<double>(y);
  const double g = std::clamp(gamma, 0.0, kCertain);
  const double scale =
      2 * std::sqrt(g) / (1 - g) * std::sqrt(static_cast<double>(direction.size()) / squares);
  std::vector<float> evidence;
  evidence.reserve(direction.size());
  for (const float y : direction) evidence.push_back(bounded(scale * static_cast<double>(y)));
  return evidence;
}

void take_signs(std::span<const float> evidence, std::span<int8_t> signs) {
  for (size_t n = 0; n < evidence.size(); ++n) {
    if (evidence[n] != 0) signs[n] = evidence[n] > 0 ? 1 : -1;
  }
}

double expected_overlap(std::span<const float> evidence) {
  double sum = 0;
  for (const float e : evidence) sum += std::tanh(std::abs(static_cast<double>(e)) / 2);
  return sum / static_cast<double>(evidence.size());
}

}  // namespace engram::spectral
