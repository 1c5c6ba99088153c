#include "cuda/check.h"

namespace engram::cuda {

Status check(cudaError_t error, uint32_t device, const char* doing) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();  // an error that does not stick is not to be met again by the next call
  const StatusCode code = error == cudaErrorMemoryAllocation ? StatusCode::kOutOfMemory : StatusCode::kDevice;
  return {code, device_name(device) + ": " + doing + " failed: " + cudaGetErrorString(error) + " (" +
                    cudaGetErrorName(error) + ")"};
}

}  // namespace engram::cuda
