#include "engine/gibbs_pair.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/dispatch.h"

namespace engram::engine {
namespace {

constexpr size_t kTileBytes = size_t{128} << 10;  // of a tile of Float64: well inside the second cache

const kernels::GibbsTable& table() { return *kernels::active().gibbs; }

template <typename T>
const kernels::GibbsProducts<T>& products() {
  if constexpr (std::is_same_v<T, float>) {
    return table().f32;
  } else {
    return table().f64;
  }
}

// At least `bytes`; what was there is lost.
Status reserve(AlignedBuffer& buffer, size_t bytes) {
  if (buffer.size() >= bytes) return {};
  buffer = AlignedBuffer();
  Result<AlignedBuffer> larger = AlignedBuffer::allocate(bytes);
  if (!larger.ok()) return larger.status();
  buffer = std::move(larger).value();
  return {};
}

// Columns side by side for each coordinate. Padding and points without mass repeat a point with mass, so that
// costs stay in the range of those that count.
void transpose(Points y, size_t dim, size_t stride, double* panel) {
  size_t some = 0;
  while (some + 1 < y.size && y.weights[some] == 0) ++some;
  for (size_t j = 0; j < stride; ++j) {
    const size_t from = j < y.size && y.weights[j] > 0 ? j : some;
    for (size_t d = 0; d < dim; ++d) panel[d * stride + j] = y.data[from * dim + d];
  }
}

}  // namespace

size_t GibbsPair::tile_rows() const noexcept {
  const size_t rows = kTileBytes / (stride_ * sizeof(double)) / kernels::kGibbsRows * kernels::kGibbsRows;
  return std::min(std::max(rows, kernels::kGibbsRows), std::max<size_t>(x_.size, 1));
}

Status GibbsPair::load(Points x, Points y, size_t dim, double cost_scale, double epsilon, bool keep) {
  x_ = x;
  columns_ = y.size;
  stride_ = kernels::gibbs_stride(y.size);
  dim_ = dim;
  cost_scale_ = cost_scale;
  rate_ = std::numbers::log2e / epsilon;
  kept_ = keep;
  spread_ = 0;
  const size_t row_bytes = stride_ * sizeof(double);
  const size_t kept_rows = keep ? x.size : tile_rows();
  for (Status status :
       {reserve(y_, dim * row_bytes), reserve(cost_, kept_rows * row_bytes),
        reserve(tile_, tile_rows() * row_bytes), reserve(row_spread_, x.size * sizeof(double)),
        reserve(scratch_, x.size * sizeof(double) + row_bytes)}) {
    if (!status.ok()) return status;
  }
  transpose(y, dim, stride_, y_.as<double>());
  costs_rows_ = keep ? 0 : x.size;
  return {};
}

size_t GibbsPair::compute_costs(size_t entries) {
  if (costs_rows_ == rows()) return 0;
  const size_t row_work =
      stride_ * (1 + dim_ / 32);  // a coordinate takes about a thirtieth of an exponential
  const size_t count = std::clamp<size_t>(entries / row_work, 1, rows() - costs_rows_);
  compute(costs_rows_, count, cost_.as<double>() + costs_rows_ * stride_);
  costs_rows_ += count;
  return count * row_work;
}

void GibbsPair::compute(size_t first, size_t count, double* cost) {
  double* const spread = row_spread_.as<double>() + first;
  table().costs({count, stride_}, dim_, x_.data + first * dim_, y_.as<double>(), cost_scale_, cost, spread);
  for (size_t i = 0; i < count; ++i) {
    if (x_.weights[first + i] > 0) spread_ = std::max(spread_, spread[i]);
  }
}

// The costs of some rows: where they are kept, or in the tile.
const double* GibbsPair::costs_of(size_t first, size_t count) {
  if (kept_) return cost_.as<double>() + first * stride_;
  compute(first, count, cost_.as<double>());
  return cost_.as<double>();
}

void GibbsPair::row_constants(const double* h, double* lse) {
  const size_t step = kept_ ? rows() : tile_rows();
  for (size_t i = 0; i < rows(); i += step) {
    const size_t count = std::min(step, rows() - i);
    table().row_lse({count, stride_}, costs_of(i, count), h, rate_, lse + i);
  }
}

void GibbsPair::pass(size_t first, size_t count, const double* h, const double* a, double* lse,
                     double* column_sum, double* means) {
  const size_t step = tile_rows();
  double* const kernel = tile_.as<double>();
  for (size_t i = first; i < first + count; i += step) {
    const kernels::PairShape shape{std::min(step, first + count - i), stride_};
    products<double>().rows(shape, costs_of(i, shape.rows), h, rate_, kernel, lse + i);
    table().add_columns(shape, kernel, a + i, column_sum);
    if (means != nullptr) table().means(shape, dim_, kernel, y_.as<double>(), means + i * dim_);
  }
}

template <typename T>
Status GibbsPair::build(const double* h, double* lse) {
  AlignedBuffer& buffer = std::is_same_v<T, float> ? kernel32_ : kernel64_;
  Status status = reserve(buffer, rows() * stride_ * sizeof(T));
  if (!status.ok()) return status;
  products<T>().rows({rows(), stride_}, cost_.as<double>(), h, rate_, kernel<T>(), lse);
  return {};
}

template <typename T>
void GibbsPair::iterate(const T* a, const T* v, double* column_sum) {
  T* const row_scale = scratch_.as<T>();
  products<T>().iterate({rows(), stride_}, kernel<T>(), a, v, row_scale, column_sum, row_scale + rows());
}

template <typename T>
ScalingChange GibbsPair::scale(const double* b, const double* column_sum, T* v) {
  const kernels::ScalingChange change = products<T>().scale(stride_, b, column_sum, v);
  return {change.residual, change.least, change.most};
}

template <typename T>
double GibbsPair::symmetric(const T* a, const T* s, T* v) {
  return products<T>().symmetric({rows(), stride_}, kernel<T>(), a, s, v, scratch_.as<T>());
}

void GibbsPair::gram(const double* w, double* gram) {
  table().gram({rows(), stride_}, columns_, kernel64_.as<double>(), w, gram);
}

template Status GibbsPair::build<float>(const double*, double*);
template Status GibbsPair::build<double>(const double*, double*);
template void GibbsPair::iterate<float>(const float*, const float*, double*);
template void GibbsPair::iterate<double>(const double*, const double*, double*);
template ScalingChange GibbsPair::scale<float>(const double*, const double*, float*);
template ScalingChange GibbsPair::scale<double>(const double*, const double*, double*);
template double GibbsPair::symmetric<float>(const float*, const float*, float*);
template double GibbsPair::symmetric<double>(const double*, const double*, double*);

double weighted_dot(const double* w, const double* x, const double* y, size_t count) {
  return table().weighted_dot(count, w, x, y);
}
void log2_all(double* values, size_t count) { table().log2(count, values); }
void exp2_all(double* values, size_t count) { table().exp2(count, values); }

}  // namespace engram::engine
