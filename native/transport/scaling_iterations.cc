#include "transport/scaling_iterations.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

namespace engram::transport {
namespace {

// Scalings within 2^-kRange and 2^kRange leave Float32 products room for the smallest kernel entries.
constexpr double kRange = 20;
// Residuals below this are rounding, from which nothing can be extrapolated.
template <typename T>
constexpr double kFloor = std::is_same_v<T, float> ? 3e-7 : 1e-14;
constexpr double kMostAbsorbed = 60;  // exponents absorbed at once: where a column sum was lost to underflow

}  // namespace

template <typename T>
void ScalingIterations<T>::start(const Measure& mu, const Columns& columns) {
  a_.assign(mu.weights, mu.weights + mu.size);
  lse_.resize(mu.size);
  const size_t stride = columns.b.size();
  v_.assign(stride, T{1});
  column_sum_.resize(stride);
  log_v_.assign(stride, 0);
  log_next_.resize(stride);
  anderson_.reset(stride, columns.b.data());
  built_ = false;
  logs_are_old_ = false;
  least_ = most_ = 1;
  iterations_ = 0;
}

template <typename T>
bool ScalingIterations<T>::safe() const noexcept {
  return least_ >= std::exp2(-kRange) && most_ <= std::exp2(kRange);
}

template <typename T>
void ScalingIterations<T>::absorb(Columns& columns) {
  if (logs_are_old_) {
    log_v_.assign(v_.begin(), v_.end());
    engine::log2_all(log_v_.data(), log_v_.size());
  }
  logs_are_old_ = false;
  for (size_t j = 0; j < columns.count; ++j) {
    if (columns.b[j] > 0) columns.z[j] += std::clamp(log_v_[j], -kMostAbsorbed, kMostAbsorbed);
  }
  columns.set_exponents();
  std::fill(log_v_.begin(), log_v_.end(), 0.0);
  std::fill(v_.begin(), v_.end(), T{1});
  least_ = most_ = 1;
  anderson_.reset(columns.b.size(), columns.b.data());
  built_ = false;
}

template <typename T>
Status ScalingIterations<T>::build(engine::GibbsPair& pair, Columns& columns) {
  if (!safe()) absorb(columns);
  if (built_) return {};
  built_ = true;
  return pair.build<T>(columns.h.data(), lse_.data());
}

// v from log_v_, by way of log_next_.
template <typename T>
void ScalingIterations<T>::set_scalings(const Columns& columns) {
  log_next_ = log_v_;
  engine::exp2_all(log_next_.data(), log_next_.size());
  std::copy(log_next_.begin(), log_next_.end(), v_.begin());
  const auto [least, most] =
      std::minmax_element(log_next_.begin(), log_next_.begin() + static_cast<ptrdiff_t>(columns.count));
  least_ = *least;
  most_ = *most;
}

// Takes the iteration log_v_ -> log2 v into the history; where it proposes another iterate, that becomes v.
// With `anew`, log_v_ is not known and history begins here.
template <typename T>
void ScalingIterations<T>::accelerate(const Columns& columns, bool anew) {
  // log2 v_j = log2 b_j - log2 column_sum_j, from the Float64 sums.
  engine::log2_all(column_sum_.data(), column_sum_.size());
  for (size_t j = 0; j < columns.b.size(); ++j) {
    log_next_[j] = columns.b[j] > 0 ? columns.log_b[j] - column_sum_[j] : 0;
  }
  if (anew) anderson_.reset(columns.b.size(), columns.b.data());
  const bool jumps = !anew && anderson_.propose(log_v_.data(), log_next_.data(), residual_);
  std::swap(log_v_, log_next_);
  if (jumps) set_scalings(columns);
}

template <typename T>
Status ScalingIterations<T>::run(engine::GibbsPair& pair, Columns& columns, uint32_t count,
                                 double tolerance) {
  for (uint32_t k = 0; k < count; ++k) {
    Status status = build(pair, columns);
    if (!status.ok()) return status;
    pair.iterate<T>(a_.data(), v_.data(), column_sum_.data());
    const engine::ScalingChange change = pair.scale<T>(columns.b.data(), column_sum_.data(), v_.data());
    ++iterations_;
    residual_ = change.residual;
    least_ = change.least;
    most_ = change.most;
    // Logarithms are for the extrapolation, which has nothing to work on any more once residuals are
    // rounding.
    const bool were_old =
        std::exchange(logs_are_old_, residual_ <= std::max(tolerance, kFloor<T>) || !safe());
    if (!logs_are_old_) accelerate(columns, were_old);
    if (residual_ <= tolerance) break;
  }
  return {};
}

template class ScalingIterations<float>;
template class ScalingIterations<double>;

}  // namespace engram::transport
