// Sets of clouds as requests take them: built from Float64 clouds, whose numbers are rounded to Float32.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "support/clouds.h"
#include "transport/clouds.h"
#include "transport/measures.h"

namespace engram::support {

// The cloud as Float32 holds it.
inline DoubleCloud rounded(DoubleCloud cloud) {
  for (double& x : cloud.points) x = static_cast<float>(x);
  for (double& w : cloud.weights) w = static_cast<float>(w);
  return normalised(cloud);
}

inline std::shared_ptr<const transport::Clouds> to_clouds(const std::vector<DoubleCloud>& clouds) {
  std::vector<float> points;
  std::vector<float> weights;
  std::vector<uint32_t> offsets{0};
  for (const DoubleCloud& cloud : clouds) {
    points.insert(points.end(), cloud.points.begin(), cloud.points.end());
    weights.insert(weights.end(), cloud.weights.begin(), cloud.weights.end());
    offsets.push_back(static_cast<uint32_t>(weights.size()));
  }
  transport::CloudsView view;
  view.points = points.data();
  view.weights = weights.data();
  view.offsets = offsets.data();
  view.count = clouds.size();
  view.dim = clouds.front().dim();
  Result<std::shared_ptr<const transport::Clouds>> made = transport::Clouds::create(view);
  REQUIRE(made.ok());
  return made.value();
}

inline std::shared_ptr<transport::MeasureMemory> to_memory(const std::vector<DoubleCloud>& clouds,
                                                           double epsilon, double cost_scale = 0.5,
                                                           std::vector<float> log_prior = {}) {
  Result<std::shared_ptr<transport::MeasureMemory>> made = transport::MeasureMemory::create(
      to_clouds(clouds), {epsilon, /*relative=*/false, cost_scale}, std::move(log_prior));
  REQUIRE(made.ok());
  return made.value();
}

}  // namespace engram::support
