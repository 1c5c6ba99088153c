// Launching kernels.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

namespace engram::cuda {

// The shared memory a launch asked for, as T; each kernel has one such array.
template <typename T>
__device__ inline T* dynamic_shared() {
  extern __shared__ __align__(1024) unsigned char engram_shared[];
  return reinterpret_cast<T*>(engram_shared);
}

struct Shape {
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;  // more than 48 KiB are asked for here, too
};

// Lets a kernel have all the shared memory that a block of the current device may have. Not what one launch
// asks for: another thread's launch, with less, could come between asking and starting.
inline cudaError_t allow_shared_memory(const void* kernel) {
  int device = 0;
  int most = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  }
  if (error != cudaSuccess) return error;
  return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most);
}

// Starts kernel(arguments...) on the stream. What is returned is about the launch, not about the run.
template <typename... Parameters, typename... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), const Shape& shape, cudaStream_t stream,
                   const Arguments&... arguments) {
  if (shape.shared_bytes > (48U << 10)) {
    const cudaError_t error = allow_shared_memory(reinterpret_cast<const void*>(kernel));
    if (error != cudaSuccess) return error;
  }
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
}

}  // namespace engram::cuda
