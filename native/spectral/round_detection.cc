#include "spectral/round_detection.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/numbers.h"
#include "spectral/eigenpairs.h"
#include "spectral/outlier.h"

namespace engram::spectral {
namespace {

constexpr size_t kBeyond = 2;    // eigenvalues below the cut that are looked at
constexpr double kOfCut = 0.01;  // residual of an eigenvector, in units of the cut
constexpr double kFirstTolerance = 1e-3;
constexpr double kLeastTolerance = 5e-7;  // relative; what products computed in Float32 allow
constexpr double kNoiseless = 1e-4;       // of the largest eigenvalue
constexpr double kLeastOverlap = 1e-6;

double cut_of(const NoiseEdge& noise, double quantile, double largest) {
  return std::max(noise.cut(quantile), kNoiseless * largest * (noise.edge() == 0 ? 1 : 0));
}

// The k leading pairs, first roughly, which tells what the cut is beside the largest eigenvalue.
Result<Eigenpairs> leading_pairs(const LinearOperator& blend, const NoiseEdge& noise, double quantile,
                                 EigenOptions options, const runtime::Parallel& parallel) {
  options.tolerance = kFirstTolerance;
  Result<Eigenpairs> pairs = top_eigenpairs(blend, options, parallel);
  if (!pairs.ok()) return pairs;
  const double largest = pairs.value().eigenvalues.front();
  if (!(largest > 0)) return pairs;
  const double wanted = std::max(kOfCut * cut_of(noise, quantile, largest) / largest, kLeastTolerance);
  const std::vector<double>& residuals = pairs.value().residuals;
  if (*std::max_element(residuals.begin(), residuals.end()) > wanted) {
    options.tolerance = wanted;
    options.start = pairs.value().vectors;
    pairs = top_eigenpairs(blend, options, parallel);
    if (!pairs.ok()) return pairs;
  }
  if (pairs.value().converged) return pairs;
  return Status(StatusCode::kNotConverged, "the leading " + std::to_string(options.k) +
                                               " eigenvectors did not come to a residual of " +
                                               print_number(options.tolerance) + " in " +
                                               std::to_string(options.most_products) + " products");
}

}  // namespace

double predicted_overlap(const NoiseEdge& noise, double eigenvalue) {
  return std::clamp(estimate_outlier(noise, eigenvalue).overlap, kLeastOverlap, 1.0);
}

Result<Detection> detect(const LinearOperator& blend, const NoiseEdge& noise, const DetectionOptions& options,
                         const runtime::Parallel& parallel) {
  const size_t dim = blend.dim();
  EigenOptions eigen;
  eigen.k = std::min(dim, options.expected + 1 + kBeyond);
  eigen.start = options.start;
  Detection found;
  found.edge = noise.edge();
  while (true) {
    Result<Eigenpairs> pairs = leading_pairs(blend, noise, options.quantile, eigen, parallel);
    if (!pairs.ok()) return pairs.status();
    const std::vector<double>& values = pairs.value().eigenvalues;
    found.cut = cut_of(noise, options.quantile, values.front());
    const auto beyond = static_cast<size_t>(
        std::count_if(values.begin(), values.end(), [&](double value) { return value > found.cut; }));
    const bool has_all = beyond + kBeyond <= eigen.k || beyond >= options.most || eigen.k == dim;
    if (has_all) {
      const size_t count = std::min(beyond, options.most);
      found.eigenvalues = values;
      found.values.assign(values.begin(), values.begin() + static_cast<ptrdiff_t>(count));
      found.v.assign(pairs.value().vectors.begin(),
                     pairs.value().vectors.begin() + static_cast<ptrdiff_t>(count * dim));
      for (const double value : found.values) found.gamma.push_back(predicted_overlap(noise, value));
      return found;
    }
    eigen.start = std::move(pairs.value().vectors);
    eigen.k = std::min({dim, 2 * eigen.k + kBeyond, std::max(options.most, eigen.k) + kBeyond});
  }
}

}  // namespace engram::spectral
