#include "cuda/resident_clouds.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "cuda/check.h"
#include "cuda/devices.h"

namespace engram::cuda {

CloudArrays CloudArrays::cut(Cutter& cutter, uint64_t points, uint32_t dim) {
  CloudArrays arrays;
  arrays.points = cutter.take<float>(points * dim);
  arrays.weights = cutter.take<double>(points);
  return arrays;
}

Result<ResidentClouds*> ResidentClouds::create(uint32_t device, uint64_t points, uint32_t dim) {
  std::unique_ptr<ResidentClouds> resident(new ResidentClouds());
  Cutter counted;
  CloudArrays::cut(counted, points, dim);
  Result<Buffer> buffer = Buffer::allocate(Buffer::Kind::kDevice, device, counted.used(), "stored clouds");
  if (!buffer.ok()) return buffer.status();
  resident->buffer_ = std::move(buffer).value();
  Cutter cutter(resident->buffer_.as<void>());
  resident->arrays_ = CloudArrays::cut(cutter, points, dim);
  resident->dim_ = dim;
  return resident.release();
}

Status ResidentClouds::fill(Lane& lane, uint64_t first, uint64_t count, const float* points,
                            const double* weights) {
  Status status = use_device(lane.device());
  const uint64_t numbers = count * dim_;
  if (status.ok()) {
    status = lane.transfer().reserve(std::max(numbers * sizeof(float), count * sizeof(double)));
  }
  if (!status.ok()) return status;
  cudaError_t error = lane.transfer().send(arrays_.points + first * dim_, points, numbers);
  if (error == cudaSuccess) error = lane.transfer().send(arrays_.weights + first, weights, count);
  const cudaError_t ended = cudaStreamSynchronize(lane.stream().get());  // also of what is let go here
  return check(error == cudaSuccess ? ended : error, lane.device(), "copying clouds to the device");
}

}  // namespace engram::cuda
