#include "spectral/deflation.h"

#include <Eigen/Core>
#include <Eigen/QR>

namespace engram::spectral {

std::vector<float> remaining_subspace(const FloatRows& v, const Archetypes& known) {
  const auto size = static_cast<Eigen::Index>(v.rows);
  const auto count = static_cast<Eigen::Index>(known.count());
  Eigen::MatrixXd coordinates(size, count);
  for (size_t k = 0; k < known.count(); ++k) {
    const int8_t* const x = known.view().row(k);
    multiply(v, std::vector<float>(x, x + v.cols).data(),
             coordinates.col(static_cast<Eigen::Index>(k)).data());
  }
  // The columns of Q after the first `count` are orthogonal to all coordinates.
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(coordinates);
  const Eigen::MatrixXd q = qr.householderQ();
  std::vector<float> rows((v.rows - known.count()) * v.cols);
  for (Eigen::Index k = count; k < size; ++k) {
    multiply_transposed(v, q.col(k).data(), rows.data() + static_cast<size_t>(k - count) * v.cols);
  }
  return rows;
}

}  // namespace engram::spectral
