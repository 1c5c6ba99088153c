#include "spectral/linear_operator.h"

#include <algorithm>

#include "base/memory.h"

namespace engram::spectral {
namespace {

// to[i] = scale * from[i].
template <typename From, typename To>
Status convert(const From* from, size_t count, double scale, To* to, const runtime::Parallel& parallel) {
  constexpr size_t kSome = 1U << 17;
  return runtime::run_parallel((count + kSome - 1) / kSome,
                               [&](size_t item) -> Result<bool> {
                                 const size_t end = std::min(count, (item + 1) * kSome);
                                 for (size_t i = item * kSome; i < end; ++i)
                                   to[i] = static_cast<To>(scale * static_cast<double>(from[i]));
                                 return true;
                               },
                               parallel);
}

}  // namespace

Status FactorOperator::apply(const double* block, size_t width, double* out,
                             const runtime::Parallel& parallel) const {
  const size_t size = width * rows_.dim;
  Result<AlignedBuffer> numbers = AlignedBuffer::allocate((size + rows_.count * width) * sizeof(float));
  if (!numbers.ok()) return numbers.status();
  float* const narrow = numbers.value().as<float>();  // the block, then its product
  float* const scores = narrow + size;
  Status status = convert(block, size, 1, narrow, parallel);
  if (!status.ok()) return status;
  status = engine::row_scores(rows_, narrow, width, scores, parallel);
  if (!status.ok()) return status;
  status = engine::combine_rows(rows_, scores, width, narrow, parallel);
  if (!status.ok()) return status;
  return convert(narrow, size, scale_, out, parallel);
}

Status DenseOperator::apply(const double* block, size_t width, double* out,
                            const runtime::Parallel& parallel) const {
  std::vector<double> product(size_ * width);
  Status status = engine::dense_product(matrix_, size_, block, width, product.data(), parallel);
  for (size_t i = 0; i < size_; ++i) {
    for (size_t k = 0; k < width; ++k) out[k * size_ + i] = product[i * width + k];
  }
  return status;
}

}  // namespace engram::spectral
