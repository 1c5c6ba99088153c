#include "transport/columns.h"

#include <algorithm>
#include <limits>

#include "engine/gibbs_pair.h"

namespace engram::transport {

void Columns::assign(const Measure& nu, size_t stride) {
  count = nu.size;
  b.assign(stride, 0);
  std::copy(nu.weights, nu.weights + nu.size, b.begin());
  log_b = b;
  engine::log2_all(log_b.data(), stride);
  z.assign(stride, 0);
  h = log_b;
}

void Columns::set_potential(const double* potential, double rate) {
  for (size_t j = 0; j < count; ++j) z[j] = potential[j] * rate;
  set_exponents();
}

void Columns::set_exponents() {
  for (size_t j = 0; j < h.size(); ++j) h[j] = z[j] + log_b[j];
}

double Columns::mean_potential() const {
  double sum = 0;
  for (size_t j = 0; j < count; ++j) sum += b[j] * z[j];
  return sum;
}

double Columns::oscillation() const {
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  for (size_t j = 0; j < count; ++j) {
    if (b[j] == 0) continue;
    least = std::min(least, z[j]);
    most = std::max(most, z[j]);
  }
  return most - least;
}

}  // namespace engram::transport
