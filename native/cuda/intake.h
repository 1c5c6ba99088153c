// Rows and queries on their way in.
//
// A row that cannot be scored (an element is not finite as stored, or |x|^2 is kSquareLimit or more) is kept
// as zeros with an infinite norm: kernels compute nothing with it that is not finite, and the norm tells a
// fold that meets it. So it does no harm once it is removed.
#pragma once

#include <cfloat>

#include "cuda/fold.h"

namespace engram::cuda {

inline constexpr float kSquareLimit = FLT_MAX / 4;  // of what scores are made of
inline constexpr float kValueLimit = 0x1.FFp127F;   // what is below it stays finite rounded to any arithmetic

// What was met among rows; begins as zeros.
struct IntakeFacts {
  float largest_square_norm;  // of the rows as stored that can be scored, over all rows so far
};

// Converts `count` packed Float32 rows of `dim` (staged, on the device) into rows of `pitch` elements, zeros
// behind dim, and where square_norms is not null notes |x|^2 of what was stored. `facts` may be null. Rows
// without norms (values, queries) are stored as they come.
cudaError_t take_rows(const float* from, uint64_t count, uint32_t dim, void* to, uint32_t pitch,
                      Element element, float* square_norms, IntakeFacts* facts, cudaStream_t stream);

// Values: makes rows with an element of kValueLimit or more, as stored, zeros and the norms of their keys
// infinite.
cudaError_t refuse_values(void* values, uint64_t count, uint32_t pitch, Element element, float* square_norms,
                          cudaStream_t stream);

// The largest |x|^2 of rows that are not removed, joined to *largest (>= 0).
cudaError_t largest_norm(const Rows& rows, float* largest, cudaStream_t stream);

// Packed queries of `dim` to rows of `pitch` (a multiple of 4) Float32, zeros behind dim.
cudaError_t take_queries(const float* from, uint32_t count, uint32_t dim, float* to, uint32_t pitch,
                         cudaStream_t stream);

}  // namespace engram::cuda
