#include "spectral/replication.h"

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "spectral/eigenpairs.h"

namespace engram::spectral {
namespace {

using Eigen::MatrixXd;

constexpr double kTolerance = 1e-4;
constexpr double kFluctuations = 4;

// N x count, by columns.
Result<MatrixXd> leading_vectors(const LinearOperator& half, const Detection& detection,
                                 const runtime::Parallel& parallel) {
  EigenOptions options;
  options.k = detection.count();
  options.tolerance = kTolerance;
  options.start.assign(detection.v.begin(), detection.v.end());
  Result<Eigenpairs> pairs = top_eigenpairs(half, options, parallel);
  if (!pairs.ok()) return pairs.status();
  if (!pairs.value().converged) {
    return Status(StatusCode::kNotConverged, "the leading " + std::to_string(options.k) +
                                                 " eigenvectors of half of the clients did not converge");
  }
  return MatrixXd(Eigen::Map<const MatrixXd>(pairs.value().vectors.data(),
                                             static_cast<Eigen::Index>(half.dim()),
                                             static_cast<Eigen::Index>(options.k)));
}

// What the halves share: the middles of principal directions whose cosine is beyond that of independent ones.
MatrixXd shared_directions(const MatrixXd& first, const MatrixXd& second) {
  const Eigen::JacobiSVD<MatrixXd> svd(first.transpose() * second, Eigen::ComputeThinU | Eigen::ComputeThinV);
  const auto dim = static_cast<double>(first.rows());
  const double share = std::min(0.5, static_cast<double>(first.cols()) / dim);
  const double chance = 2 * std::sqrt(share * (1 - share)) + kFluctuations / std::sqrt(dim);
  const Eigen::Index count = (svd.singularValues().array() > chance).count();
  return first * svd.matrixU().leftCols(count) + second * svd.matrixV().leftCols(count);
}

// Turns the detected directions to the part of their span nearest to `shared`.
void turn_to(const MatrixXd& shared, const NoiseEdge& noise, Detection& detection) {
  const auto dim = static_cast<size_t>(shared.rows());
  const Eigen::Index count = shared.cols();
  const Eigen::Map<const Eigen::MatrixXf> v(detection.v.data(), shared.rows(),
                                            static_cast<Eigen::Index>(detection.count()));
  const Eigen::Map<const Eigen::VectorXd> values(detection.values.data(), v.cols());
  const Eigen::HouseholderQR<MatrixXd> qr(v.cast<double>().transpose() * shared);
  const MatrixXd turned = qr.householderQ() * MatrixXd::Identity(v.cols(), count);
  const Eigen::SelfAdjointEigenSolver<MatrixXd> within(turned.transpose() * values.asDiagonal() * turned);
  const MatrixXd kept = v.cast<double>() * (turned * within.eigenvectors().rowwise().reverse());
  detection.v.assign(static_cast<size_t>(count) * dim, 0);
  std::copy(kept.data(), kept.data() + kept.size(), detection.v.begin());
  detection.values.clear();
  detection.gamma.clear();
  for (Eigen::Index k = count; k-- > 0;) {
    detection.values.push_back(within.eigenvalues()[k]);
    detection.gamma.push_back(predicted_overlap(noise, detection.values.back()));
  }
}

}  // namespace

Status keep_replicated(const LinearOperator& first, const LinearOperator& second, const NoiseEdge& noise,
                       Detection& detection, const runtime::Parallel& parallel) {
  if (detection.count() == 0) return {};
  Result<MatrixXd> one = leading_vectors(first, detection, parallel);
  if (!one.ok()) return one.status();
  Result<MatrixXd> other = leading_vectors(second, detection, parallel);
  if (!other.ok()) return other.status();
  const MatrixXd shared = shared_directions(one.value(), other.value());
  if (shared.cols() == 0) {
    detection.values.clear();
    detection.gamma.clear();
    detection.v.clear();
  } else if (shared.cols() < one.value().cols()) {
    turn_to(shared, noise, detection);
  }
  return {};
}

}  // namespace engram::spectral
