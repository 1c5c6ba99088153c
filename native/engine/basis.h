// Sets of long vectors in Float64 with the operations that Krylov methods make of them, in parallel over
// coordinates.
//
// Coordinates are cut into pieces; a piece of all vectors lies together. Sums over coordinates are taken
// piece by piece in order, so results do not depend on the number of threads.
#pragma once

#include <cstddef>

#include "base/memory.h"
#include "base/status.h"
#include "runtime/parallel.h"

namespace engram::engine {

class Basis {
 public:
  // Room for `capacity` vectors of `dim` numbers. kOutOfMemory.
  static Result<Basis> create(size_t dim, size_t capacity);

  size_t dim() const noexcept { return dim_; }
  size_t capacity() const noexcept { return capacity_; }

  // Vectors [first, first + count) from and to rows of `dim` numbers.
  Status read(size_t first, size_t count, const double* rows, const runtime::Parallel& parallel);
  Status write(size_t first, size_t count, double* rows, const runtime::Parallel& parallel) const;
  // All vectors become zero.
  void clear();

  // out (count x other_count, row-major) = inner products of vectors [first, first + count) with those of
  // `other`.
  Status inner(size_t first, size_t count, const Basis& other, size_t other_first, size_t other_count,
               double* out, const runtime::Parallel& parallel) const;
  // Vector target_first + j += sum_i coefficients[i * target_count + j] * vector i of `source` from
  // source_first on.
  Status add(size_t target_first, size_t target_count, const Basis& source, size_t source_first,
             size_t source_count, const double* coefficients, const runtime::Parallel& parallel);
  // Replaces vectors [first, first + count) by `kept` combinations of them; coefficients: count x kept.
  Status recombine(size_t first, size_t count, size_t kept, const double* coefficients,
                   const runtime::Parallel& parallel);

 private:
  // Numbers of a piece: those of all vectors fit the second cache together, and as the distance is not a
  // power of two they spread over the sets of the first.
  static constexpr size_t kPiece = 272;

  size_t pieces() const noexcept { return (dim_ + kPiece - 1) / kPiece; }
  double* piece(size_t p, size_t vector) const noexcept {
    return data_.as<double>() + (p * capacity_ + vector) * kPiece;
  }

  size_t dim_ = 0;
  size_t capacity_ = 0;
  AlignedBuffer data_;  // zero beyond dim
};

}  // namespace engram::engine
