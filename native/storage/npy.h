// NumPy's .npy, versions 1 to 3 (NEP 1): one array per file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/safetensors.h"

namespace engram::storage {

struct NpyArray {
  Dtype dtype = Dtype::kF32;
  std::vector<uint64_t> shape;
  const std::byte* data = nullptr;  // inside `bytes`, aligned to dtype_bytes(dtype) or refused
  uint64_t bytes = 0;
};

// kFormat for anything but a little-endian (or single-byte), C-order array of a type in Dtype: object
// arrays, structured types, Fortran order, big-endian, truncated or trailing data, hostile headers.
Result<NpyArray> parse_npy(std::span<const std::byte> bytes);

// Writes version 1.0 (2.0 when the header needs it), atomically, data aligned to 64 bytes.
Status write_npy(const std::string& path, Dtype dtype, std::span<const uint64_t> shape,
                 std::span<const std::span<const std::byte>> pieces);

}  // namespace engram::storage
