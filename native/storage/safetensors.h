// safetensors: a header length (u64 little-endian), a JSON header, the tensors' bytes.
// Reading trusts no byte of the file. https://huggingface.co/docs/safetensors (format section)
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace engram::storage {

// Element types of the format; names as the format spells them ("F32", "I64", ...).
enum class Dtype : uint8_t { kBool, kU8, kI8, kI16, kU16, kF16, kBF16, kI32, kU32, kF32, kF64, kI64, kU64 };
size_t dtype_bytes(Dtype dtype) noexcept;
const char* dtype_name(Dtype dtype) noexcept;

struct TensorEntry {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<uint64_t> shape;
  const std::byte* data = nullptr;  // inside the mapped file
  uint64_t bytes = 0;
};

struct SafetensorsFile {
  std::vector<TensorEntry> tensors;             // in file order
  std::map<std::string, std::string> metadata;  // __metadata__
  const TensorEntry* find(const std::string& name) const;
};

// Parses the bytes of a whole file; tensor pointers lie inside `bytes`.
// kFormat, naming what is wrong and where: truncated, header over 100 MB, bad UTF-8 or JSON, unknown
// dtype, duplicate names, offsets that overlap, leave holes or run past the end, sizes that overflow,
// shape and byte count that disagree, data not aligned for its type, trailing bytes.
Result<SafetensorsFile> parse_safetensors(std::span<const std::byte> bytes);

// One tensor to be written: `write_rows` pieces come from several buffers.
struct TensorSource {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<uint64_t> shape;
  std::vector<std::span<const std::byte>> pieces;  // concatenated, they are the tensor
};

// Writes atomically (see atomic_file.h); the header is padded so that data starts at a multiple of 64.
// With `checksums`, adds to the metadata "engram.checksum.<name>": XXH3-64 of the tensor's bytes as 16
// hex digits. `keep_going` (may be empty) is called about every 8 MiB with bytes written and total;
// false stops: kAborted, and the old file is untouched.
Status write_safetensors(const std::string& path, std::span<const TensorSource> tensors,
                         const std::map<std::string, std::string>& metadata, bool checksums,
                         const std::function<bool(uint64_t done, uint64_t total)>& keep_going = {});

// The same bytes in memory, with checksums, for what travels instead of lying on a disk. kOutOfMemory.
Result<std::vector<std::byte>> safetensors_bytes(std::span<const TensorSource> tensors,
                                                 const std::map<std::string, std::string>& metadata);

// Compares each tensor with its "engram.checksum.<name>", where there is one. kFormat on mismatch.
Status verify_checksums(const SafetensorsFile& file);

}  // namespace engram::storage
