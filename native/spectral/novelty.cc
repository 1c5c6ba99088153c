#include "spectral/novelty.h"

#include <Eigen/Core>
#include <Eigen/Eigenvalues>

#include "spectral/deflation.h"
#include "spectral/outlier.h"

namespace engram::spectral {
namespace {

// r^2 of the mean client, by weight, as estimate_outlier assumes it.
double mean_quality(const NoiseEdge& noise) {
  double weights = 0;
  double sum = 0;
  for (const ClientModel& client : noise.clients()) {
    weights += client.weight;
    sum += client.weight * (1 - client.noise_variance);
  }
  return sum > 0 ? sum / weights : 1;
}

// Of the blend within the part of the detected subspace that is orthogonal to the known archetypes.
std::vector<double> unknown_eigenvalues(const Detection& detection, MatrixView<const int8_t> known) {
  if (known.rows >= detection.count()) return {};
  if (known.rows == 0) return detection.values;
  const size_t dim = known.cols;
  const FloatRows v = detection.rows(dim);
  Archetypes taken;
  taken.dim = dim;
  taken.states.assign(known.data, known.data + known.rows * dim);
  taken.scores.assign(known.rows, 1);
  const std::vector<float> rest = remaining_subspace(v, taken);
  const auto left = static_cast<Eigen::Index>(detection.count() - known.rows);
  Eigen::MatrixXd coordinates(static_cast<Eigen::Index>(v.rows), left);  // of the rest, in v
  for (Eigen::Index i = 0; i < left; ++i) {
    multiply(v, rest.data() + static_cast<size_t>(i) * dim, coordinates.col(i).data());
  }
  const Eigen::Map<const Eigen::VectorXd> values(detection.values.data(), coordinates.rows());
  const Eigen::MatrixXd within = coordinates.transpose() * values.asDiagonal() * coordinates;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(within, Eigen::EigenvaluesOnly);
  return {solver.eigenvalues().begin(), solver.eigenvalues().end()};
}

}  // namespace

std::vector<double> unknown_strengths(const Detection& detection, MatrixView<const int8_t> known,
                                      const NoiseEdge& noise) {
  std::vector<double> strengths;
  const double scale = mean_quality(noise) * static_cast<double>(known.cols);
  for (const double value : unknown_eigenvalues(detection, known)) {
    if (value > detection.cut) strengths.push_back(scale * estimate_outlier(noise, value).exposure);
  }
  return strengths;
}

double novelty_share(std::span<const double> unknown, double known) {
  double sum = 0;
  for (const double strength : unknown) sum += strength;
  return sum > 0 ? sum / (sum + known) : 0;
}

}  // namespace engram::spectral
