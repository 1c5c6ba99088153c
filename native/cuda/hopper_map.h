// Tensor maps: how the copy engine of Hopper sees a matrix.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/fold.h"

namespace engram::cuda {

// A map of `count` rows of `columns` elements of 16 bits, `pitch` elements apart, whose boxes are `box_rows`
// (up to 256) of 64 columns with 128-byte swizzle. The rows begin at a multiple of 16 bytes, and so does
// each.
cudaError_t map_rows(CUtensorMap* map, const void* rows, uint32_t count, uint32_t columns, uint32_t pitch,
                     Element element, uint32_t box_rows);

}  // namespace engram::cuda
