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

Status check_exponents(const engine::GibbsPair& pair) {
  if (pair.spread() * pair.rate() <= kMostExponent) return {};
  const double epsilon = std::numbers::log2e / pair.rate();
  return {StatusCode::kRange, "epsilon is " + plain(epsilon) +
                                  " and the costs between two clouds spread over " + plain(pair.spread()) +
                                  "; Float64 holds the answer for an epsilon of at least " +
                                  plain(pair.spread() * std::numbers::log2e / kMostExponent)};
}

}  // namespace engram::transport
