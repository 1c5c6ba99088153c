#include "spectral/blend.h"

#include <algorithm>

namespace engram::spectral {

Status Blend::apply(const double* block, size_t width, double* out, const runtime::Parallel& parallel) const {
  const size_t size = width * dim_;
  std::fill(out, out + size, 0.0);
  std::vector<double> product(size);
  for (const Part& part : parts_) {
    if (part.weight == 0) continue;
    Status status = part.moments->apply(block, width, product.data(), parallel);
    if (!status.ok()) return status;
    for (size_t i = 0; i < size; ++i) out[i] += part.weight * product[i];
  }
  return {};
}

ArchetypeOperator::ArchetypeOperator(const MatrixView<const int8_t>& archetypes)
    : bits_(pack_signs(archetypes)),
      rows_{.data = bits_.data(),
            .element = engine::Element::kSign,
            .count = archetypes.rows,
            .dim = archetypes.cols} {}

Status ArchetypeOperator::apply(const double* block, size_t width, double* out,
                                const runtime::Parallel& parallel) const {
  return FactorOperator(rows_, 1).apply(block, width, out, parallel);
}

std::vector<uint8_t> pack_signs(const MatrixView<const int8_t>& archetypes) {
  const size_t bytes = engine::row_bytes(archetypes.cols, engine::Element::kSign);
  std::vector<uint8_t> bits(archetypes.rows * bytes, 0);
  for (size_t k = 0; k < archetypes.rows; ++k) {
    for (size_t n = 0; n < archetypes.cols; ++n) {
      if (archetypes.at(k, n) > 0) bits[k * bytes + n / 8] |= static_cast<uint8_t>(1U << (n % 8));
    }
  }
  return bits;
}

std::vector<int8_t> unpack_signs(const uint8_t* bits, size_t count, size_t dim) {
  const size_t bytes = engine::row_bytes(dim, engine::Element::kSign);
  std::vector<int8_t> archetypes;
  archetypes.reserve(count * dim);
  for (size_t k = 0; k < count; ++k) {
    for (size_t n = 0; n < dim; ++n) {
      archetypes.push_back((bits[k * bytes + n / 8] >> (n % 8) & 1) != 0 ? 1 : -1);
    }
  }
  return archetypes;
}

}  // namespace engram::spectral
