#include "kernels/machine_limits.h"

#include <doctest/doctest.h>

#include <cmath>

namespace engram::kernels {
namespace {

TEST_CASE("machine limits are positive, finite numbers") {
  const MachineLimits limits = measure_machine_limits(2);
  CHECK(limits.threads == 2);
  CHECK(std::isfinite(limits.fma_gflops));
  CHECK(limits.fma_gflops > 0);
  CHECK(std::isfinite(limits.read_gbps));
  CHECK(limits.read_gbps > 0);
}

TEST_CASE("no threads counts as one") { CHECK(measure_machine_limits(0).threads == 1); }

TEST_CASE("a probe measures as often as asked") {
  Result<LimitsProbe> probe = LimitsProbe::create(1);
  REQUIRE(probe.ok());
  for (int round = 0; round < 2; ++round) {
    CHECK(probe.value().fma_gflops() > 0);
    CHECK(probe.value().read_gbps() > 0);
  }
}

}  // namespace
}  // namespace engram::kernels
