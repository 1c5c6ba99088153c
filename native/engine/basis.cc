#include "engine/basis.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/dispatch.h"

namespace engram::engine {

Result<Basis> Basis::create(size_t dim, size_t capacity) {
  Basis basis;
  basis.dim_ = dim;
  basis.capacity_ = capacity;
  Result<AlignedBuffer> data = AlignedBuffer::allocate(basis.pieces() * capacity * kPiece * sizeof(double));
  if (!data.ok()) return data.status();
  basis.data_ = std::move(data).value();
  return basis;
}

Status Basis::read(size_t first, size_t count, const double* rows, const runtime::Parallel& parallel) {
  return runtime::run_parallel(
      count,
      [&](size_t v) -> Result<bool> {
        for (size_t p = 0; p < pieces(); ++p) {
          const size_t from = p * kPiece;
          std::copy_n(rows + v * dim_ + from, std::min(kPiece, dim_ - from), piece(p, first + v));
        }
        return true;
      },
      parallel);
}

Status Basis::write(size_t first, size_t count, double* rows, const runtime::Parallel& parallel) const {
  return runtime::run_parallel(
      count,
      [&](size_t v) -> Result<bool> {
        for (size_t p = 0; p < pieces(); ++p) {
          const size_t from = p * kPiece;
          std::copy_n(piece(p, first + v), std::min(kPiece, dim_ - from), rows + v * dim_ + from);
        }
        return true;
      },
      parallel);
}

void Basis::clear() { std::fill_n(data_.as<double>(), pieces() * capacity_ * kPiece, 0.0); }

Status Basis::inner(size_t first, size_t count, const Basis& other, size_t other_first, size_t other_count,
                    double* out, const runtime::Parallel& parallel) const {
  std::vector<double> parts(pieces() * count * other_count);
  Status status = runtime::run_parallel(
      pieces(),
      [&](size_t p) -> Result<bool> {
        kernels::active().gibbs->means({count, kPiece}, other_count, piece(p, first),
                                       other.piece(p, other_first), parts.data() + p * count * other_count);
        return true;
      },
      parallel);
  std::fill_n(out, count * other_count, 0.0);
  for (size_t p = 0; p < pieces(); ++p) {
    for (size_t i = 0; i < count * other_count; ++i) out[i] += parts[p * count * other_count + i];
  }
  return status;
}

Status Basis::add(size_t target_first, size_t target_count, const Basis& source, size_t source_first,
                  size_t source_count, const double* coefficients, const runtime::Parallel& parallel) {
  return runtime::run_parallel(
      pieces(),
      [&](size_t p) -> Result<bool> {
        kernels::active().gibbs->add_combinations({source_count, kPiece}, target_count,
                                                  source.piece(p, source_first), coefficients,
                                                  piece(p, target_first));
        return true;
      },
      parallel);
}

Status Basis::recombine(size_t first, size_t count, size_t kept, const double* coefficients,
                        const runtime::Parallel& parallel) {
  return runtime::run_parallel(
      pieces(),
      [&](size_t p) -> Result<bool> {
        std::vector<double> sums(kept * kPiece, 0);
        kernels::active().gibbs->add_combinations({count, kPiece}, kept, piece(p, first), coefficients,
                                                  sums.data());
        std::copy(sums.begin(), sums.end(), piece(p, first));
        return true;
      },
      parallel);
}

}  // namespace engram::engine
