#include "transport/self_terms.h"

#include <algorithm>

namespace engram::transport {

void mean_of(const Measure& measure, size_t dim, double* mean) {
  std::fill(mean, mean + dim, 0.0);
  for (size_t i = 0; i < measure.size; ++i) {
    for (size_t d = 0; d < dim; ++d) mean[d] += measure.weights[i] * measure.points[i * dim + d];
  }
}

SelfTerms::SelfTerms(const Clouds& clouds)
    : dim_(clouds.dim()),
      offsets_(clouds.offsets()),
      means_(clouds.count() * clouds.dim()),
      solutions_(clouds.count()),
      potentials_(clouds.offsets().back()),
      ready_(std::make_unique<std::atomic<bool>[]>(clouds.count())) {
  std::vector<double> points;
  for (size_t k = 0; k < clouds.count(); ++k) {
    const Cloud cloud = clouds[k];
    points.assign(cloud.points, cloud.points + cloud.size * dim_);
    mean_of({points.data(), cloud.weights, cloud.size}, dim_, means_.data() + k * dim_);
  }
}

void SelfTerms::set(size_t k, const Solution& solution, std::span<const double> potential) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (ready(k)) return;
  solutions_[k] = solution;
  std::copy(potential.begin(), potential.end(), potentials_.begin() + offsets_[k]);
  ready_[k].store(true, std::memory_order_release);
}

size_t SelfTerms::native_bytes() const noexcept {
  return (means_.size() + potentials_.size()) * sizeof(double) + solutions_.size() * sizeof(Solution);
}

}  // namespace engram::transport
