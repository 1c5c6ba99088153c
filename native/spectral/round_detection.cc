#include "spectral/round_detection.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "spectral/eigenpairs.h"
#include "spectral/outlier.h"

namespace engram::spectral {
namespace {

constexpr size_t kBeyond = 2;  // eigenvalues below the cut that are told
constexpr size_t kRoom = 8;    // beyond those expected: how many are looked for at once
// Residuals of eigenvectors beyond the cut, in units of their distance from the edge: what an eigenvector
// loses to others is the square.
constexpr double kOfDistance = 0.1;
// Of the first one below the cut, in units of the cut: so close to it an eigenvalue is.
constexpr double kOfCut = 0.1;
constexpr double kWorthImproving = 1e-6;
constexpr double kNoiseless = 1e-4;  // of the largest eigenvalue
constexpr double kLeastOverlap = 1e-6;

// Tells what is signal.
class Judge {
 public:
  Judge(const NoiseEdge& noise, double quantile) : edge_(noise.edge()), cut_(noise.cut(quantile)) {}

  double cut(const std::vector<double>& values) const {
    return edge_ > 0 ? cut_ : kNoiseless * std::max(values.front(), 0.0);
  }
  size_t beyond(const std::vector<double>& values) const {
    const double least = cut(values);
    return static_cast<size_t>(
        std::count_if(values.begin(), values.end(), [&](double value) { return value > least; }));
  }
  bool is_enough(const std::vector<double>& values, const std::vector<double>& residuals) const {
    const size_t signals = beyond(values);
    const double largest = std::abs(values.front());
    for (size_t i = 0; i < signals; ++i) {
      if (residuals[i] * largest > kOfDistance * (values[i] - edge_)) return false;
    }
    return signals == values.size() || residuals[signals] * largest <= kOfCut * cut(values);
  }

 private:
  double edge_;
  double cut_;
};

Detection detection_of(Eigenpairs pairs, const NoiseEdge& noise, const Judge& judge, size_t count) {
  const size_t dim = pairs.vectors.size() / pairs.eigenvalues.size();
  Detection found;
  found.edge = noise.edge();
  found.cut = judge.cut(pairs.eigenvalues);
  found.values.assign(pairs.eigenvalues.begin(), pairs.eigenvalues.begin() + static_cast<ptrdiff_t>(count));
  found.v.assign(pairs.vectors.begin(), pairs.vectors.begin() + static_cast<ptrdiff_t>(count * dim));
  for (const double value : found.values) found.gamma.push_back(predicted_overlap(noise, value));
  found.eigenvalues = std::move(pairs.eigenvalues);
  const size_t told = judge.beyond(found.eigenvalues) + kBeyond;
  found.eigenvalues.resize(std::min(found.eigenvalues.size(), told));
  return found;
}

}  // namespace

double predicted_overlap(const NoiseEdge& noise, double eigenvalue) {
  return std::clamp(estimate_outlier(noise, eigenvalue).overlap, kLeastOverlap, 1.0);
}

Result<Detection> detect(const LinearOperator& blend, const NoiseEdge& noise, const DetectionOptions& options,
                         const runtime::Parallel& parallel) {
  const size_t dim = blend.dim();
  const Judge judge(noise, options.quantile);
  EigenOptions eigen;
  eigen.k = std::min(dim, options.expected + kRoom);
  eigen.start = options.start;
  eigen.tolerance = kWorthImproving;
  eigen.enough = [&](const auto& values, const auto& residuals) {
    return judge.is_enough(values, residuals);
  };
  while (true) {
    Result<Eigenpairs> found = top_eigenpairs(blend, eigen, parallel);
    if (!found.ok()) return found.status();
    Eigenpairs& pairs = found.value();
    if (!pairs.converged) {
      return Status(StatusCode::kNotConverged, "the leading " + std::to_string(eigen.k) +
                                                   " eigenvectors were not found in " +
                                                   std::to_string(pairs.products) + " products");
    }
    const size_t beyond = judge.beyond(pairs.eigenvalues);
    const bool has_all = beyond + kBeyond <= eigen.k || beyond >= options.most || eigen.k == dim;
    if (has_all) {
      return detection_of(std::move(pairs), noise, judge, std::min(beyond, options.most));
    }
    eigen.start = std::move(pairs.vectors);
    eigen.k = std::min({dim, 2 * eigen.k, options.most + kBeyond});
  }
}

}  // namespace engram::spectral
