// Feeds arbitrary bytes to the safetensors parser; what it accepts must lie inside the bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "storage/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto parsed = engram::storage::parse_safetensors(bytes);
  if (!parsed.ok()) return 0;
  for (const engram::storage::TensorEntry& tensor : parsed.value().tensors) {
    if (tensor.data < bytes.data() || tensor.data + tensor.bytes > bytes.data() + size) std::abort();
  }
  (void)engram::storage::verify_checksums(parsed.value());
  return 0;
}
