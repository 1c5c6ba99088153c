// A pair of point clouds on its way through a transport solver: costs, Gibbs kernel, products with it.
//
// Row i is the point x_i, column j the point y_j; K_ij = 2^(h_j - rate * cost_ij - lse_i) is the Gibbs kernel
// whose rows sum to 1, with rate = log2(e) / epsilon (see kernels/gibbs_table.h). Vectors over columns have
// `stride()` numbers, of which those from `columns()` on are padding: h = -inf there, masses 0.
#pragma once

#include <cstddef>
#include <type_traits>

#include "base/memory.h"
#include "base/status.h"

namespace engram::engine {

// size x dim points in Float64, row-major, with their masses.
struct Points {
  const double* data = nullptr;
  const double* weights = nullptr;  // size, >= 0
  size_t size = 0;
};

struct ScalingChange {
  double residual;  // sum_j |v_j * column_sum_j - b_j| before the update
  double least;     // extremes of the new v over columns with b_j > 0
  double most;
};

class GibbsPair {
 public:
  // Pairs of up to so many entries keep their costs and kernel; larger ones stream.
  static constexpr size_t kMostKept = size_t{1} << 21;
  // L1 residual of a marginal that products in Float32 reach for any pair.
  static constexpr double kFloat32Residual = 1e-6;
  // What an iteration costs with a kernel of element type T, in units of a pass (an exponential for each
  // entry).
  template <typename T>
  static constexpr double kIterationCost = sizeof(T) / 64.0;

  // Takes the points in (y is copied, x must live on). With `keep`, all costs are kept and the scalings below
  // can be used; without, costs are computed tile by tile in each pass, and memory is linear in the points.
  // Buffers are reused from pair to pair. kOutOfMemory.
  Status load(Points x, Points y, size_t dim, double cost_scale, double epsilon, bool keep);
  // Kept costs have to be computed before anything is asked. Computes those of some rows, about as much work
  // as a pass over `entries` entries, and returns how much it was; 0 when all are there.
  size_t compute_costs(size_t entries);

  size_t rows() const noexcept { return x_.size; }
  size_t columns() const noexcept { return columns_; }
  size_t stride() const noexcept { return stride_; }
  size_t dim() const noexcept { return dim_; }
  bool kept() const noexcept { return kept_; }
  // max_i (max_j cost_ij - min_j cost_ij) over points with mass, of the rows passed so far where costs are
  // not kept.
  double spread() const noexcept { return spread_; }
  double rate() const noexcept { return rate_; }  // log2(e) / epsilon

  // lse for all rows.
  void row_constants(const double* h, double* lse);

  // One pass over rows [first, first + count): their lse; column_sum_j += sum_i a_i K_ij; and where `means`
  // is not null means_i = sum_j K_ij y_j (rows x dim). Arrays over rows begin with row 0.
  void pass(size_t first, size_t count, const double* h, const double* a, double* lse, double* column_sum,
            double* means);

  // ---- for kept pairs: K in T (float or double), and scalings v of its columns ----

  template <typename T>
  Status build(const double* h, double* lse);
  // column_sum_j = sum_i a_i K_ij / r_i with r_i = sum_j K_ij v_j. `a`: rows, in T.
  template <typename T>
  void iterate(const T* a, const T* v, double* column_sum);
  // v_j <- b_j / column_sum_j, 0 where b_j = 0.
  template <typename T>
  ScalingChange scale(const double* b, const double* column_sum, T* v);
  // Averaged update of a symmetric problem: v_i <- sqrt(v_i / (r_i s_i)); returns
  // sum_i a_i |v_i r_i s_i - 1| for the old v.
  template <typename T>
  double symmetric(const T* a, const T* s, T* v);
  // gram_jk = sum_i w_i K_ij K_ik, lower triangle, of the Float64 kernel built last; columns() x stride().
  void gram(const double* w, double* gram);

 private:
  template <typename T>
  T* kernel() const noexcept {
    return std::is_same_v<T, float> ? kernel32_.as<T>() : kernel64_.as<T>();
  }
  size_t tile_rows() const noexcept;
  const double* costs_of(size_t first, size_t count);
  void compute(size_t first, size_t count, double* cost);

  Points x_;
  size_t columns_ = 0;
  size_t stride_ = 0;
  size_t dim_ = 0;
  double cost_scale_ = 0;
  double rate_ = 0;
  bool kept_ = false;
  size_t costs_rows_ = 0;  // rows whose kept costs are there
  double spread_ = 0;
  AlignedBuffer y_;         // dim x stride: one row of all columns for each coordinate
  AlignedBuffer cost_;      // all rows, or one tile
  AlignedBuffer tile_;      // one tile of the Float64 kernel
  AlignedBuffer kernel32_;  // all rows
  AlignedBuffer kernel64_;
  AlignedBuffer row_spread_;
  AlignedBuffer scratch_;  // row scales or products, and part of column sums
};

// sum_j w_j x_j y_j; count a multiple of 16, as strides are.
double weighted_dot(const double* w, const double* x, const double* y, size_t count);

// values_j <- log2(values_j), with 0 -> -inf; values_j <- 2^values_j for |values_j| <= 1000.
void log2_all(double* values, size_t count);
void exp2_all(double* values, size_t count);

}  // namespace engram::engine
