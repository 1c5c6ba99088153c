// Which instance of the row kernels is for which rows and queries.
#pragma once

#include "cuda/fold.h"
#include "cuda/row_reader.h"

namespace engram::cuda {

// How lanes share a row. pieces 0: it is too long for registers, and queries are taken one by one.
struct RowCut {
  uint32_t lanes = kFewestLanes;
  uint32_t pieces = 1;
};
inline RowCut cut_of(const Rows& rows) {
  const uint32_t columns = rows.dim < rows.width ? rows.width : rows.dim;
  const uint32_t pieces = (columns + piece_elements(rows.element) - 1) / piece_elements(rows.element);
  RowCut cut;
  while (cut.lanes < kWarp && cut.lanes < pieces) cut.lanes *= 2;
  while (cut.pieces * cut.lanes < pieces && cut.pieces <= kMostNumbers) cut.pieces *= 2;
  if (cut.pieces * piece_elements(rows.element) > kMostNumbers) cut.pieces = 0;
  return cut;
}

// Instances exist for 1, 2, 4 and 8 queries as far as all their numbers fit, see kMostNumbers.
template <Element kElement, int kPieces, Readout kReadout, typename Run>
cudaError_t with_queries(uint32_t queries, Run run) {
  constexpr int kMost = static_cast<int>(kMostNumbers / piece_elements(kElement)) / kPieces;
  if constexpr (kMost >= 8) {
    if (queries > 4) return run.template operator()<RowInstance<kElement, kPieces, 8, kReadout>>();
  }
  if constexpr (kMost >= 4) {
    if (queries > 2) return run.template operator()<RowInstance<kElement, kPieces, 4, kReadout>>();
  }
  if constexpr (kMost >= 2) {
    if (queries > 1) return run.template operator()<RowInstance<kElement, kPieces, 2, kReadout>>();
  }
  return run.template operator()<RowInstance<kElement, kPieces, 1, kReadout>>();
}

template <Element kElement, Readout kReadout, typename Run>
cudaError_t with_pieces(uint32_t pieces, uint32_t queries, Run run) {
  if (pieces == 1) return with_queries<kElement, 1, kReadout>(queries, run);
  if (pieces == 2) return with_queries<kElement, 2, kReadout>(queries, run);
  if constexpr (kElement == Element::kFloat32) {
    if (pieces > 4) return with_queries<kElement, 8, kReadout>(queries, run);
  }
  return with_queries<kElement, 4, kReadout>(queries, run);
}

// Calls run.template operator()<RowInstance>() for at least so many pieces and queries.
template <Readout kReadout, typename Run>
cudaError_t with_instance(Element element, uint32_t pieces, uint32_t queries, Run run) {
  switch (element) {
    case Element::kFloat16: return with_pieces<Element::kFloat16, kReadout>(pieces, queries, run);
    case Element::kBfloat16: return with_pieces<Element::kBfloat16, kReadout>(pieces, queries, run);
    case Element::kFloat32: break;
  }
  return with_pieces<Element::kFloat32, kReadout>(pieces, queries, run);
}

// Calls run.template operator()<element>().
template <typename Run>
cudaError_t with_element(Element element, Run run) {
  switch (element) {
    case Element::kFloat16: return run.template operator()<Element::kFloat16>();
    case Element::kBfloat16: return run.template operator()<Element::kBfloat16>();
    case Element::kFloat32: break;
  }
  return run.template operator()<Element::kFloat32>();
}

}  // namespace engram::cuda
