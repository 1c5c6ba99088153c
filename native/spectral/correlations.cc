#include "spectral/correlations.h"

#include <Eigen/Eigenvalues>

namespace engram::spectral {

Eigen::MatrixXd inverse_correlations(const FloatRows& xi) {
  constexpr double kIndependent = 1e-9;  // of the largest eigenvalue
  const auto size = static_cast<Eigen::Index>(xi.rows);
  Eigen::MatrixXd correlations(size, size);
  for (Eigen::Index k = 0; k < size; ++k) {
    multiply(xi, xi.row(static_cast<size_t>(k)), correlations.col(k).data());
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(correlations / static_cast<double>(xi.cols));
  const double least = kIndependent * solver.eigenvalues().tail(1)[0];
  const Eigen::VectorXd inverse =
      (solver.eigenvalues().array() > least).select(solver.eigenvalues().cwiseInverse(), 0);
  return solver.eigenvectors() * inverse.asDiagonal() * solver.eigenvectors().transpose();
}

std::vector<float> as_floats(const MatrixView<const int8_t>& archetypes) {
  std::vector<float> xi;
  xi.reserve(archetypes.rows * archetypes.cols);
  for (size_t k = 0; k < archetypes.rows; ++k) {
    xi.insert(xi.end(), archetypes.row(k), archetypes.row(k) + archetypes.cols);
  }
  return xi;
}

}  // namespace engram::spectral
