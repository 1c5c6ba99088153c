#include "spectral/tracy_widom.h"

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <numbers>

namespace engram::spectral {
namespace {

// The Airy integral along the line Im t = c, where it decays as a Gaussian:
// Ai(x) = exp(c^3/3 - c x) / pi * int_0^inf exp(-c t^2) cos(t^3/3 + (x - c^2) t) dt for any c > 0. The
// integrand is even and entire, so the trapezoidal rule converges exponentially.
double airy(double x) {
  constexpr double kStep = 0.2;
  const double c = std::sqrt(std::max(x, 2.0));
  const double last = std::sqrt(40 / c);  // beyond it exp(-c t^2) is below 1e-17
  double sum = 0.5;
  for (int i = 1; i * kStep < last; ++i) {
    const double t = i * kStep;
    sum += std::exp(-c * t * t) * std::cos(t * t * t / 3 + (x - c * c) * t);
  }
  return std::exp(c * c * c / 3 - c * x) / std::numbers::pi * kStep * sum;
}

struct Quadrature {
  Eigen::VectorXd nodes;  // in (-1, 1)
  Eigen::VectorXd weights;
};

// Gauss-Legendre by the eigenvectors of the Jacobi matrix (Golub & Welsch 1969).
Quadrature gauss_legendre(Eigen::Index count) {
  Eigen::VectorXd diagonal = Eigen::VectorXd::Zero(count);
  Eigen::VectorXd beside(count - 1);
  for (Eigen::Index i = 1; i < count; ++i) {
    const auto n = static_cast<double>(i);
    beside[i - 1] = n / std::sqrt(4 * n * n - 1);
  }
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> jacobi;
  jacobi.computeFromTridiagonal(diagonal, beside);
  return {jacobi.eigenvalues(), 2 * jacobi.eigenvectors().row(0).transpose().array().square()};
}

}  // namespace

double tracy_widom_cdf(double s) {
  constexpr Eigen::Index kNodes = 28;
  constexpr double kFarthest = 17;  // Ai is below 1e-19 there
  static const Quadrature kRule = gauss_legendre(kNodes);
  if (s >= kFarthest) return 1;
  const double half = (kFarthest - s) / 2;
  Eigen::MatrixXd kernel(kNodes, kNodes);
  for (Eigen::Index i = 0; i < kNodes; ++i) {
    for (Eigen::Index j = 0; j <= i; ++j) {
      const double middle = s + half * (1 + (kRule.nodes[i] + kRule.nodes[j]) / 2);
      const double v = half * std::sqrt(kRule.weights[i] * kRule.weights[j]) * airy(middle) / 2;
      kernel(i, j) = kernel(j, i) = (i == j ? 1 : 0) - v;
    }
  }
  return kernel.partialPivLu().determinant();
}

// False position on the logarithm of the upper tail, which is nearly straight there; halving the value at an
// end that stays (Illinois) lets both ends close in.
double tracy_widom_quantile(double level) {
  constexpr double kTolerance = 1e-10;
  const double target = std::log(level);
  const auto excess = [target](double s) { return std::log(1 - tracy_widom_cdf(s)) - target; };
  double low = -1.5;  // 57 % lie above
  double high = 7;    // 2e-7 lie above
  double at_low = excess(low);
  double at_high = excess(high);
  double last = high;
  for (int side = 0;;) {
    const double s = (low * at_high - high * at_low) / (at_high - at_low);
    const double at = excess(s);
    if (at == 0 || std::abs(s - last) < kTolerance) return s;
    if (at > 0) {
      low = s;
      at_low = at;
      if (side > 0) at_high /= 2;
      side = 1;
    } else {
      high = s;
      at_high = at;
      if (side < 0) at_low /= 2;
      side = -1;
    }
    last = s;
  }
}

LargestNoiseEigenvalue largest_noise_eigenvalue(double dim, double samples) {
  const double rows = std::sqrt(std::max(samples - 1, 1.0));
  const double columns = std::sqrt(dim);
  return {(rows + columns) * (rows + columns), (rows + columns) * std::cbrt(1 / rows + 1 / columns)};
}

double tracy_widom_ratio(double dim, double samples, double quantile) {
  const LargestNoiseEigenvalue largest = largest_noise_eigenvalue(dim, samples);
  const double edge = std::sqrt(samples) + std::sqrt(dim);
  return (largest.centre + quantile * largest.scale) / (edge * edge);
}

}  // namespace engram::spectral
