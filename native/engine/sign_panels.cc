#include "engine/sign_panels.h"

#include <algorithm>
#include <array>

#include "kernels/dispatch.h"

namespace engram::engine {
namespace {

constexpr size_t kWord = 64;
constexpr size_t kStretch = 1024;  // elements read at a time
constexpr size_t kWords = kStretch / kWord;

// Rows [first, first + count) of a 64 x 64 matrix of bits to its columns (Warren, Hacker's Delight, 7-3).
void transpose(std::array<uint64_t, kWord>& bits) {
  uint64_t low = 0xFFFFFFFFU;
  for (size_t half = kWord / 2; half > 0; half /= 2, low ^= low << half) {
    for (size_t k = 0; k < kWord; k = (k + half + 1) & ~half) {
      const uint64_t swapped = ((bits[k] >> half) ^ bits[k + half]) & low;
      bits[k] ^= swapped << half;
      bits[k + half] ^= swapped;
    }
  }
}

// The signs of X[i][first .. first + count), at most kStretch.
bool read_signs(const Rows& x, size_t i, size_t first, size_t count, uint64_t* bits) {
  std::array<float, kStretch> some;
  read_row(x, i, first, count, some.data());
  return kernels::active().sign_bits(some.data(), count, bits);
}

}  // namespace

std::vector<Panel> sign_panels_of(size_t size) {
  std::vector<Panel> panels;
  for (size_t first = 0; first < size; first += kernels::kSignPanel)
    panels.push_back({first, std::min(kernels::kSignPanel, size - first), kernels::kSignPanel});
  return panels;
}

bool pack_sign_rows(const Rows& x, const Panel& rows, size_t first, size_t count, uint64_t* out) {
  std::array<uint64_t, kWords> bits;
  for (size_t r = 0; r < rows.width; ++r) {
    for (size_t from = 0; from < count; from += kStretch) {
      const size_t some = std::min(kStretch, count - from);
      if (r >= rows.count) {
        bits.fill(0);
      } else if (!read_signs(x, rows.first + r, first + from, some, bits.data())) {
        return false;
      }
      for (size_t word = 0; word * kWord < some; ++word)
        out[(from / kWord + word) * rows.width + r] = bits[word];
    }
  }
  return true;
}

bool pack_sign_line(const Rows& x, const std::vector<Panel>& panels, size_t first, size_t count, size_t lines,
                    size_t line, uint64_t* out) {
  std::array<std::array<uint64_t, kWords>, kWord> bits;
  for (size_t column = 0; column < x.dim; column += kStretch) {
    const size_t wide = std::min(kStretch, x.dim - column);
    for (auto& row : bits) row.fill(0);
    for (size_t k = 0; k < count; ++k) {
      if (!read_signs(x, first + k, column, wide, bits[k].data())) return false;
    }
    for (size_t word = 0; word * kWord < wide; ++word) {
      std::array<uint64_t, kWord> block;
      for (size_t k = 0; k < kWord; ++k) block[k] = bits[k][word];
      transpose(block);
      for (size_t k = 0; k < kWord; k += kernels::kSignPanel) {
        const size_t panel = (column + word * kWord + k) / kernels::kSignPanel;
        if (panel >= panels.size()) break;
        std::copy_n(block.begin() + static_cast<ptrdiff_t>(k), kernels::kSignPanel,
                    out + panels[panel].first * lines + line * kernels::kSignPanel);
      }
    }
  }
  return true;
}

}  // namespace engram::engine
