#include "engine/row_panels.h"

#include <algorithm>
#include <array>

#include "base/memory.h"
#include "kernels/dispatch.h"

namespace engram::engine {
namespace {

constexpr size_t kStretch = 128;  // coordinates of a panel's rows that stay in the first cache
constexpr size_t kAhead = 16;     // rows between the one that is packed and the one that is asked from memory

const void* row_of(const Rows& x, size_t i) {
  return static_cast<const std::byte*>(x.data) + i * row_bytes(x.dim, x.element);
}

// Short stretches of rows that are far apart are nothing a processor foresees.
void prefetch(const void* row, Element element, size_t first, size_t count) {
  const auto* const bytes = static_cast<const std::byte*>(row);
  const size_t end = row_bytes(first + count, element);
  for (size_t at = row_bytes(first, element); at < end; at += kAlignment) __builtin_prefetch(bytes + at);
}

void read_signs(const uint8_t* bits, size_t first, size_t count, float* out) {
  for (size_t d = 0; d < count; ++d) {
    const size_t at = first + d;
    out[d] = (bits[at / 8] >> (at % 8) & 1) != 0 ? 1.0F : -1.0F;
  }
}

// Copies of this length are too short for memmove to pay.
void copy_floats(const float* from, size_t count, float* to) {
  constexpr size_t kVector = 8;
  size_t i = 0;
  for (; i + kVector <= count; i += kVector) {
    for (size_t k = 0; k < kVector; ++k) to[i + k] = from[i + k];
  }
  for (; i < count; ++i) to[i] = from[i];
}

}  // namespace

std::vector<Panel> panels_of(size_t size) {
  const size_t narrow = kernels::active().panel_widths[0];
  const size_t wide = kernels::active().panel_widths[1];
  std::vector<Panel> panels;
  for (size_t first = 0; first < size; first += wide) {
    const size_t count = std::min(wide, size - first);
    panels.push_back({first, count, count <= narrow ? narrow : wide});
  }
  return panels;
}

void read_row(const Rows& x, size_t i, size_t first, size_t count, float* out) {
  const void* const row = row_of(x, i);
  switch (x.element) {
    case Element::kFloat32: std::copy_n(static_cast<const float*>(row) + first, count, out); return;
    case Element::kInt8: std::copy_n(static_cast<const int8_t*>(row) + first, count, out); return;
    case Element::kSign: read_signs(static_cast<const uint8_t*>(row), first, count, out); return;
  }
}

void pack_rows(const Rows& x, size_t row, size_t rows, size_t first, size_t count, size_t width, float* out) {
  std::array<float, kernels::kMaxPanelWidth * kStretch> some;
  for (size_t from = 0; from < count; from += kStretch) {
    const size_t stretch = std::min(kStretch, count - from);
    for (size_t r = 0; r < rows; ++r) read_row(x, row + r, first + from, stretch, some.data() + r * stretch);
    kernels::active().pack_panel(some.data(), rows, stretch, width, out + from * width);
  }
}

void pack_row(const Rows& x, size_t row, size_t first, const std::vector<Panel>& panels, size_t terms,
              size_t term, float* out) {
  std::array<float, kernels::kMaxPanelWidth> some;
  const size_t columns = panels.back().first + panels.back().count;
  if (row + kAhead < x.count) prefetch(row_of(x, row + kAhead), x.element, first, columns);
  for (const Panel& p : panels) {
    float* const to = out + p.first * terms + term * p.width;
    if (x.element == Element::kFloat32) {
      copy_floats(static_cast<const float*>(row_of(x, row)) + first + p.first, p.count, to);
    } else {
      read_row(x, row, first + p.first, p.count, some.data());
      copy_floats(some.data(), p.count, to);
    }
    std::fill(to + p.count, to + p.width, 0.0F);
  }
}

}  // namespace engram::engine
