#include "spectral/random_stream.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

namespace engram::spectral {
namespace {

TEST_CASE("a stream is a function of its seed and number") {
  RandomStream a(7, 3);
  RandomStream b(7, 3);
  for (int k = 0; k < 100; ++k) CHECK(a.bits() == b.bits());
}

TEST_CASE("streams of neighbouring seeds and numbers have nothing in common") {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (uint64_t number = 0; number < 20; ++number) {
      RandomStream random(seed, number);
      for (int k = 0; k < 10; ++k) seen.insert(random.bits());
    }
  }
  CHECK(seen.size() == 4000);
}

// Tolerances: five standard errors.
TEST_CASE("uniform and normal numbers have their moments") {
  constexpr int kCount = 200'000;
  RandomStream random(1, 0);
  double sum = 0;
  double square = 0;
  for (int k = 0; k < kCount; ++k) {
    const double u = random.uniform();
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    sum += u;
    square += u * u;
  }
  CHECK(std::abs(sum / kCount - 0.5) < 5 * std::sqrt(1.0 / 12 / kCount));
  CHECK(std::abs(square / kCount - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / kCount));

  double mean = 0;
  double variance = 0;
  double fourth = 0;
  double lagged = 0;
  double last = 0;
  for (int k = 0; k < kCount; ++k) {
    const double z = random.gaussian();
    mean += z / kCount;
    variance += z * z / kCount;
    fourth += std::pow(z, 4) / kCount;
    lagged += z * last / kCount;
    last = z;
  }
  CHECK(std::abs(mean) < 5 / std::sqrt(kCount));
  CHECK(std::abs(variance - 1) < 5 * std::sqrt(2.0 / kCount));
  CHECK(std::abs(fourth - 3) < 5 * std::sqrt(96.0 / kCount));
  CHECK(std::abs(lagged) < 5 / std::sqrt(kCount));
}

}  // namespace
}  // namespace engram::spectral
