// Point clouds that stay on a device.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "cuda/buffers.h"
#include "engine/device_transport.h"

namespace engram::cuda {

// Points and weights of some clouds in memory of the device.
struct CloudArrays {
  float* points = nullptr;
  double* weights = nullptr;

  static CloudArrays cut(Cutter& cutter, const EngramCloudSet& clouds);
};

class ResidentClouds {
 public:
  // kOutOfMemory.
  static Result<ResidentClouds*> create(uint32_t device, const EngramCloudSet& clouds);

  const CloudArrays& arrays() const noexcept { return arrays_; }
  const std::vector<uint32_t>& offsets() const noexcept { return offsets_; }
  uint32_t dim() const noexcept { return dim_; }
  uint64_t bytes() const noexcept { return buffer_.size(); }

 private:
  ResidentClouds() = default;
  Buffer buffer_;
  CloudArrays arrays_;
  std::vector<uint32_t> offsets_;
  uint32_t dim_ = 0;
};

}  // namespace engram::cuda
