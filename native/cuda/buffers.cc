#include "cuda/buffers.h"

#include <cuda_runtime.h>

#include <string>
#include <utility>

#include "cuda/check.h"
#include "cuda/devices.h"

namespace engram::cuda {

Result<Buffer> Buffer::allocate(Kind kind, uint32_t device, size_t bytes, const char* purpose) {
  Buffer buffer;
  buffer.kind_ = kind;
  buffer.device_ = device;
  if (bytes == 0) return buffer;
  Status status = use_device(device);
  if (!status.ok()) return status;
  const cudaError_t error = kind == Kind::kDevice ? cudaMalloc(&buffer.data_, bytes)
                                                  : cudaHostAlloc(&buffer.data_, bytes, cudaHostAllocDefault);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    const char* where = kind == Kind::kDevice ? " of its memory" : " of pinned host memory";
    return Status(StatusCode::kOutOfMemory, device_name(device) + " refused " + std::to_string(bytes) +
                                                " bytes" + where + " for " + purpose);
  }
  status = check(error, device, "allocating memory");
  if (!status.ok()) return status;
  buffer.size_ = bytes;
  return buffer;
}

Buffer::Buffer(Buffer&& other) noexcept { *this = std::move(other); }

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  release();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  kind_ = other.kind_;
  device_ = other.device_;
  return *this;
}

Buffer::~Buffer() { release(); }

// A device that was lost cannot free either: there is nobody to tell, and nothing else to do.
void Buffer::release() noexcept {
  if (data_ == nullptr) return;
  cudaSetDevice(static_cast<int>(device_));
  if (kind_ == Kind::kDevice) {
    cudaFree(data_);
  } else {
    cudaFreeHost(data_);
  }
  cudaGetLastError();
  data_ = nullptr;
  size_ = 0;
}

Status Buffer::reserve(Kind kind, uint32_t device, size_t bytes, const char* purpose) {
  if (size_ >= bytes) return {};
  release();
  Result<Buffer> larger = allocate(kind, device, bytes, purpose);
  if (!larger.ok()) return larger.status();
  *this = std::move(larger).value();
  return {};
}

}  // namespace engram::cuda
