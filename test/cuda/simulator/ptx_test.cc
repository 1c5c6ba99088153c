// Instructions of cuda/ptx.h against plain definitions.
#include <cuda/launch.h>
#include <cuda/ptx.h>
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "defect.h"

using namespace engram::cuda;
using engram::simulator::run_grid;

namespace {

// The fragments that the comment in ptx.h draws, filled from matrices.
template <typename Pack>
void take_a(uint32_t (&a)[4], const float (&matrix)[16][16], const Pack& pack) {
  const uint32_t g = threadIdx.x / 4;
  const uint32_t t = threadIdx.x % 4;
  a[0] = pack(matrix[g][2 * t], matrix[g][2 * t + 1]);
  a[1] = pack(matrix[g + 8][2 * t], matrix[g + 8][2 * t + 1]);
  a[2] = pack(matrix[g][2 * t + 8], matrix[g][2 * t + 9]);
  a[3] = pack(matrix[g + 8][2 * t + 8], matrix[g + 8][2 * t + 9]);
}

// Small integers: exact in every type and order.
float small(std::mt19937& random) { return static_cast<float>(static_cast<int>(random() % 17) - 8); }

}  // namespace

TEST_CASE("products of 16 bits multiply matrices") {
  std::mt19937 random(11);
  float a[16][16];
  float b[16][8];
  float c[16][8];
  for (auto& row : a)
    for (float& x : row) x = small(random);
  for (auto& row : b)
    for (float& x : row) x = small(random);
  for (auto& row : c)
    for (float& x : row) x = small(random);
  for (const bool bf16 : {true, false}) {
    float d[16][8];
    run_grid({dim3(1), dim3(32)}, [&] {
      const uint32_t g = threadIdx.x / 4;
      const uint32_t t = threadIdx.x % 4;
      const auto pack = bf16 ? pack_bf16 : pack_f16;
      uint32_t fragment[4];
      take_a(fragment, a, pack);
      const uint32_t b0 = pack(b[2 * t][g], b[2 * t + 1][g]);
      const uint32_t b1 = pack(b[2 * t + 8][g], b[2 * t + 9][g]);
      float sums[4] = {c[g][2 * t], c[g][2 * t + 1], c[g + 8][2 * t], c[g + 8][2 * t + 1]};
      if (bf16) {
        multiply_bf16(sums, fragment, b0, b1);
      } else {
        multiply_f16(sums, fragment, b0, b1);
      }
      d[g][2 * t] = sums[0];
      d[g][2 * t + 1] = sums[1];
      d[g + 8][2 * t] = sums[2];
      d[g + 8][2 * t + 1] = sums[3];
    });
    for (int i = 0; i < 16; ++i) {
      for (int j = 0; j < 8; ++j) {
        float expected = c[i][j];
        for (int k = 0; k < 16; ++k) expected += a[i][k] * b[k][j];
        CHECK(d[i][j] == expected);
      }
    }
  }
}

TEST_CASE("products of tf32 multiply matrices and see 19 bits") {
  std::mt19937 random(12);
  float a[16][8];
  float b[8][8];
  for (auto& row : a)
    for (float& x : row) x = small(random);
  for (auto& row : b)
    for (float& x : row) x = small(random);
  float d[16][8];
  run_grid({dim3(1), dim3(32)}, [&] {
    const uint32_t g = threadIdx.x / 4;
    const uint32_t t = threadIdx.x % 4;
    constexpr uint32_t kUnseen = 0x1FFF;
    const uint32_t fragment[4] = {__float_as_uint(a[g][t]) | kUnseen, __float_as_uint(a[g + 8][t]) | kUnseen,
                                  __float_as_uint(a[g][t + 4]) | kUnseen,
                                  __float_as_uint(a[g + 8][t + 4]) | kUnseen};
    float sums[4] = {};
    multiply_tf32(sums, fragment, __float_as_uint(b[t][g]) | kUnseen, __float_as_uint(b[t + 4][g]) | kUnseen);
    d[g][2 * t] = sums[0];
    d[g][2 * t + 1] = sums[1];
    d[g + 8][2 * t] = sums[2];
    d[g + 8][2 * t + 1] = sums[3];
  });
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 8; ++j) {
      float expected = 0;
      for (int k = 0; k < 8; ++k) expected += a[i][k] * b[k][j];
      CHECK(d[i][j] == expected);
    }
  }
}

TEST_CASE("products are accumulated towards zero") {
  float first[32];
  run_grid({dim3(1), dim3(32)}, [&] {
    const uint32_t one = pack_bf16(1.0F, 1.0F);
    const uint32_t tiny = pack_bf16(0x1p-24F, 0x1p-24F);  // 16 of them: 2^-20
    const uint32_t ones[4] = {one, one, one, one};
    float sums[4] = {1.0F, -1.0F, 0x1p-20F, -1.0F};
    multiply_bf16(sums, ones, tiny, tiny);
    first[threadIdx.x] = sums[0];
    CHECK(sums[1] == -1.0F + 0x1p-20F);
    CHECK(sums[2] == 0x1p-19F);
    const uint32_t less = pack_bf16(-0x1p-30F, 0.0F);
    float below[4] = {1.0F, -1.0F, 0.0F, 0.0F};
    multiply_bf16(below, ones, less, 0);
    CHECK(below[0] == 1.0F - 0x1p-24F);  // not rounded to nearest
    CHECK(below[1] == -1.0F);
  });
  CHECK(first[5] == 1.0F + 0x1p-20F);
}

TEST_CASE("matrices are loaded as fragments, as they are and transposed") {
  run_grid({dim3(1), dim3(32), 32 * 16}, [] {
    auto* const shared = dynamic_shared<uint16_t>();  // 4 matrices of 8 x 8: 100 matrix + 10 row + column
    const uint32_t lane = threadIdx.x;
    for (uint32_t j = 0; j < 8; ++j) {
      shared[lane * 8 + j] = static_cast<uint16_t>(lane / 8 * 100 + lane % 8 * 10 + j);
    }
    __syncwarp();
    uint32_t plain[4];
    uint32_t transposed[4];
    load_matrices(plain, shared + lane * 8);
    load_matrices_transposed(transposed, shared + lane * 8);
    for (uint32_t matrix = 0; matrix < 4; ++matrix) {
      const uint32_t first = matrix * 100 + lane / 4 * 10 + lane % 4 * 2;
      CHECK(plain[matrix] == ((first + 1) << 16 | first));
      const uint32_t above = matrix * 100 + lane % 4 * 20 + lane / 4;
      CHECK(transposed[matrix] == ((above + 10) << 16 | above));
    }
  });
}

TEST_CASE("copies in the background arrive with their group and are poison before") {
  alignas(16) std::array<uint32_t, 12> from{};
  for (uint32_t i = 0; i < 12; ++i) from[i] = i + 1;
  run_grid({dim3(1), dim3(1), 48}, [&] {
    auto* const shared = dynamic_shared<uint32_t>();
    for (int i = 0; i < 12; ++i) shared[i] = 77;
    copy_async(shared, from.data(), 16);
    close_copies();
    copy_async(shared + 4, from.data() + 4, 8);
    close_copies();
    copy_async(shared + 8, from.data() + 8, 0);
    CHECK(shared[0] == 0xFFFFFFFFU);
    wait_for_copies<2>();
    CHECK(shared[0] == 0xFFFFFFFFU);
    wait_for_copies<1>();
    CHECK(shared[0] == 1);
    CHECK(shared[3] == 4);
    CHECK(shared[4] == 0xFFFFFFFFU);
    wait_for_copies<0>();
    CHECK(shared[5] == 6);
    CHECK(shared[6] == 0);
    CHECK(shared[8] == 0xFFFFFFFFU);  // its group is not closed
    close_copies();
    wait_for_copies<0>();
    CHECK(shared[8] == 0);
  });
  const engram::simulator::DefectsThrow throwing;
  const engram::simulator::Grid grid{dim3(1), dim3(1), 40};
  CHECK_THROWS(run_grid(grid, [&] { copy_async(dynamic_shared<uint32_t>() + 8, from.data(), 16); }));
  CHECK_THROWS(run_grid(grid, [&] { copy_async(dynamic_shared<uint32_t>() + 1, from.data(), 16); }));
  CHECK_THROWS(run_grid(grid, [&] { copy_async(dynamic_shared<uint32_t>(), from.data() + 1, 4); }));
  CHECK_THROWS(run_grid(grid, [&] { copy_async(dynamic_shared<uint32_t>(), from.data(), 17); }));
}

TEST_CASE("numbers of 16 bits") {
  for (uint32_t bits = 0; bits < 65536; ++bits) {  // all of them there and back
    const float2 half = unpack_f16(bits | 0x3C000000U);
    CHECK(half.y == 1.0F);
    if (!std::isnan(half.x)) REQUIRE(pack_f16(half.x, 1.0F) == (bits | 0x3C000000U));
    const float2 brain = unpack_bf16(bits << 16 | 0x3F80U);
    CHECK(brain.x == 1.0F);
    if (!std::isnan(brain.y)) REQUIRE(pack_bf16(1.0F, brain.y) == (bits << 16 | 0x3F80U));
  }
  CHECK(unpack_f16(0x7BFF).x == 65504.0F);
  CHECK(unpack_f16(0x0001).x == 0x1p-24F);
  CHECK(pack_f16(65519.0F, 65520.0F) == 0x7C007BFFU);
  CHECK(pack_f16(0x1p-25F, 0x1.8p-24F) == 0x00020000U);  // ties to even
  CHECK(pack_f16(1.0F + 0x1p-11F, 1.0F + 0x1.8p-10F) == 0x3C023C00U);
  CHECK(pack_bf16(1.0F + 0x1p-8F, 1.0F + 0x1.8p-7F) == 0x3F823F80U);
  CHECK(pack_bf16(std::numeric_limits<float>::max(), NAN) == 0x7FFF7F80U);
}

TEST_CASE("tf32 is rounded half away from zero") {
  CHECK(round_to_tf32(1.0F) == 0x3F800000U);
  CHECK(round_to_tf32(1.0F + 0x1p-11F) == 0x3F802000U);
  CHECK(round_to_tf32(-1.0F - 0x1p-11F) == 0xBF802000U);
  CHECK(round_to_tf32(1.0F + 0x1.FFCp-12F) == 0x3F800000U);
  CHECK(round_to_tf32(INFINITY) == 0x7F800000U);
}

TEST_CASE("fast powers and logarithms know no subnormal numbers") {
  CHECK(exp2_fast(3.0F) == 8.0F);
  CHECK(exp2_fast(-126.0F) == 0x1p-126F);
  CHECK(exp2_fast(-127.0F) == 0.0F);
  CHECK(exp2_fast(-INFINITY) == 0.0F);
  int exact = 0;
  for (int i = 0; i < 300; ++i) {
    const float x = -20.0F + 0.133F * static_cast<float>(i);
    const double expected = std::exp2(static_cast<double>(x));
    CHECK(std::fabs(exp2_fast(x) - expected) <= 0x1p-22 * expected);
    exact += exp2_fast(x) == std::exp2(x) ? 1 : 0;
  }
  CHECK(exact > 30);
  CHECK(exact < 200);
  CHECK(log2_fast(8.0F) == 3.0F);
  CHECK(log2_fast(0x1p-140F) == -INFINITY);
  CHECK(log2_fast(0.0F) == -INFINITY);
}
