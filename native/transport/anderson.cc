#include "transport/anderson.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/gibbs_pair.h"

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
  changes_ = 0;
  begun_ = false;
  since_extrapolation_ = 0;
  trusted_ = 0;
  next_.resize(size);
  residual_.resize(size);
  next_changes_.resize(size * kDepth);
  residual_changes_.resize(size * kDepth);
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
  if (begun_) ++changes_;
  double* const next_change = next_changes_.data() + (begun_ ? slot(0) : 0);
  double* const residual_change = residual_changes_.data() + (begun_ ? slot(0) : 0);
  for (size_t j = 0; j < size_; ++j) {
    const double residual = next[j] - at[j];
    next_change[j] = next[j] - next_[j];
    residual_change[j] = residual - residual_[j];
    next_[j] = next[j];
    residual_[j] = residual;
  }
  begun_ = true;
}

// Minimises |residual - sum_k gamma_k residual_change_k| over gamma.
bool Anderson::extrapolate(double* out) const {
  const size_t depth = std::min(changes_, kDepth);
  if (depth == 0) return false;
  const auto dot = [this](const double* x, const double* y) {
    return engine::weighted_dot(weights_, x, y, size_);
  };
  Matrix gram{};
  Vector gamma{};
  for (size_t p = 0; p < depth; ++p) {
    const double* change = residual_changes_.data() + slot(p);
    gamma[p] = dot(change, residual_.data());
    for (size_t q = 0; q <= p; ++q) gram[p][q] = dot(change, residual_changes_.data() + slot(q));
  }
  if (!solve(gram, gamma, depth)) return false;
  for (size_t p = 0; p < depth; ++p) {
    const double* change = next_changes_.data() + slot(p);
    for (size_t j = 0; j < size_; ++j) out[j] -= gamma[p] * change[j];
  }
  return true;
}

}  // namespace engram::transport
