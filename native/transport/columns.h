// The second measure of a problem as kernels want it: padded vectors in exponents of two.
#pragma once

#include <cstddef>
#include <vector>

#include "transport/problem.h"

namespace engram::transport {

struct Columns {
  size_t count = 0;           // points
  std::vector<double> b;      // weights; 0 in the padding, as everything below but log_b
  std::vector<double> log_b;  // log2 of them, -inf where 0
  std::vector<double> z;      // potential times log2(e) / epsilon
  std::vector<double> h;      // z + log2 b, see set_exponents()

  // Potential 0.
  void assign(const Measure& nu, size_t stride);
  // `potential` in units of the cost, `rate` = log2(e) / epsilon.
  void set_potential(const double* potential, double rate);
  void set_exponents();
  // <b, z>, and the range of z over points with mass.
  double mean_potential() const;
  double oscillation() const;
};

}  // namespace engram::transport
