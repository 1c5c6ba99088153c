#include "warp_matrices.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "block.h"
#include "defect.h"
#include "small_floats.h"

namespace engram::simulator {
namespace {

constexpr uint32_t kAllLanes = 0xFFFFFFFFU;

template <bool kTransposed>
void perform_load(void* const* operands, uint32_t) {
  uint16_t matrices[4][8][8];
  for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
    const void* const row = static_cast<MatrixLoad*>(operands[lane])->row;
    std::memcpy(matrices[lane / 8][lane % 8], at_shared_address(shared_address(row), 16, 16), 16);
  }
  for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
    const uint32_t i = lane / 4;
    const uint32_t j = lane % 4 * 2;
    for (uint32_t matrix = 0; matrix < 4; ++matrix) {
      const auto& m = matrices[matrix];
      const uint32_t low = kTransposed ? m[j][i] : m[i][j];
      const uint32_t high = kTransposed ? m[j + 1][i] : m[i][j + 1];
      static_cast<MatrixLoad*>(operands[lane])->fragment[matrix] = high << 16 | low;
    }
  }
}

// Adds a (16 x kDepth) times b (kDepth x 8) to the accumulators of all lanes. The ISA leaves order and
// rounding open. As devices do it: kAtOnce products and the accumulator are added without loss, then rounded
// towards zero.
template <int kAtOnce, int kDepth>
void accumulate(void* const* operands, const float (&a)[16][kDepth], const float (&b)[kDepth][8]) {
  for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
    float(&d)[4] = static_cast<MatrixProduct*>(operands[lane])->d;
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t row = lane / 4 + i / 2 * 8;
      const uint32_t column = lane % 4 * 2 + i % 2;
      for (int first = 0; first < kDepth; first += kAtOnce) {
        double sum = d[i];
        for (int k = first; k < first + kAtOnce; ++k) sum += static_cast<double>(a[row][k]) * b[k][column];
        d[i] = truncated(sum);
      }
    }
  }
}

template <float (*kValue)(uint16_t)>
void perform_product_16(void* const* operands, uint32_t) {
  float a[16][16];
  float b[16][8];
  for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
    const auto& product = *static_cast<MatrixProduct*>(operands[lane]);
    const uint32_t g = lane / 4;
    const uint32_t t = lane % 4;
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t row = g + i % 2 * 8;
      const uint32_t k = 2 * t + i / 2 * 8;
      a[row][k] = kValue(static_cast<uint16_t>(product.a[i]));
      a[row][k + 1] = kValue(static_cast<uint16_t>(product.a[i] >> 16));
    }
    for (uint32_t i = 0; i < 2; ++i) {
      const uint32_t k = 2 * t + i * 8;
      b[k][g] = kValue(static_cast<uint16_t>(product.b[i]));
      b[k + 1][g] = kValue(static_cast<uint16_t>(product.b[i] >> 16));
    }
  }
  accumulate<8>(operands, a, b);
}

void perform_product_tf32(void* const* operands, uint32_t) {
  float a[16][8];
  float b[8][8];
  for (uint32_t lane = 0; lane < kWarpLanes; ++lane) {
    const auto& product = *static_cast<MatrixProduct*>(operands[lane]);
    const uint32_t g = lane / 4;
    const uint32_t t = lane % 4;
    for (uint32_t i = 0; i < 4; ++i) a[g + i % 2 * 8][t + i / 2 * 4] = tf32_value(product.a[i]);
    for (uint32_t i = 0; i < 2; ++i) b[t + i * 4][g] = tf32_value(product.b[i]);
  }
  accumulate<4>(operands, a, b);
}

}  // namespace

float truncated(double x) {
  const auto nearest = static_cast<float>(x);
  return std::fabs(static_cast<double>(nearest)) <= std::fabs(x)
             ? nearest
             : std::bit_cast<float>(std::bit_cast<uint32_t>(nearest) - 1);
}

void load_matrices(MatrixLoad* load) { do_as_warp("ldmatrix", perform_load<false>, kAllLanes, load); }
void load_matrices_transposed(MatrixLoad* load) {
  do_as_warp("ldmatrix.trans", perform_load<true>, kAllLanes, load);
}

void multiply_bf16(MatrixProduct* product) {
  do_as_warp("mma of bf16", perform_product_16<bf16_value>, kAllLanes, product);
}
void multiply_f16(MatrixProduct* product) {
  do_as_warp("mma of f16", perform_product_16<f16_value>, kAllLanes, product);
}
void multiply_tf32(MatrixProduct* product) {
  do_as_warp("mma of tf32", perform_product_tf32, kAllLanes, product);
}

}  // namespace engram::simulator
