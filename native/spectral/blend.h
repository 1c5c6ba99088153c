// Operators that are added up product by product: fresh data and the memory that is fed back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/view.h"
#include "engine/row_products.h"
#include "spectral/linear_operator.h"

namespace engram::spectral {

// sum of weight * operator, added in the order given. The operators must live as long as it.
class Blend final : public LinearOperator {
 public:
  struct Part {
    const LinearOperator* moments;
    double weight;
  };
  // Precondition: all operators have that dim.
  Blend(size_t dim, std::vector<Part> parts) : dim_(dim), parts_(std::move(parts)) {}
  size_t dim() const override { return dim_; }
  Status apply(const double* block, size_t width, double* out,
               const runtime::Parallel& parallel) const override;

 private:
  const size_t dim_;
  const std::vector<Part> parts_;
};

// xi^T xi of archetypes (K x N of +-1), kept as bits.
class ArchetypeOperator final : public LinearOperator {
 public:
  explicit ArchetypeOperator(const MatrixView<const int8_t>& archetypes);
  size_t dim() const override { return rows_.dim; }
  Status apply(const double* block, size_t width, double* out,
               const runtime::Parallel& parallel) const override;

 private:
  const std::vector<uint8_t> bits_;
  const engine::Rows rows_;
};

// One bit for each sign, least significant first; rows begin at whole bytes (Element::kSign).
std::vector<uint8_t> pack_signs(const MatrixView<const int8_t>& archetypes);
// Precondition: bits has count * ceil(dim / 8) bytes.
std::vector<int8_t> unpack_signs(const uint8_t* bits, size_t count, size_t dim);

}  // namespace engram::spectral
