// Rows and queries on their way in.
#pragma once

#include "cuda/fold.h"

namespace engram::cuda {

// What was met among rows; begins as zeros.
struct IntakeFacts {
  uint32_t non_finite;        // 1: an element was NaN or infinite
  uint32_t overflown;         // 1: a finite element is too large for the element type
  float largest_square_norm;  // of the rows as stored, over all rows so far
};

// Converts `count` packed Float32 rows of `dim` (staged, on the device) into rows of `pitch` elements, zeros
// behind dim, and where square_norms is not null notes |x|^2 of what was stored. `facts` may be null.
cudaError_t take_rows(const float* from, uint64_t count, uint32_t dim, void* to, uint32_t pitch,
                      Element element, float* square_norms, IntakeFacts* facts, cudaStream_t stream);

// The largest |x|^2 of rows that are not removed, joined to *largest (>= 0).
cudaError_t largest_norm(const Rows& rows, float* largest, cudaStream_t stream);

// Packed queries of `dim` to rows of `pitch` (a multiple of 4) Float32, zeros behind dim.
cudaError_t take_queries(const float* from, uint32_t count, uint32_t dim, float* to, uint32_t pitch,
                         cudaStream_t stream);

}  // namespace engram::cuda
