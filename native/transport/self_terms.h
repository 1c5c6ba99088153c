// What is computed once of each stored cloud: its self problem and its mean.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "transport/clouds.h"
#include "transport/problem.h"

namespace engram::transport {

// Filled by whichever request comes first; the same numbers whoever computes them.
class SelfTerms {
 public:
  static constexpr double kTolerance = 1e-11;  // of the self problems: their error is never the answer's
  static constexpr uint32_t kMostIterations = 500;

  explicit SelfTerms(const Clouds& clouds);

  bool all_ready() const noexcept {
    return ready_count_.load(std::memory_order_acquire) == solutions_.size();
  }
  bool ready(size_t k) const noexcept { return ready_[k].load(std::memory_order_acquire); }
  void set(size_t k, const Solution& solution, std::span<const double> potential);

  // The rest needs ready(k).
  const Solution& solution(size_t k) const noexcept { return solutions_[k]; }
  std::span<const double> potential(size_t k) const noexcept {  // size of cloud k, in units of the cost
    return {potentials_.data() + offsets_[k], potentials_.data() + offsets_[k + 1]};
  }
  // Always there: the mean (dim numbers) and the largest distance of a point with mass from it.
  std::span<const double> mean(size_t k) const noexcept { return {means_.data() + k * dim_, dim_}; }
  double radius(size_t k) const noexcept { return radii_[k]; }

  size_t native_bytes() const noexcept;

 private:
  const size_t dim_;
  const std::span<const uint32_t> offsets_;
  std::vector<double> means_;
  std::vector<double> radii_;
  std::vector<Solution> solutions_;
  std::vector<double> potentials_;
  std::unique_ptr<std::atomic<bool>[]> ready_;
  std::atomic<size_t> ready_count_{0};
  std::mutex mutex_;
};

// Weighted mean of dim coordinates.
void mean_of(const Measure& measure, size_t dim, double* mean);

}  // namespace engram::transport
