// What the CUDA runtime returned, as a Status.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "base/status.h"

namespace engram::cuda {

inline std::string device_name(uint32_t device) { return "cuda:" + std::to_string(device); }

// Success, or kOutOfMemory, or kDevice; the message names the device and says what was being done.
Status check(cudaError_t error, uint32_t device, const char* doing);

}  // namespace engram::cuda
