#include "transport/anderson.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace engram::transport {
namespace {

constexpr size_t kSize = 16;
using Vector = std::vector<double>;
using Map = std::function<void(const Vector&, Vector&)>;

double distance(const Vector& x, const Vector& y) {
  double sum = 0;
  for (size_t j = 0; j < kSize; ++j) sum += std::abs(x[j] - y[j]);
  return sum;
}

// Iterations until |Phi(z) - z| <= tolerance; `most` when it is never reached.
int iterations(const Map& phi, bool accelerated, double tolerance, int most) {
  const Vector weights(kSize, 1.0 / kSize);
  Anderson anderson;
  anderson.reset(kSize, weights.data());
  Vector z(kSize, 0);
  Vector next(kSize);
  for (int k = 0; k < most; ++k) {
    phi(z, next);
    const double residual = distance(z, next);
    if (residual <= tolerance) return k;
    if (accelerated) anderson.propose(z.data(), next.data(), residual);
    z.swap(next);
  }
  return most;
}

// z <- c + diag(rates) z, which has the fixed point c / (1 - rates).
Map linear(double slowest) {
  return [slowest](const Vector& z, Vector& next) {
    for (size_t j = 0; j < kSize; ++j) {
      const double rate = slowest * static_cast<double>(j % 4 + 1) / 4;
      next[j] = 0.02 + 0.002 * static_cast<double>(j) + rate * z[j];
    }
  };
}

TEST_CASE("a linear map with as many rates as there is depth is solved in a few periods") {
  for (const double slowest : {0.5, 0.9, 0.99}) {
    CHECK(iterations(linear(slowest), true, 1e-10, 10'000) <= 20);
    CHECK(iterations(linear(slowest), false, 1e-10, 10'000) >= 30);
  }
}

TEST_CASE("the fixed point that is reached is that of the map") {
  const Vector weights(kSize, 1.0 / kSize);
  Anderson anderson;
  anderson.reset(kSize, weights.data());
  Vector z(kSize, 0);
  Vector next(kSize);
  const Map phi = linear(0.95);
  for (int k = 0; k < 60; ++k) {
    phi(z, next);
    anderson.propose(z.data(), next.data(), distance(z, next));
    z.swap(next);
  }
  for (size_t j = 0; j < kSize; ++j) {
    const double rate = 0.95 * static_cast<double>(j % 4 + 1) / 4;
    CHECK(z[j] == doctest::Approx((0.02 + 0.002 * static_cast<double>(j)) / (1 - rate)).epsilon(1e-9));
  }
}

TEST_CASE("an extrapolation that makes things worse is taken back") {
  const Vector weights(kSize, 1.0 / kSize);
  Anderson anderson;
  anderson.reset(kSize, weights.data());
  const Map phi = linear(0.9);
  Vector z(kSize, 0);
  Vector next(kSize);
  Vector plain;
  bool jumped = false;
  for (int k = 0; k < 10 && !jumped; ++k) {
    phi(z, next);
    plain = next;
    jumped = anderson.propose(z.data(), next.data(), distance(z, plain));
    z.swap(next);
  }
  REQUIRE(jumped);
  CHECK(distance(z, plain) > 0);
  phi(z, next);
  CHECK(anderson.propose(z.data(), next.data(), 1e6));
  CHECK(next == plain);
}

TEST_CASE("a map without change is left alone") {
  const Map still = [](const Vector& z, Vector& next) { next = z; };
  CHECK(iterations(still, true, 0, 100) == 0);
}

}  // namespace
}  // namespace engram::transport
