// Point clouds that stay on a device.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "cuda/buffers.h"
#include "cuda/lane.h"

namespace engram::cuda {

// Points and weights of some clouds in memory of the device.
struct CloudArrays {
  float* points = nullptr;
  double* weights = nullptr;

  static CloudArrays cut(Cutter& cutter, uint64_t points, uint32_t dim);
};

class ResidentClouds {
 public:
  // Room for so many points, which fill() brings. kOutOfMemory.
  static Result<ResidentClouds*> create(uint32_t device, uint64_t points, uint32_t dim);

  // See EngramDeviceTransport::fill_clouds. kOutOfMemory, kDevice.
  Status fill(Lane& lane, uint64_t first, uint64_t count, const float* points, const double* weights);

  const CloudArrays& arrays() const noexcept { return arrays_; }
  uint64_t bytes() const noexcept { return buffer_.size(); }

 private:
  ResidentClouds() = default;
  Buffer buffer_;
  CloudArrays arrays_;
  uint32_t dim_ = 0;
};

}  // namespace engram::cuda
