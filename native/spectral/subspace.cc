#include "spectral/subspace.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace engram::spectral {
namespace {

constexpr size_t kLanes = 16;    // independent sums, which is what lets a compiler vectorise them
constexpr size_t kRun = 64;      // numbers per lane that are summed in Float32
constexpr size_t kTogether = 4;  // rows that share one pass over the output

double dot(const float* x, const float* y, size_t size) {
  double sum = 0;
  size_t at = 0;
  while (size - at >= kLanes) {
    const size_t end = at + std::min((size - at) / kLanes, kRun) * kLanes;
    std::array<float, kLanes> lanes{};
    for (; at < end; at += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += x[at + lane] * y[at + lane];
    }
    for (const float lane : lanes) sum += static_cast<double>(lane);
  }
  for (; at < size; ++at) sum += static_cast<double>(x[at]) * static_cast<double>(y[at]);
  return sum;
}

}  // namespace

void multiply(const FloatRows& v, const float* x, double* c) {
  for (size_t k = 0; k < v.rows; ++k) c[k] = dot(v.row(k), x, v.cols);
}

void multiply_transposed(const FloatRows& v, const double* c, float* x) {
  std::fill(x, x + v.cols, 0.0F);
  size_t k = 0;
  for (; k + kTogether <= v.rows; k += kTogether) {
    const float* const r0 = v.row(k);
    const float* const r1 = v.row(k + 1);
    const float* const r2 = v.row(k + 2);
    const float* const r3 = v.row(k + 3);
    const auto c0 = static_cast<float>(c[k]);
    const auto c1 = static_cast<float>(c[k + 1]);
    const auto c2 = static_cast<float>(c[k + 2]);
    const auto c3 = static_cast<float>(c[k + 3]);
    for (size_t n = 0; n < v.cols; ++n) x[n] += c0 * r0[n] + c1 * r1[n] + c2 * r2[n] + c3 * r3[n];
  }
  for (; k < v.rows; ++k) {
    const float* const row = v.row(k);
    const auto factor = static_cast<float>(c[k]);
    for (size_t n = 0; n < v.cols; ++n) x[n] += factor * row[n];
  }
}

Status check_orthonormal(const FloatRows& v) {
  constexpr double kTolerance = 1e-3;
  if (v.cols == 0 || v.rows > v.cols) {
    return {StatusCode::kShape, "a subspace needs at least as many columns as rows, not " +
                                    std::to_string(v.rows) + " x " + std::to_string(v.cols)};
  }
  std::vector<double> products(v.rows);
  for (size_t j = 0; j < v.rows; ++j) {
    multiply(v, v.row(j), products.data());
    for (size_t k = 0; k <= j; ++k) {
      if (!std::isfinite(products[k])) {
        return {StatusCode::kNonFinite, "row " + std::to_string(j) + " of the subspace is not finite"};
      }
      if (std::abs(products[k] - (j == k ? 1 : 0)) > kTolerance) {
        return {StatusCode::kRange, "rows " + std::to_string(k) + " and " + std::to_string(j) +
                                        " of the subspace are not orthonormal: their product is " +
                                        std::to_string(products[k])};
      }
    }
  }
  return {};
}

}  // namespace engram::spectral
