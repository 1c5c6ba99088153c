#include "spectral/blend.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "support/archetypes.h"

namespace engram::spectral {
namespace {

using support::patterns;
using support::random_archetypes;

TEST_CASE("signs survive packing, where rows end within a byte too") {
  for (const size_t dim : {1, 7, 8, 9, 100}) {
    const std::vector<int8_t> xi = random_archetypes(3, dim, dim);
    const std::vector<uint8_t> bits = pack_signs(patterns(xi, dim));
    CHECK(bits.size() == 3 * ((dim + 7) / 8));
    CHECK(unpack_signs(bits.data(), 3, dim) == xi);
  }
  // +1 is a one, least significant bit first.
  const std::vector<int8_t> row = {1, -1, -1, 1, -1, -1, -1, -1, 1};
  CHECK(pack_signs(patterns(row, 9)) == std::vector<uint8_t>{9, 1});
}

TEST_CASE("a blend is the sum of its parts, archetypes among them as xi^T xi") {
  constexpr size_t kDim = 37;
  const std::vector<int8_t> xi = random_archetypes(4, kDim, 1);
  support::NormalNumbers normal(2);
  std::vector<double> dense(kDim * kDim);
  for (size_t i = 0; i < kDim; ++i) {
    for (size_t j = 0; j <= i; ++j) dense[i * kDim + j] = dense[j * kDim + i] = normal();
  }
  std::vector<double> block(2 * kDim);
  for (double& entry : block) entry = normal();
  const DenseOperator matrix(dense.data(), kDim);
  const ArchetypeOperator memory(patterns(xi, kDim));
  const Blend blend(kDim, {{&matrix, 2}, {&memory, 0.25}, {&matrix, 0}});
  std::vector<double> out(2 * kDim);
  REQUIRE(blend.apply(block.data(), 2, out.data(), {}).ok());
  for (size_t k = 0; k < 2; ++k) {
    for (size_t i = 0; i < kDim; ++i) {
      double expected = 0;
      for (size_t j = 0; j < kDim; ++j) {
        double entry = 2 * dense[i * kDim + j];
        for (size_t mu = 0; mu < 4; ++mu) entry += 0.25 * xi[mu * kDim + i] * xi[mu * kDim + j];
        expected += entry * block[k * kDim + j];
      }
      CHECK(std::abs(out[k * kDim + i] - expected) < 1e-4);  // Float32 products
    }
  }
}

TEST_CASE("a memory without archetypes adds nothing") {
  const ArchetypeOperator memory(MatrixView<const int8_t>(nullptr, 0, 5));
  const std::vector<double> block(5, 1);
  std::vector<double> out(5, 7);
  REQUIRE(Blend(5, {{&memory, 1}}).apply(block.data(), 1, out.data(), {}).ok());
  CHECK(out == std::vector<double>(5, 0));
}

}  // namespace
}  // namespace engram::spectral
