// Feeds arbitrary bytes to the npy parser; what it accepts must lie inside the bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "storage/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto parsed = engram::storage::parse_npy(bytes);
  if (!parsed.ok()) return 0;
  if (parsed.value().data + parsed.value().bytes != bytes.data() + size) std::abort();
  return 0;
}
