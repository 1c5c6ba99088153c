#include "transport/anderson.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace engram::transport {
namespace {

using Matrix = std::array<std::array<double, Anderson::kDepth>, Anderson::kDepth>;
using Vector = std::array<double, Anderson::kDepth>;

constexpr size_t kPeriod = 4;     // plain iterations before each extrapolation
constexpr double kWorse = 2;      // an extrapolation may raise the residual by this factor at most
constexpr double kFarthest = 20;  // longest step of a number that is believed

// Solves the positive semidefinite system in place by Cholesky with a small ridge; false where it is
// singular.
bool solve(Matrix& m, Vector& rhs, size_t size) {
  double trace = 0;
  for (size_t i = 0; i < size; ++i) trace += m[i][i];
  if (!(trace > 0)) return false;
  for (size_t i = 0; i < size; ++i) m[i][i] += 1e-12 * trace;
  for (size_t i = 0; i < size; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double sum = m[i][j];
      for (size_t k = 0; k < j; ++k) sum -= m[i][k] * m[j][k];
      if (i != j) {
        m[i][j] = sum / m[j][j];
      } else if (sum > 0) {
        m[i][i] = std::sqrt(sum);
      } else {
        return false;
      }
    }
  }
  for (size_t i = 0; i < size; ++i) {
    for (size_t k = 0; k < i; ++k) rhs[i] -= m[i][k] * rhs[k];
    rhs[i] /= m[i][i];
  }
  for (size_t i = size; i-- > 0;) {
    for (size_t k = i + 1; k < size; ++k) rhs[i] -= m[k][i] * rhs[k];
    rhs[i] /= m[i][i];
  }
  return true;
}

}  // namespace

void Anderson::reset(size_t size, const double* weights) {
  size_ = size;
  weights_ = weights;
  added_ = 0;
  since_extrapolation_ = 0;
  trusted_ = 0;
  next_.resize(size * (kDepth + 1));
  residual_.resize(size * (kDepth + 1));
}

bool Anderson::propose(const double* at, double* next, double residual) {
  if (trusted_ > 0 && !(residual <= kWorse * trusted_)) {
    std::copy(plain_.begin(), plain_.end(), next);
    reset(size_, weights_);
    return true;
  }
  trusted_ = 0;
  add(at, next);
  if (++since_extrapolation_ < kPeriod) return false;
  plain_.assign(next, next + size_);
  if (!extrapolate(next)) return false;
  since_extrapolation_ = 0;
  for (size_t j = 0; j < size_; ++j) {
    if (std::abs(next[j] - at[j]) <= kFarthest) continue;
    std::copy(plain_.begin(), plain_.end(), next);
    return false;
  }
  trusted_ = residual;
  return true;
}

void Anderson::add(const double* at, const double* next) {
  const size_t slot = added_ % (kDepth + 1) * size_;
  for (size_t j = 0; j < size_; ++j) {
    next_[slot + j] = next[j];
    residual_[slot + j] = next[j] - at[j];
  }
  ++added_;
}

// Minimises |r_0 - sum_k gamma_k (r_k - r_{k+1})| over gamma, r_0 the newest residual.
bool Anderson::extrapolate(double* out) const {
  const size_t depth = std::min(added_ == 0 ? 0 : added_ - 1, kDepth);
  if (depth == 0) return false;
  Matrix gram{};
  Vector gamma{};
  const double* newest = row(residual_, 0);
  for (size_t p = 0; p < depth; ++p) {
    const double* p0 = row(residual_, p);
    const double* p1 = row(residual_, p + 1);
    for (size_t j = 0; j < size_; ++j) gamma[p] += weights_[j] * (p0[j] - p1[j]) * newest[j];
    for (size_t q = 0; q <= p; ++q) {
      const double* q0 = row(residual_, q);
      const double* q1 = row(residual_, q + 1);
      double sum = 0;
      for (size_t j = 0; j < size_; ++j) sum += weights_[j] * (p0[j] - p1[j]) * (q0[j] - q1[j]);
      gram[p][q] = sum;
    }
  }
  if (!solve(gram, gamma, depth)) return false;
  const double* next = row(next_, 0);
  std::copy(next, next + size_, out);
  for (size_t p = 0; p < depth; ++p) {
    const double* n0 = row(next_, p);
    const double* n1 = row(next_, p + 1);
    for (size_t j = 0; j < size_; ++j) out[j] -= gamma[p] * (n0[j] - n1[j]);
  }
  return true;
}

}  // namespace engram::transport
