// Rows of signs as panels of words: a line holds 64 terms of kernels::kSignPanel rows or columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/row_panels.h"

namespace engram::engine {

// Panels of kSignPanel words. A panel of `lines` lines begins at first * lines of the packed operand.
std::vector<Panel> sign_panels_of(size_t size);

// Both pack terms [first, first + count), where first is a multiple of 64, and give false when an element is
// neither +1 nor -1.

// A panel of rows, terms are coordinates: bit k of out[l * kSignPanel + r] is X[row + r][first + 64 l + k].
bool pack_sign_rows(const Rows& x, const Panel& rows, size_t first, size_t count, uint64_t* out);

// One line of all panels of columns, terms are at most 64 rows: bit k of the word of column c is
// X[first + k][c]. The line goes to the `line`th of `lines` lines of every panel in `out`.
bool pack_sign_line(const Rows& x, const std::vector<Panel>& panels, size_t first, size_t count, size_t lines,
                    size_t line, uint64_t* out);

}  // namespace engram::engine
