// Rows copied into the panels that the kernels multiply: lines of `width` numbers, one line for each term of
// the sums.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/row_products.h"

namespace engram::engine {

// Columns [first, first + count) of an operand; they fill `width` lanes. A panel of `terms` lines begins at
// first * terms of the packed operand.
struct Panel {
  size_t first;
  size_t count;
  size_t width;
};
// Wide panels, and a narrow one where the rest fits.
std::vector<Panel> panels_of(size_t size);
inline size_t padded(const std::vector<Panel>& panels) {
  return panels.empty() ? 0 : panels.back().first + panels.back().width;
}

// X[i][first .. first + count) as Float32.
void read_row(const Rows& x, size_t i, size_t first, size_t count, float* out);

// A panel whose terms are coordinates: out[d * width + r] = X[row + r][first + d] for d < count and r < rows,
// 0 for rows <= r < width.
void pack_rows(const Rows& x, size_t row, size_t rows, size_t first, size_t count, size_t width, float* out);

// One row as term `term` of panels of `terms` lines: numbers first on, as many as the panels hold.
void pack_row(const Rows& x, size_t row, size_t first, const std::vector<Panel>& panels, size_t terms,
              size_t term, float* out);

}  // namespace engram::engine
