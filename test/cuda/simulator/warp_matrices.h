// Instructions on matrices that the 32 lanes of a warp hold together, by the tables of the PTX ISA.
#pragma once

#include <cstdint>

namespace engram::simulator {

struct MatrixLoad {
  const void* row;
  uint32_t fragment[4];
};
// ldmatrix.m8n8.x4.b16
void load_matrices(MatrixLoad* load);
void load_matrices_transposed(MatrixLoad* load);

struct MatrixProduct {
  float (&d)[4];
  const uint32_t (&a)[4];
  uint32_t b[2];
};
// mma.m16n8k16 of bf16 and f16, mma.m16n8k8 of tf32; d += a b.
void multiply_bf16(MatrixProduct* product);
void multiply_f16(MatrixProduct* product);
void multiply_tf32(MatrixProduct* product);

// Rounded towards zero, as accumulators are.
float truncated(double x);

}  // namespace engram::simulator
