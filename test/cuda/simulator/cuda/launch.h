// native/cuda/launch.h with the simulator's shared memory.
#pragma once

#include <cuda_runtime.h>

#define __shared__
#define dynamic_shared dynamic_shared_of_a_device  // never called: there is no such array
#include "../../../../native/cuda/launch.h"
#undef dynamic_shared

namespace engram::cuda {

template <typename T>
inline T* dynamic_shared() {
  return reinterpret_cast<T*>(simulator::shared_memory());
}

}  // namespace engram::cuda
