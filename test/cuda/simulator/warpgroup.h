// Products of tiles by the four warps of a warpgroup (wgmma), by the tables of the PTX ISA.
//
// The warps of a warpgroup give the same instructions in the same order: a defect where they do not. Products
// are carried out when a wait requires it and nobody else can go on. Until then accumulators hold a NaN, and
// neither they nor the registers of A may be written; both are looked at.
#pragma once

#include <cstdint>

namespace engram::simulator {

enum class TileElement : uint8_t { kFloat16, kBfloat16 };

// d (64 x 2 `count`) = a b (+ d where `add`), over 16.
struct TileProduct {
  float* d;
  uint32_t count;  // accumulators of a lane
  TileElement element;
  bool add;
  const uint32_t* a_registers;  // null: `a` describes the operand, its rows being rows of A
  uint64_t a;
  uint64_t b;
  bool b_down_rows;  // what is summed over runs down the rows of b; else along them
};

void begin_product(const TileProduct& product);
void fence_warpgroup_products();
void close_product_group();
// Until at most `open` of the newest groups are under way, and all warps have come this far.
void wait_for_product_groups(uint32_t open);
// setmaxnreg
void set_registers(uint32_t registers, bool grow);

}  // namespace engram::simulator
