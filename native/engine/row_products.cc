#include "engine/row_products.h"

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/dispatch.h"

namespace engram::engine {
namespace {

constexpr size_t kRun = 256;   // terms summed in Float32 at a time
constexpr size_t kTile = 256;  // rows or columns of a result tile

size_t panel_width() { return kernels::active().panel_widths[1]; }

// One packed operand: `runs` lines of `width` numbers, line k holds term k of every row (or column) of the
// tile.
using Packed = std::vector<float>;

float element_at(const Rows& x, const void* row, size_t d) {
  switch (x.element) {
    case Element::kFloat32: return static_cast<const float*>(row)[d];
    case Element::kInt8: return static_cast<const int8_t*>(row)[d];
    case Element::kSign: break;
  }
  return (static_cast<const uint8_t*>(row)[d / 8] >> (d % 8) & 1) != 0 ? 1.0F : -1.0F;
}

const void* row_of(const Rows& x, size_t i) {
  return static_cast<const std::byte*>(x.data) + i * row_bytes(x.dim, x.element);
}

// X[i][first .. first + count) as Float32.
void read_row(const Rows& x, size_t i, size_t first, size_t count, float* out) {
  const void* row = row_of(x, i);
  if (x.element == Element::kFloat32) {
    std::copy_n(static_cast<const float*>(row) + first, count, out);
    return;
  }
  for (size_t d = 0; d < count; ++d) out[d] = element_at(x, row, first + d);
}

// Lines are coordinates: out[d * width + r] = X[row + r][first + d], 0 beyond the last row.
void pack_rows(const Rows& x, size_t row, size_t rows, size_t first, size_t count, size_t width, float* out) {
  constexpr size_t kAtOnce = 8;  // rows read side by side, so that lines are written in pieces
  std::array<std::array<float, kRun>, kAtOnce> some;
  for (size_t r = 0; r < width; r += kAtOnce) {
    const size_t there = r < rows ? std::min(kAtOnce, rows - r) : 0;
    const size_t wide = std::min(kAtOnce, width - r);
    for (size_t k = 0; k < kAtOnce; ++k) {
      if (k < there) {
        read_row(x, row + r + k, first, count, some[k].data());
      } else {
        std::fill_n(some[k].begin(), count, 0.0F);
      }
    }
    for (size_t d = 0; d < count; ++d) {
      for (size_t k = 0; k < wide; ++k) out[d * width + r + k] = some[k][d];
    }
  }
}

// Lines are rows: out[r * width + d] = X[row + r][first + d], 0 beyond the last column.
void pack_columns(const Rows& x, size_t row, size_t rows, size_t first, size_t count, size_t width,
                  float* out) {
  for (size_t r = 0; r < rows; ++r) {
    read_row(x, row + r, first, count, out + r * width);
    std::fill(out + r * width + count, out + (r + 1) * width, 0.0F);
  }
}

// c (m x width) += a^T b over `terms` lines of a (m numbers each) and b (width numbers each).
void multiply_add(const float* a, size_t terms, size_t m, const float* b, size_t width, float* c) {
  static constexpr std::array<float, kernels::kMaxPanelWidth> kOnes = [] {
    std::array<float, kernels::kMaxPanelWidth> ones{};
    ones.fill(1);
    return ones;
  }();
  kernels::active().panel_readout({a, terms, m}, b, width, kOnes.data(), c);
}

size_t tiles(size_t size) { return (size + kTile - 1) / kTile; }

// Tile pairs (i, j) with i >= j in a line.
struct TilePair {
  size_t i;
  size_t j;
};
std::vector<TilePair> lower_pairs(size_t size) {
  std::vector<TilePair> pairs;
  for (size_t i = 0; i < tiles(size); ++i) {
    for (size_t j = 0; j <= i; ++j) pairs.push_back({i, j});
  }
  return pairs;
}

// Packs a tile's lines: pack(first of the tile, size of the tile, first term, terms, width, out).
template <typename Pack>
Status gram(size_t size, size_t terms, double* out, const runtime::Parallel& parallel, const Pack& pack) {
  const std::vector<TilePair> pairs = lower_pairs(size);
  std::vector<size_t> done(pairs.size(), 0);  // terms
  const size_t width = panel_width();
  const auto extent = [size](size_t tile) { return std::min(kTile, size - tile * kTile); };
  return runtime::run_parallel(
      pairs.size(),
      [&](size_t item) -> Result<bool> {
        const auto [i, j] = pairs[item];
        const size_t m = extent(i);
        const size_t n = extent(j);
        const size_t run = std::min(kRun, terms - done[item]);
        Packed a(run * m);
        Packed b(run * width);
        std::vector<float> c(m * width);
        pack(i * kTile, m, done[item], run, m, a.data());
        for (size_t column = 0; column < n; column += width) {
          const size_t some = std::min(width, n - column);
          pack(j * kTile + column, some, done[item], run, width, b.data());
          std::fill(c.begin(), c.end(), 0.0F);
          multiply_add(a.data(), run, m, b.data(), width, c.data());
          for (size_t r = 0; r < m; ++r) {
            double* to = out + (i * kTile + r) * size + j * kTile + column;
            for (size_t k = 0; k < some; ++k) to[k] = (done[item] == 0 ? 0 : to[k]) + c[r * width + k];
          }
        }
        done[item] += run;
        if (done[item] < terms) return false;
        if (i == j) return true;
        for (size_t r = 0; r < m; ++r) {
          for (size_t k = 0; k < n; ++k) {
            out[(j * kTile + k) * size + i * kTile + r] = out[(i * kTile + r) * size + j * kTile + k];
          }
        }
        return true;
      },
      parallel);
}

}  // namespace

size_t row_bytes(size_t dim, Element element) {
  switch (element) {
    case Element::kFloat32: return dim * sizeof(float);
    case Element::kInt8: return dim;
    case Element::kSign: break;
  }
  return (dim + 7) / 8;
}

Status row_scores(const Rows& x, const float* block, size_t width, float* out,
                  const runtime::Parallel& parallel) {
  const Rows q{block, Element::kFloat32, width, x.dim};
  const size_t panel = panel_width();
  const size_t panels = (width + panel - 1) / panel;
  std::vector<size_t> done(tiles(x.count), 0);  // coordinates
  return runtime::run_parallel(
      tiles(x.count),
      [&](size_t item) -> Result<bool> {
        const size_t row = item * kTile;
        const size_t rows = std::min(kTile, x.count - row);
        const size_t run = std::min(kRun, x.dim - done[item]);
        Packed a(run * rows);
        Packed b(run * panel);
        std::vector<float> c(rows * panel);
        pack_rows(x, row, rows, done[item], run, rows, a.data());
        for (size_t p = 0; p < panels; ++p) {
          const size_t some = std::min(panel, width - p * panel);
          pack_rows(q, p * panel, some, done[item], run, panel, b.data());
          std::fill(c.begin(), c.end(), 0.0F);
          multiply_add(a.data(), run, rows, b.data(), panel, c.data());
          for (size_t r = 0; r < rows; ++r) {
            float* to = out + (row + r) * width + p * panel;
            for (size_t k = 0; k < some; ++k) to[k] = (done[item] == 0 ? 0 : to[k]) + c[r * panel + k];
          }
        }
        done[item] += run;
        return done[item] == x.dim;
      },
      parallel);
}

Status combine_rows(const Rows& x, const float* coefficients, size_t width, float* out,
                    const runtime::Parallel& parallel) {
  const Rows c{coefficients, Element::kFloat32, x.count, width};
  const size_t panel = panel_width();
  const size_t panels = (width + panel - 1) / panel;
  std::vector<size_t> done(tiles(x.dim), 0);  // rows
  return runtime::run_parallel(
      tiles(x.dim),
      [&](size_t item) -> Result<bool> {
        const size_t first = item * kTile;
        const size_t columns = std::min(kTile, x.dim - first);
        const size_t run = std::min(kRun, x.count - done[item]);
        Packed a(run * columns);
        Packed b(run * panel);
        std::vector<float> sum(columns * panel);
        pack_columns(x, done[item], run, first, columns, columns, a.data());
        for (size_t p = 0; p < panels; ++p) {
          const size_t some = std::min(panel, width - p * panel);
          pack_columns(c, done[item], run, p * panel, some, panel, b.data());
          std::fill(sum.begin(), sum.end(), 0.0F);
          multiply_add(a.data(), run, columns, b.data(), panel, sum.data());
          for (size_t k = 0; k < some; ++k) {
            float* to = out + (p * panel + k) * x.dim + first;
            for (size_t d = 0; d < columns; ++d) to[d] = (done[item] == 0 ? 0 : to[d]) + sum[d * panel + k];
          }
        }
        done[item] += run;
        return done[item] == x.count;
      },
      parallel);
}

Status gram_of_rows(const Rows& x, double* out, const runtime::Parallel& parallel) {
  return gram(x.count, x.dim, out, parallel,
              [&x](size_t row, size_t rows, size_t first, size_t terms, size_t width, float* to) {
                pack_rows(x, row, rows, first, terms, width, to);
              });
}

Status gram_of_columns(const Rows& x, double* out, const runtime::Parallel& parallel) {
  return gram(x.dim, x.count, out, parallel,
              [&x](size_t column, size_t columns, size_t first, size_t terms, size_t width, float* to) {
                pack_columns(x, first, terms, column, columns, width, to);
              });
}

Status dense_product(const double* a, size_t size, const double* block, size_t width, double* out,
                     const runtime::Parallel& parallel) {
  // The kernel wants whole vectors: copies of the rows are padded with zeros.
  const size_t stride = kernels::gibbs_stride(size);
  std::vector<double> padded(width * stride, 0);
  for (size_t k = 0; k < width; ++k) std::copy_n(block + k * size, size, padded.data() + k * stride);
  constexpr size_t kRows = 16;
  return runtime::run_parallel((size + kRows - 1) / kRows,
                               [&](size_t item) -> Result<bool> {
                                 const size_t first = item * kRows;
                                 const size_t rows = std::min(kRows, size - first);
                                 std::vector<double> some(rows * stride, 0);
                                 for (size_t r = 0; r < rows; ++r)
                                   std::copy_n(a + (first + r) * size, size, some.data() + r * stride);
                                 kernels::active().gibbs->means({rows, stride}, width, some.data(),
                                                                padded.data(), out + first * width);
                                 return true;
                               },
                               parallel);
}

}  // namespace engram::engine
