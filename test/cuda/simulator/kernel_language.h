// What CUDA C++ adds to C++ for kernels.
#pragma once

#include <cmath>
#include <cstring>

#include "block.h"
#include "vector_types.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

#include "arithmetic_functions.h"
#include "atomic_functions.h"
#include "warp_functions.h"
