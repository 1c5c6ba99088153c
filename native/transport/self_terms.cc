#include "transport/self_terms.h"

#include <algorithm>
#include <cmath>

namespace engram::transport {

void mean_of(const Measure& measure, size_t dim, double* mean) {
  std::fill(mean, mean + dim, 0.0);
  for (size_t i = 0; i < measure.size; ++i) {
    for (size_t d = 0; d < dim; ++d) mean[d] += measure.weights[i] * measure.points[i * dim + d];
  }
}

namespace {

double radius_of(const Measure& measure, size_t dim, const double* mean) {
  double most = 0;
  for (size_t i = 0; i < measure.size; ++i) {
    if (measure.weights[i] == 0) continue;
    double square = 0;
    for (size_t d = 0; d < dim; ++d) {
      const double difference = measure.points[i * dim + d] - mean[d];
      square += difference * difference;
    }
    most = std::max(most, square);
  }
  return std::sqrt(most);
}

}  // namespace

SelfTerms::SelfTerms(const Clouds& clouds)
    : dim_(clouds.dim()),
      offsets_(clouds.offsets()),
      means_(clouds.count() * clouds.dim()),
      radii_(clouds.count()),
      solutions_(clouds.count()),
      potentials_(clouds.offsets().back()),
      ready_(std::make_unique<std::atomic<bool>[]>(clouds.count())) {
  std::vector<double> points;
  for (size_t k = 0; k < clouds.count(); ++k) {
    const Cloud cloud = clouds[k];
    points.assign(cloud.points, cloud.points + cloud.size * dim_);
    const Measure measure{points.data(), cloud.weights, cloud.size};
    double* const mean = means_.data() + k * dim_;
    mean_of(measure, dim_, mean);
    radii_[k] = radius_of(measure, dim_, mean);
  }
}

void SelfTerms::set(size_t k, const Solution& solution, std::span<const double> potential) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (ready(k)) return;
  solutions_[k] = solution;
  std::copy(potential.begin(), potential.end(), potentials_.begin() + offsets_[k]);
  ready_[k].store(true, std::memory_order_release);
  ready_count_.fetch_add(1, std::memory_order_release);
}

size_t SelfTerms::native_bytes() const noexcept {
  return (means_.size() + radii_.size() + potentials_.size()) * sizeof(double) +
         solutions_.size() * sizeof(Solution);
}

}  // namespace engram::transport
