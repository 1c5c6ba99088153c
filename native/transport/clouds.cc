#include "transport/clouds.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/numbers.h"
#include "engine/finite.h"

namespace engram::transport {
namespace {

constexpr double kUnitTolerance = 1e-9;  // of the sum of weights that are called normalised

template <typename T>
Result<std::span<T>> allocate(AlignedBuffer& buffer, size_t count) {
  Result<AlignedBuffer> allocated = AlignedBuffer::allocate(count * sizeof(T));
  if (!allocated.ok()) return allocated.status();
  buffer = std::move(allocated).value();
  return std::span<T>(buffer.as<T>(), count);
}

Status check_offsets(std::span<const uint32_t> offsets) {
  if (offsets[0] != 0) {
    return {StatusCode::kShape,
            "the offsets begin with " + std::to_string(offsets[0]) + "; the first one must be 0"};
  }
  for (size_t k = 0; k + 1 < offsets.size(); ++k) {
    if (offsets[k + 1] > offsets[k]) continue;
    std::string message = "cloud " + std::to_string(k) + " has no points (its offsets are ";
    message += std::to_string(offsets[k]) + " and " + std::to_string(offsets[k + 1]);
    message += "); each cloud needs at least one, so offsets rise";
    return {StatusCode::kShape, std::move(message)};
  }
  return {};
}

// Says which point something is wrong with: "cloud 2, point 5".
std::string name_point(std::span<const uint32_t> offsets, size_t point) {
  const auto next = std::upper_bound(offsets.begin(), offsets.end(), point);
  const size_t cloud = static_cast<size_t>(next - offsets.begin()) - 1;
  return "cloud " + std::to_string(cloud) + ", point " + std::to_string(point - offsets[cloud]);
}

// By Kahan's summation: the error does not grow with the number of points.
double sum(std::span<const double> values) {
  double total = 0;
  double lost = 0;
  for (const double value : values) {
    const double term = value - lost;
    const double next = total + term;
    lost = (next - total) - term;
    total = next;
  }
  return total;
}

Status check_weights(std::span<const uint32_t> offsets, std::span<const double> weights) {
  for (size_t i = 0; i < weights.size(); ++i) {
    const double weight = weights[i];
    if (weight >= 0 && std::isfinite(weight)) continue;
    return {std::isfinite(weight) ? StatusCode::kRange : StatusCode::kNonFinite,
            name_point(offsets, i) + " has weight " + print_number(weight) +
                "; weights are finite and not negative"};
  }
  return {};
}

Status normalise(size_t cloud, std::span<double> weights) {
  const double mass = sum(weights);
  if (mass == 0) {
    return {StatusCode::kRange, "cloud " + std::to_string(cloud) +
                                    " has no mass: its weights are all 0; at least one must be positive"};
  }
  for (double& weight : weights) weight /= mass;
  return {};
}

Status check_unit_mass(size_t cloud, std::span<const double> weights) {
  const double mass = sum(weights);
  if (std::abs(mass - 1) <= kUnitTolerance) return {};
  return {StatusCode::kRange, "the weights of cloud " + std::to_string(cloud) + " sum to " +
                                  print_number(mass) + "; normalised weights sum to 1"};
}

// Precondition: there is one.
Status explain_nonfinite(std::span<const uint32_t> offsets, std::span<const float> points, size_t dim) {
  size_t at = 0;
  while (std::isfinite(points[at])) ++at;
  return {StatusCode::kNonFinite, name_point(offsets, at / dim) + " has " + print_number(points[at]) +
                                      " in coordinate " + std::to_string(at % dim) +
                                      "; every coordinate must be finite"};
}

// Magnitudes of floats are ordered like their bits, and a maximum of integers is vectorised.
float largest_magnitude(std::span<const float> values) {
  int32_t largest = 0;
  for (const float value : values) largest = std::max(largest, std::bit_cast<int32_t>(value) & 0x7FFFFFFF);
  return std::bit_cast<float>(largest);
}

// Any two points are at most twice as far apart as the farther one is from the origin.
Status check_reach(std::span<const uint32_t> offsets, std::span<const float> points, size_t dim) {
  constexpr double kLargestSquare = std::numeric_limits<float>::max() / 4.0;
  const double largest = largest_magnitude(points);
  if (largest * largest * static_cast<double>(dim) <= kLargestSquare) return {};
  for (size_t i = 0; i * dim < points.size(); ++i) {
    double square = 0;
    for (const float x : points.subspan(i * dim, dim)) square += static_cast<double>(x) * x;
    if (square <= kLargestSquare) continue;
    return {StatusCode::kRange, name_point(offsets, i) + " is " + print_number(std::sqrt(square)) +
                                    " from the origin; beyond 9.2e18 squared distances leave Float32, so "
                                    "scale the points"};
  }
  return {};
}

}  // namespace

Status Clouds::take_offsets(const CloudsView& view) {
  if (view.dim == 0) return {StatusCode::kShape, "dim is 0; at least 1 is needed"};
  if (view.count == 0) return {StatusCode::kShape, "there is no cloud; at least one is needed"};
  dim_ = view.dim;
  Result<std::span<uint32_t>> offsets = allocate<uint32_t>(offset_bytes_, view.count + 1);
  if (!offsets.ok()) return offsets.status();
  std::copy_n(view.offsets, view.count + 1, offsets.value().begin());
  offsets_ = offsets.value();
  return check_offsets(offsets_);
}

Status Clouds::take_weights(const CloudsView& view) {
  const size_t total = offsets_.back();
  Result<std::span<double>> allocated = allocate<double>(weight_bytes_, total);
  if (!allocated.ok()) return allocated.status();
  const std::span<double> weights = allocated.value();
  if (view.normalised != nullptr) {
    std::copy_n(view.normalised, total, weights.begin());
  } else if (view.weights != nullptr) {
    std::copy_n(view.weights, total, weights.begin());
  } else {
    std::fill(weights.begin(), weights.end(), 1.0);
  }
  weights_ = weights;

  Status status = check_weights(offsets_, weights);
  for (size_t k = 0; k < count() && status.ok(); ++k) {
    const std::span<double> cloud = weights.subspan(offsets_[k], offsets_[k + 1] - offsets_[k]);
    status = view.normalised != nullptr ? check_unit_mass(k, cloud) : normalise(k, cloud);
  }
  return status;
}

Status Clouds::take_points(const CloudsView& view, std::shared_ptr<const void> owner) {
  const size_t length = offsets_.back() * dim_;
  if (owner != nullptr) {
    owner_ = std::move(owner);
    points_ = {view.points, length};
  } else {
    Result<std::span<float>> copy = allocate<float>(point_bytes_, length);
    if (!copy.ok()) return copy.status();
    std::copy_n(view.points, length, copy.value().begin());
    points_ = copy.value();
  }
  if (!engine::all_finite(points_.data(), length)) return explain_nonfinite(offsets_, points_, dim_);
  return check_reach(offsets_, points_, dim_);
}

Result<std::shared_ptr<const Clouds>> Clouds::create(const CloudsView& view,
                                                     std::shared_ptr<const void> owner) {
  const std::shared_ptr<Clouds> clouds(new Clouds());
  Status status = clouds->take_offsets(view);
  if (status.ok()) status = clouds->take_weights(view);
  if (status.ok()) status = clouds->take_points(view, std::move(owner));
  if (!status.ok()) return status;
  return std::shared_ptr<const Clouds>(clouds);
}

size_t Clouds::native_bytes() const noexcept {
  return offset_bytes_.size() + weight_bytes_.size() + point_bytes_.size();
}

double mean_cost(const Clouds& clouds, double cost_scale) {
  // For independent x, y of one law E|x - y|^2 = 2 E|x - E x|^2: two passes, both relative to a point of the
  // clouds, so that nothing cancels and points that coincide give 0 exactly.
  const size_t dim = clouds.dim();
  const std::span<const double> weights = clouds.weights();
  const float* const points = clouds.points().data();
  const auto heavy = std::find_if(weights.begin(), weights.end(), [](double weight) { return weight > 0; });
  const float* const origin = points + static_cast<size_t>(heavy - weights.begin()) * dim;
  const auto offset_in = [&](size_t i, size_t k) {
    return static_cast<double>(points[i * dim + k]) - origin[k];
  };

  const auto share = 1.0 / static_cast<double>(clouds.count());
  std::vector<double> mean(dim);
  for (size_t i = 0; i < weights.size(); ++i) {
    for (size_t k = 0; k < dim; ++k) mean[k] += share * weights[i] * offset_in(i, k);
  }
  std::vector<double> variance(dim);
  for (size_t i = 0; i < weights.size(); ++i) {
    for (size_t k = 0; k < dim; ++k) {
      const double deviation = offset_in(i, k) - mean[k];
      variance[k] += share * weights[i] * deviation * deviation;
    }
  }
  return 2 * cost_scale * sum(variance);
}

}  // namespace engram::transport
