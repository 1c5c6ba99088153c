#include "spectral/ica.h"

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

#include "spectral/random_stream.h"

namespace engram::spectral {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr size_t kBlock = 512;  // columns of X that are worked on while they lie in the cache

// (A A^T)^(-1/2) A: of all orthonormal matrices the nearest to A.
Matrix orthonormalised(const Matrix& a) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> gram(a * a.transpose());
  const double least = 1e-14 * gram.eigenvalues().tail(1)[0];
  const Eigen::VectorXd inverse_root = gram.eigenvalues().cwiseMax(least).cwiseSqrt().cwiseInverse();
  return gram.eigenvectors() * inverse_root.asDiagonal() * gram.eigenvectors().transpose() * a;
}

Matrix random_rotation(Eigen::Index size, uint64_t seed, uint64_t stream) {
  RandomStream random(seed, stream);
  Matrix a(size, size);
  for (double& entry : a.reshaped()) entry = random.gaussian();
  return orthonormalised(a);
}

// E[(W x)^3 x^T] - 3 W; false when asked to stop.
class Sweep {
 public:
  explicit Sweep(const FloatRows& v) : v_(v), cubes_(kBlock), products_(v.rows) {}

  bool run(const Matrix& w, const KeepGoing& keep_going, Matrix& next) {
    next.setZero(w.rows(), w.cols());
    for (size_t first = 0; first < v_.cols; first += kBlock) {
      if (!keep_going()) return false;
      const FloatRows block(v_.data + first, v_.rows, std::min(kBlock, v_.cols - first), v_.stride);
      for (Eigen::Index j = 0; j < w.rows(); ++j) {
        multiply_transposed(block, w.row(j).data(), cubes_.data());
        cube(block.cols);
        multiply(block, cubes_.data(), products_.data());
        for (Eigen::Index k = 0; k < w.cols(); ++k) next(j, k) += products_[static_cast<size_t>(k)];
      }
    }
    // V stands for X throughout: (sqrt N)^4 / N.
    next *= static_cast<double>(v_.cols);
    next -= 3 * w;
    return true;
  }

 private:
  void cube(size_t count) {
    for (size_t n = 0; n < count; ++n) cubes_[n] *= cubes_[n] * cubes_[n];
  }

  const FloatRows v_;
  std::vector<float> cubes_;
  std::vector<double> products_;
};

// How far the rows of `next` have turned away from those of `w`, up to sign.
double change(const Matrix& w, const Matrix& next) {
  const Eigen::VectorXd cosines = (w.cwiseProduct(next)).rowwise().sum();
  return 1 - cosines.cwiseAbs().minCoeff();
}

}  // namespace

Result<IcaRotation> fast_ica(const FloatRows& v, const IcaOptions& options, const KeepGoing& keep_going) {
  const auto size = static_cast<Eigen::Index>(v.rows);
  IcaRotation found;
  Sweep sweep(v);
  Matrix w;
  Matrix next;
  for (uint32_t start = 0; start <= options.restarts && !found.converged; ++start) {
    w = start == 0 ? Matrix(Matrix::Identity(size, size)) : random_rotation(size, options.seed, start);
    for (uint32_t k = 0; k < options.most_sweeps && !found.converged; ++k) {
      if (!sweep.run(w, keep_going, next)) return Status(StatusCode::kAborted, "unmixing was cancelled");
      next = orthonormalised(next);
      found.converged = change(w, next) <= options.tolerance;
      w.swap(next);
      ++found.sweeps;
    }
  }
  found.weights.assign(w.data(), w.data() + w.size());
  return found;
}

std::vector<int8_t> sign_sources(const FloatRows& v, const std::vector<double>& weights) {
  std::vector<int8_t> states(v.rows * v.cols);
  std::vector<float> source(v.cols);
  for (size_t j = 0; j < v.rows; ++j) {
    multiply_transposed(v, weights.data() + j * v.rows, source.data());
    for (size_t n = 0; n < v.cols; ++n) states[j * v.cols + n] = static_cast<int8_t>(sign(source[n], 1));
  }
  return states;
}

}  // namespace engram::spectral
