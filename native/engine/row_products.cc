#include "engine/row_products.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "engine/row_panels.h"
#include "engine/sign_panels.h"
#include "kernels/dispatch.h"

namespace engram::engine {
namespace {

constexpr size_t kRun = 512;  // terms summed in Float32, before they are added in the precision of the result
constexpr size_t kChain =
    128;  // of these, that are summed one after the other: two panels fit the first cache
constexpr size_t kTile = 128;             // rows or columns of a result tile
constexpr size_t kScoreRun = 256;         // terms of a score summed in Float32
constexpr size_t kRunsAtOnce = 24;        // of a tile, between two looks at whether to go on: about 1 ms
constexpr size_t kStripBytes = 8U << 20;  // of packed operand that a Gram matrix is built from at a time
constexpr size_t kSegments = 16;          // into which long sums are cut where there are few tiles

size_t pieces(size_t size, size_t piece) { return (size + piece - 1) / piece; }

template <typename T>
std::array<T, kernels::kMaxPanelWidth> repeated(T value) {
  std::array<T, kernels::kMaxPanelWidth> all;
  all.fill(value);
  return all;
}

// c (a_width x b_width) += a^T b over `terms` lines of a and b.
void multiply_add(const float* a, size_t a_width, const float* b, size_t b_width, size_t terms, float* c) {
  static const auto kOnes = repeated(1.0F);
  for (size_t at = 0; at < terms; at += kChain) {
    const size_t some = std::min(kChain, terms - at);
    kernels::active().panel_readout({a + at * a_width, some, a_width}, b + at * b_width, b_width,
                                    kOnes.data(), c);
  }
}

// Long sums are cut into segments where there are too few tiles to keep threads busy. The cut depends on the
// shape alone, and segments are added in order.
struct Segments {
  size_t length;  // terms, a multiple of kRun
  size_t count;
  Segments(size_t tiles, size_t all) {
    const size_t terms = std::max<size_t>(1, all);
    const size_t wanted = std::clamp<size_t>(kSegments / std::max<size_t>(tiles, 1), 1, pieces(terms, kRun));
    length = pieces(pieces(terms, wanted), kRun) * kRun;
    count = pieces(terms, length);
  }
};

// ---- Gram matrices ----

// The pairs of tiles (i, j), i >= j, of a matrix of `tiles` x `tiles`.
std::vector<std::pair<size_t, size_t>> lower_pairs(size_t tiles) {
  std::vector<std::pair<size_t, size_t>> pairs;
  for (size_t i = 0; i < tiles; ++i) {
    for (size_t j = 0; j <= i; ++j) pairs.emplace_back(i, j);
  }
  return pairs;
}

// Lines of numbers, one term each.
struct FloatLines {
  using Number = float;
  using Sum = float;
  static constexpr size_t kTerms = 1;
  static constexpr size_t kLines = kRun;
  static std::vector<Panel> panels(size_t size) { return panels_of(size); }
  static void multiply(const float* a, size_t a_width, const float* b, size_t b_width, size_t lines,
                       size_t /*terms*/, float* c) {
    std::fill_n(c, a_width * b_width, 0.0F);
    multiply_add(a, a_width, b, b_width, lines, c);
  }
};

// Lines of signs, 64 terms each. What lies beyond the last term is alike in all words.
struct SignLines {
  using Number = uint64_t;
  using Sum = double;
  static constexpr size_t kTerms = 64;
  static constexpr size_t kLines = 128;  // two panels fit the first cache
  static std::vector<Panel> panels(size_t size) { return sign_panels_of(size); }
  static void multiply(const uint64_t* a, size_t a_width, const uint64_t* b, size_t b_width, size_t lines,
                       size_t terms, double* c) {
    std::array<uint64_t, kernels::kSignPanel * kernels::kSignPanel> differences{};
    kernels::active().sign_differences(a, b, lines, differences.data());
    for (size_t i = 0; i < a_width * b_width; ++i)
      c[i] = static_cast<double>(terms) - 2 * static_cast<double>(differences[i]);
  }
};

// The sum over terms of outer products, strip by strip: each strip is packed once for all tiles.
template <typename Lines>
class Gram {
 public:
  using Number = typename Lines::Number;

  Gram(size_t size, double* out, const runtime::Parallel& parallel)
      : size_(size),
        out_(out),
        parallel_(parallel),
        panels_(Lines::panels(size)),
        per_tile_(panels_.empty() ? 1 : std::max<size_t>(1, kTile / panels_[0].width)),
        pairs_(lower_pairs(pieces(panels_.size(), per_tile_))) {}

  // pack(first term, terms, lines, panels, to) packs a whole strip. Panel p of it begins at p.first * lines.
  template <typename Pack>
  Status sum(size_t terms, const Pack& pack) {
    const size_t run = Lines::kLines * Lines::kTerms;
    const size_t line_bytes = padded(panels_) * sizeof(Number);
    const size_t fits = kStripBytes / std::max<size_t>(1, line_bytes * Lines::kLines) * run;
    const size_t strip = std::min(pieces(terms, run) * run, std::max(run, fits));
    Result<AlignedBuffer> packed = AlignedBuffer::allocate(strip / Lines::kTerms * line_bytes);
    if (!packed.ok()) return packed.status();
    Number* const to = packed.value().template as<Number>();
    for (size_t first = 0; first < terms; first += strip) {
      const size_t some = std::min(strip, terms - first);
      const size_t lines = pieces(some, Lines::kTerms);
      Status status = pack(first, some, lines, panels_, to);
      if (!status.ok()) return status;
      status = add(to, some, lines, first == 0);
      if (!status.ok()) return status;
    }
    return mirror();
  }

 private:
  size_t end_of(size_t tile) const { return std::min(panels_.size(), (tile + 1) * per_tile_); }

  // Adds the products of a strip to the lower tiles.
  Status add(const Number* packed, size_t terms, size_t lines, bool first) {
    return runtime::run_parallel(
        pairs_.size(),
        [&](size_t item) -> Result<bool> {
          const auto [i, j] = pairs_[item];
          for (size_t from = 0; from < lines; from += Lines::kLines) {
            const size_t run = std::min(Lines::kLines, lines - from);
            const size_t some = std::min(run * Lines::kTerms, terms - from * Lines::kTerms);
            for (size_t q = j * per_tile_; q < end_of(j); ++q) {
              for (size_t p = std::max(i * per_tile_, q); p < end_of(i); ++p) {
                alignas(kAlignment) std::array<typename Lines::Sum, kMostProducts> c;
                Lines::multiply(packed + panels_[p].first * lines + from * panels_[p].width, panels_[p].width,
                                packed + panels_[q].first * lines + from * panels_[q].width, panels_[q].width,
                                run, some, c.data());
                add(c.data(), panels_[p], panels_[q], first && from == 0);
              }
            }
          }
          return true;
        },
        parallel_);
  }

  void add(const typename Lines::Sum* c, const Panel& p, const Panel& q, bool first) {
    for (size_t r = 0; r < p.count; ++r) {
      double* const to = out_ + (p.first + r) * size_ + q.first;
      const typename Lines::Sum* const add = c + r * q.width;
      if (first) {
        for (size_t k = 0; k < q.count; ++k) to[k] = add[k];
      } else {
        for (size_t k = 0; k < q.count; ++k) to[k] += add[k];
      }
    }
  }

  Status mirror() {
    return runtime::run_parallel(
        pairs_.size(),
        [&](size_t item) -> Result<bool> {
          const auto [i, j] = pairs_[item];
          const auto end = [&](size_t tile) {
            const Panel& last = panels_[end_of(tile) - 1];
            return last.first + last.count;
          };
          for (size_t column = panels_[j * per_tile_].first; column < end(j); ++column) {
            for (size_t row = std::max(panels_[i * per_tile_].first, column + 1); row < end(i); ++row)
              out_[column * size_ + row] = out_[row * size_ + column];
          }
          return true;
        },
        parallel_);
  }

  static constexpr size_t kMostProducts = kernels::kMaxPanelWidth * kernels::kMaxPanelWidth;

  const size_t size_;
  double* const out_;
  const runtime::Parallel& parallel_;
  const std::vector<Panel> panels_;
  const size_t per_tile_;  // panels
  const std::vector<std::pair<size_t, size_t>> pairs_;
};

// Rows as panels whose terms are coordinates [first, first + count).
Status pack_all_rows(const Rows& x, size_t first, size_t count, const std::vector<Panel>& panels, float* to,
                     const runtime::Parallel& parallel) {
  const size_t stretches = pieces(count, 16 * kRun);
  return runtime::run_parallel(
      panels.size() * stretches,
      [&](size_t item) -> Result<bool> {
        const Panel& p = panels[item / stretches];
        const size_t from = item % stretches * 16 * kRun;
        const size_t some = std::min(16 * kRun, count - from);
        pack_rows(x, p.first, p.count, first + from, some, p.width, to + p.first * count + from * p.width);
        return true;
      },
      parallel);
}

// Columns as panels whose terms are rows [first, first + count).
Status pack_all_columns(const Rows& x, size_t first, size_t count, const std::vector<Panel>& panels,
                        float* to, const runtime::Parallel& parallel) {
  constexpr size_t kRows = 64;
  return runtime::run_parallel(
      pieces(count, kRows),
      [&](size_t item) -> Result<bool> {
        const size_t from = item * kRows;
        const size_t end = std::min(from + kRows, count);
        for (size_t row = from; row < end; ++row) pack_row(x, first + row, 0, panels, count, row, to);
        return true;
      },
      parallel);
}

// Whether all elements are signs; if so, gram is their Gram matrix, by counting bits: exact, and several
// times as fast as by multiplying. It takes little to see that some are not.
Result<bool> gram_of_signs(const Rows& x, bool by_rows, double* gram, const runtime::Parallel& parallel) {
  std::atomic<bool> all_signs = true;
  const auto pack = [&](size_t first, size_t terms, size_t lines, const std::vector<Panel>& panels,
                        uint64_t* to) {
    return runtime::run_parallel(
        by_rows ? panels.size() : lines,
        [&](size_t item) -> Result<bool> {
          if (!all_signs) return true;
          const size_t at = first + item * SignLines::kTerms;  // by columns
          const bool good =
              by_rows
                  ? pack_sign_rows(x, panels[item], first, terms, to + panels[item].first * lines)
                  : pack_sign_line(x, panels, at, std::min(SignLines::kTerms, x.count - at), lines, item, to);
          if (!good) all_signs = false;
          return true;
        },
        parallel);
  };
  Status status = Gram<SignLines>(by_rows ? x.count : x.dim, gram, parallel)
                      .sum(by_rows ? x.dim : x.count,
                           [&](size_t first, size_t terms, size_t lines, const std::vector<Panel>& panels,
                               uint64_t* to) -> Status {
                             Status packed = pack(first, terms, lines, panels, to);
                             if (packed.ok() && !all_signs) return {StatusCode::kRange, "not signs"};
                             return packed;
                           });
  if (!all_signs) return false;
  if (!status.ok()) return status;
  return true;
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

Status gram_of_rows(const Rows& x, double* out, const runtime::Parallel& parallel) {
  const Result<bool> counted = gram_of_signs(x, /*by_rows=*/true, out, parallel);
  if (!counted.ok() || counted.value()) return counted.status();
  return Gram<FloatLines>(x.count, out, parallel)
      .sum(x.dim, [&](size_t first, size_t terms, size_t /*lines*/, const std::vector<Panel>& panels,
                      float* to) { return pack_all_rows(x, first, terms, panels, to, parallel); });
}

Status gram_of_columns(const Rows& x, double* out, const runtime::Parallel& parallel) {
  const Result<bool> counted = gram_of_signs(x, /*by_rows=*/false, out, parallel);
  if (!counted.ok() || counted.value()) return counted.status();
  return Gram<FloatLines>(x.dim, out, parallel)
      .sum(x.count, [&](size_t first, size_t terms, size_t /*lines*/, const std::vector<Panel>& panels,
                        float* to) { return pack_all_columns(x, first, terms, panels, to, parallel); });
}

// ---- products with a block ----

Status row_scores(const Rows& x, const float* block, size_t width, float* out,
                  const runtime::Parallel& parallel) {
  const std::vector<Panel> panels = panels_of(width);
  Result<AlignedBuffer> packed = AlignedBuffer::allocate(padded(panels) * x.dim * sizeof(float));
  if (!packed.ok()) return packed.status();
  const Rows q{block, Element::kFloat32, width, x.dim};
  Status status = pack_all_rows(q, 0, x.dim, panels, packed.value().as<float>(), parallel);
  if (!status.ok()) return status;

  const size_t tiles = pieces(x.count, kTile);
  const Segments segments(tiles, x.dim);
  Result<AlignedBuffer> parts =
      AlignedBuffer::allocate((segments.count - 1) * x.count * width * sizeof(float));
  if (!parts.ok()) return parts.status();
  const auto part = [&](size_t s) {
    return s == 0 ? out : parts.value().as<float>() + (s - 1) * x.count * width;
  };
  std::vector<size_t> done(tiles * segments.count, 0);  // coordinates of the segment
  static const auto kOnes = [] {
    std::array<float, kTile> a;
    a.fill(1);
    return a;
  }();
  static constexpr std::array<float, kTile> kZeros{};
  status = runtime::run_parallel(
      done.size(),
      [&](size_t item) -> Result<bool> {
        const size_t row = item % tiles * kTile;
        const size_t rows = std::min(kTile, x.count - row);
        const size_t begin = item / tiles * segments.length;
        const size_t end = std::min(begin + segments.length, x.dim);
        std::vector<float> keys(rows * kScoreRun);
        std::vector<float> c(rows * kernels::kMaxPanelWidth);
        auto ignored = repeated(0.0F);
        float* const sums = part(item / tiles);
        for (size_t runs = 0; runs < kRunsAtOnce && begin + done[item] < end; ++runs) {
          const size_t from = begin + done[item];
          const size_t run = std::min(kScoreRun, end - from);
          for (size_t r = 0; r < rows; ++r) read_row(x, row + r, from, run, keys.data() + r * run);
          for (const Panel& p : panels) {
            kernels::active().panel_scores(
                {keys.data(), rows, run}, packed.value().as<float>() + p.first * x.dim + from * p.width,
                p.width, kOnes.data(), kZeros.data(), kOnes.data(), c.data(), ignored.data());
            for (size_t r = 0; r < rows; ++r) {
              float* const to = sums + (row + r) * width + p.first;
              for (size_t k = 0; k < p.count; ++k) to[k] = (done[item] == 0 ? 0 : to[k]) + c[r * p.width + k];
            }
          }
          done[item] += run;
        }
        return begin + done[item] == end;
      },
      parallel);
  for (size_t s = 1; s < segments.count; ++s) {
    for (size_t i = 0; i < x.count * width; ++i) out[i] += part(s)[i];
  }
  return status;
}

Status combine_rows(const Rows& x, const float* coefficients, size_t width, float* out,
                    const runtime::Parallel& parallel) {
  const std::vector<Panel> panels = panels_of(width);
  const size_t lanes = padded(panels);
  Result<AlignedBuffer> packed = AlignedBuffer::allocate(lanes * x.count * sizeof(float));
  if (!packed.ok()) return packed.status();
  const Rows c{coefficients, Element::kFloat32, x.count, width};
  Status status = pack_all_columns(c, 0, x.count, panels, packed.value().as<float>(), parallel);
  if (!status.ok()) return status;

  // Sums lie as the kernel leaves them, coordinate by coordinate, until all terms are in.
  const size_t tiles = pieces(x.dim, kTile);
  const Segments segments(tiles, x.count);
  Result<AlignedBuffer> sums =
      AlignedBuffer::allocate(segments.count * tiles * kTile * lanes * sizeof(float));
  if (!sums.ok()) return sums.status();
  std::vector<size_t> done(tiles * segments.count, 0);  // rows of the segment
  status = runtime::run_parallel(
      done.size(),
      [&](size_t item) -> Result<bool> {
        const size_t begin = item / tiles * segments.length;
        const size_t end = std::min(begin + segments.length, x.count);
        const size_t first = item % tiles * kTile;
        const size_t columns = std::min(kTile, x.dim - first);
        const std::vector<Panel> parts = panels_of(columns);
        std::vector<float> a(kRun * padded(parts));
        for (size_t runs = 0; runs < kRunsAtOnce && begin + done[item] < end; ++runs) {
          const size_t from = begin + done[item];
          const size_t run = std::min(kRun, end - from);
          for (size_t r = 0; r < run; ++r) pack_row(x, from + r, first, parts, run, r, a.data());
          for (const Panel& q : panels) {
            float* const to = sums.value().as<float>() + item * kTile * lanes + q.first * kTile;
            for (const Panel& p : parts) {
              multiply_add(a.data() + p.first * run, p.width,
                           packed.value().as<float>() + q.first * x.count + from * q.width, q.width, run,
                           to + p.first * q.width);
            }
          }
          done[item] += run;
        }
        return begin + done[item] == end;
      },
      parallel);
  if (!status.ok()) return status;
  return runtime::run_parallel(
      tiles,
      [&](size_t tile) -> Result<bool> {
        const size_t first = tile * kTile;
        const size_t columns = std::min(kTile, x.dim - first);
        for (const Panel& q : panels) {
          for (size_t k = 0; k < q.count; ++k) {
            float* const to = out + (q.first + k) * x.dim + first;
            for (size_t s = 0; s < segments.count; ++s) {
              const float* const from =
                  sums.value().as<float>() + (s * tiles + tile) * kTile * lanes + q.first * kTile + k;
              for (size_t d = 0; d < columns; ++d) to[d] = (s == 0 ? 0 : to[d]) + from[d * q.width];
            }
          }
        }
        return true;
      },
      parallel);
}

Status dense_product(const double* a, size_t size, const double* block, size_t width, double* out,
                     const runtime::Parallel& parallel) {
  constexpr size_t kColumns = kernels::kGibbsPad;
  std::vector<double> transposed(size * width);
  for (size_t k = 0; k < width; ++k) {
    for (size_t i = 0; i < size; ++i) transposed[i * width + k] = block[k * size + i];
  }
  // As the matrix is symmetric, a strip of its columns serves for rows: combinations of its lines.
  return runtime::run_parallel(
      pieces(size, kColumns),
      [&](size_t item) -> Result<bool> {
        const size_t first = item * kColumns;
        const size_t columns = std::min(kColumns, size - first);
        std::vector<double> strip(size * kColumns, 0);
        for (size_t i = 0; i < size; ++i)
          std::copy_n(a + i * size + first, columns, strip.data() + i * kColumns);
        std::vector<double> sums(width * kColumns, 0);
        kernels::active().gibbs->add_combinations({size, kColumns}, width, strip.data(), transposed.data(),
                                                  sums.data());
        for (size_t c = 0; c < columns; ++c) {
          for (size_t k = 0; k < width; ++k) out[(first + c) * width + k] = sums[k * kColumns + c];
        }
        return true;
      },
      parallel);
}

}  // namespace engram::engine
