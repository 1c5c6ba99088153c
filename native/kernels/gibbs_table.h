// Kernels for entropic transport between two point clouds: the costs, the Gibbs kernel and products with it.
//
// A matrix over the pair has one row for each point x_i and one column for each point y_j; rows are `stride`
// numbers apart, stride a multiple of kGibbsPad, so that all instruction sets work on whole vectors. Columns
// beyond the last point are padding: whoever calls gives them the log weight -inf, and their kernel is 0.
//
// Potentials are in units of epsilon * log(2), i.e. exponents of two. With h_j = potential of y_j + log2(b_j)
// and `rate` = log2(e) / epsilon, the Gibbs kernel is
//   K_ij = 2^(h_j - rate * cost_ij - lse_i),  lse_i = log2 sum_j 2^(h_j - rate * cost_ij),
// so every row sums to 1, and -lse_i is the potential of x_i that fits the potentials of y.
//
// All kernels: the caller owns all buffers, which do not overlap; any alignment; no allocation, no threads,
// no exceptions; sums have an order that depends on the sizes and the instruction set alone.
#pragma once

#include <cstddef>

namespace engram::kernels {

inline constexpr size_t kGibbsPad = 16;  // numbers: one AVX-512 vector of Float32
inline constexpr size_t kGibbsRows = 4;  // rows that the products take at once

// Smallest stride for so many columns.
constexpr size_t gibbs_stride(size_t columns) { return (columns + kGibbsPad - 1) / kGibbsPad * kGibbsPad; }

struct PairShape {
  size_t rows = 0;
  size_t stride = 0;
};

// What one update of the column scalings found.
struct ScalingChange {
  double residual;  // sum_j |v_j * column_sum_j - b_j| before the update
  double least;     // extremes of the new v over columns with b_j > 0
  double most;
};

// Products with a Gibbs kernel of element type T.
template <typename T>
struct GibbsProducts {
  // The Gibbs kernel and its row constants. kernel: rows x stride; lse: rows.
  void (*rows)(PairShape shape, const double* cost, const double* h, double rate, T* kernel, double* lse);

  // One Sinkhorn iteration on the scalings, reading the kernel once:
  //   row_scale_i = 1 / sum_j K_ij v_j,  column_sum_j = sum_i a_i row_scale_i K_ij.
  // a, row_scale: rows; column_sum, v: stride; part: stride, scratch.
  void (*iterate)(PairShape shape, const T* kernel, const T* a, const T* v, T* row_scale, double* column_sum,
                  T* part);

  // v_j <- b_j / column_sum_j; columns with b_j = 0 get 0. All: stride.
  ScalingChange (*scale)(size_t stride, const double* b, const double* column_sum, T* v);

  // One averaged update of a symmetric problem (rows are columns): with r_i = sum_j K_ij v_j,
  //   v_i <- sqrt(v_i / (r_i s_i)); returns sum_i a_i |v_i r_i s_i - 1| for the old v.
  // a, s: rows; v: stride, with `product` (rows) as scratch. v stays 0 where a_i = 0.
  double (*symmetric)(PairShape shape, const T* kernel, const T* a, const T* s, T* v, T* product);
};

struct GibbsTable {
  // cost[i * stride + j] = scale * sum_d (x[i * dim + d] - y[d * stride + j])^2 for j < stride, and for each
  // row spread[i] = max_j - min_j over all stride columns (pad y with copies of a point).
  void (*costs)(PairShape shape, size_t dim, const double* x, const double* y, double scale, double* cost,
                double* spread);

  // lse_i = log2 sum_j 2^(h_j - rate * cost_ij) without keeping the kernel. h: stride.
  void (*row_lse)(PairShape shape, const double* cost, const double* h, double rate, double* lse);

  GibbsProducts<float> f32;
  GibbsProducts<double> f64;

  // column_sum_j += sum_i w_i K_ij. w: rows.
  void (*add_columns)(PairShape shape, const double* kernel, const double* w, double* column_sum);
  // Many weighted sums of rows at once: out[k * stride + j] += sum_i w[i * count + k] K_ij for k < count.
  void (*add_combinations)(PairShape shape, size_t count, const double* kernel, const double* w, double* out);
  // means[i * dim + d] = sum_j K_ij y[d * stride + j]: barycentric projection.
  void (*means)(PairShape shape, size_t dim, const double* kernel, const double* y, double* means);
  // gram[j * stride + k] = sum_i w_i K_ij K_ik for j < columns and k <= j (more of the row may be written).
  void (*gram)(PairShape shape, size_t columns, const double* kernel, const double* w, double* gram);

  // sum_j w_j x_j y_j, count a multiple of kGibbsPad.
  double (*weighted_dot)(size_t count, const double* w, const double* x, const double* y);
  // values_j <- log2(values_j), 0 gives -inf; values_j <- 2^values_j for |values_j| <= 1000.
  void (*log2)(size_t count, double* values);
  void (*exp2)(size_t count, double* values);
};

}  // namespace engram::kernels
