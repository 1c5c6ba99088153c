#include "cuda/resident_clouds.h"

#include <cuda_runtime.h>

#include <memory>
#include <utility>

#include "cuda/check.h"

namespace engram::cuda {

CloudArrays CloudArrays::cut(Cutter& cutter, const EngramCloudSet& clouds) {
  const uint64_t points = clouds.offsets[clouds.count];
  CloudArrays arrays;
  arrays.points = cutter.take<float>(points * clouds.dim);
  arrays.weights = cutter.take<double>(points);
  return arrays;
}

Result<ResidentClouds*> ResidentClouds::create(uint32_t device, const EngramCloudSet& clouds) {
  std::unique_ptr<ResidentClouds> resident(new ResidentClouds());
  Cutter counted;
  CloudArrays::cut(counted, clouds);
  Result<Buffer> buffer = Buffer::allocate(Buffer::Kind::kDevice, device, counted.used(), "stored clouds");
  if (!buffer.ok()) return buffer.status();
  resident->buffer_ = std::move(buffer).value();
  Cutter cutter(resident->buffer_.as<void>());
  resident->arrays_ = CloudArrays::cut(cutter, clouds);
  resident->offsets_.assign(clouds.offsets, clouds.offsets + clouds.count + 1);
  resident->dim_ = clouds.dim;
  const uint64_t points = clouds.offsets[clouds.count];
  cudaError_t error = cudaMemcpy(resident->arrays_.points, clouds.points, points * clouds.dim * sizeof(float),
                                 cudaMemcpyHostToDevice);
  if (error == cudaSuccess) {
    error = cudaMemcpy(resident->arrays_.weights, clouds.weights, points * sizeof(double),
                       cudaMemcpyHostToDevice);
  }
  // The copies are in the default stream, which those of the lanes do not wait for.
  if (error == cudaSuccess) error = cudaStreamSynchronize(nullptr);
  const Status status = check(error, device, "copying clouds to the device");
  if (!status.ok()) return status;
  return resident.release();
}

}  // namespace engram::cuda
