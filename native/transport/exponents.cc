#include "transport/exponents.h"

#include <cmath>
#include <cstdio>
#include <numbers>
#include <string>

namespace engram::transport {
namespace {

constexpr double kMostExponent = 1e9;  // its rounding, 1e-7, is what a residual of 1e-6 can stand

std::string plain(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

}  // namespace

Status check_exponents(double spread, double rate) {
  if (spread * rate <= kMostExponent) return {};
  const double epsilon = std::numbers::log2e / rate;
  return {StatusCode::kRange, "epsilon is " + plain(epsilon) +
                                  " and the costs between two clouds spread over " + plain(spread) +
                                  "; Float64 holds the answer for an epsilon of at least " +
                                  plain(spread * std::numbers::log2e / kMostExponent)};
}

Status check_exponents(const engine::GibbsPair& pair) { return check_exponents(pair.spread(), pair.rate()); }

}  // namespace engram::transport
