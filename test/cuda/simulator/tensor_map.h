// What a simulated tensor map says: how boxes of a matrix of 16-bit elements are copied.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <cstdint>

namespace engram::simulator {

struct TensorMap {
  uint64_t mark;  // of an encoded map
  const std::byte* address;
  uint64_t columns;
  uint64_t rows;
  uint64_t row_bytes;  // from row to row
  uint32_t box_columns;
  uint32_t box_rows;
  uint32_t swizzle;  // of the bits 7 to 9 of an address in shared memory, those that its bits 4 to 6 are
                     // xored with

  uint32_t box_bytes() const { return box_columns * box_rows * 2; }
};

// A defect where `map` is none that was encoded.
TensorMap read_tensor_map(const CUtensorMap* map);

}  // namespace engram::simulator
