// Products with matrices that are stored by rows, as examples and factors are: never more than 8 MiB of them
// are copied, whatever their element type.
//
// With X the matrix (count x dim): scores X Q^T, combinations C^T X, and the two Gram matrices. Elements are
// multiplied and summed in Float32 over chains of 128 or 256; chains are added in Float32, and every 512
// terms in Float64 where the result is Float64. Every output has one order of summation, whatever the number
// of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "runtime/parallel.h"

namespace engram::engine {

enum class Element : uint8_t {
  kFloat32,
  kInt8,
  kSign,  // one bit each, least significant first: 1 is +1, 0 is -1; rows begin at whole bytes
};

// A matrix by rows: row i begins at data + i * row_bytes(dim, element).
struct Rows {
  const void* data = nullptr;
  Element element = Element::kFloat32;
  size_t count = 0;
  size_t dim = 0;
};
size_t row_bytes(size_t dim, Element element);

// All return kOutOfMemory, kAborted.

// out (count x width) = X block^T; block: width x dim, row-major.
Status row_scores(const Rows& x, const float* block, size_t width, float* out,
                  const runtime::Parallel& parallel);
// out (width x dim) = coefficients^T X; coefficients: count x width.
Status combine_rows(const Rows& x, const float* coefficients, size_t width, float* out,
                    const runtime::Parallel& parallel);
// gram (count x count) = X X^T.
Status gram_of_rows(const Rows& x, double* gram, const runtime::Parallel& parallel);
// gram (dim x dim) = X^T X.
Status gram_of_columns(const Rows& x, double* gram, const runtime::Parallel& parallel);

// out (rows x width) = A block^T for a dense symmetric matrix A (size x size) in Float64; block: width x
// size.
Status dense_product(const double* a, size_t size, const double* block, size_t width, double* out,
                     const runtime::Parallel& parallel);

}  // namespace engram::engine
