#include "transport/columns.h"

#include <algorithm>

#include "engine/gibbs_pair.h"

namespace engram::transport {

void Columns::assign(const Measure& nu, size_t stride, const double* potential, double rate) {
  count = nu.size;
  b.assign(stride, 0);
  std::copy(nu.weights, nu.weights + nu.size, b.begin());
  log_b = b;
  engine::log2_all(log_b.data(), stride);
  z.assign(stride, 0);
  for (size_t j = 0; potential != nullptr && j < nu.size; ++j) z[j] = potential[j] * rate;
  h.resize(stride);
  set_exponents();
}

void Columns::set_exponents() {
  for (size_t j = 0; j < h.size(); ++j) h[j] = z[j] + log_b[j];
}

}  // namespace engram::transport
