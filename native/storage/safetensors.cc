#include "storage/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <tuple>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "storage/atomic_file.h"
#include "storage/header_reader.h"

namespace engram::storage {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr size_t kAlignTo = 64;
constexpr size_t kWritePiece = 8 << 20;
constexpr char kChecksumPrefix[] = "engram.checksum.";

struct DtypeFacts {
  Dtype dtype;
  const char* name;
  size_t bytes;
};
constexpr std::array<DtypeFacts, 13> kDtypes = {{{Dtype::kBool, "BOOL", 1},
                                                 {Dtype::kU8, "U8", 1},
                                                 {Dtype::kI8, "I8", 1},
                                                 {Dtype::kI16, "I16", 2},
                                                 {Dtype::kU16, "U16", 2},
                                                 {Dtype::kF16, "F16", 2},
                                                 {Dtype::kBF16, "BF16", 2},
                                                 {Dtype::kI32, "I32", 4},
                                                 {Dtype::kU32, "U32", 4},
                                                 {Dtype::kF32, "F32", 4},
                                                 {Dtype::kF64, "F64", 8},
                                                 {Dtype::kI64, "I64", 8},
                                                 {Dtype::kU64, "U64", 8}}};

Status format_error(std::string message) {
  return {StatusCode::kFormat, "safetensors: " + std::move(message)};
}

struct ParsedEntry {
  TensorEntry tensor;
  uint64_t begin = 0;
  uint64_t end = 0;
};

bool read_metadata(HeaderReader& reader, std::map<std::string, std::string>& metadata) {
  if (!reader.expect('{')) return false;
  if (reader.accept('}')) return true;
  do {
    std::string name;
    std::string value;
    if (!reader.json_string(name) || !reader.expect(':') || !reader.json_string(value)) return false;
    if (!metadata.emplace(name, value).second)
      return reader.complain("metadata " + printable(name) + " occurs twice");
  } while (reader.accept(','));
  return reader.expect('}');
}

bool read_integers(HeaderReader& reader, std::vector<uint64_t>& out) {
  if (!reader.expect('[')) return false;
  if (reader.accept(']')) return true;
  do {
    uint64_t value = 0;
    if (!reader.integer(value)) return false;
    out.push_back(value);
  } while (reader.accept(','));
  return reader.expect(']');
}

bool read_dtype(HeaderReader& reader, Dtype& out) {
  std::string name;
  if (!reader.json_string(name)) return false;
  for (const DtypeFacts& facts : kDtypes) {
    if (name != facts.name) continue;
    out = facts.dtype;
    return true;
  }
  return reader.complain("unknown dtype " + printable(name));
}

bool read_entry(HeaderReader& reader, ParsedEntry& entry) {
  bool has_dtype = false;
  bool has_shape = false;
  bool has_offsets = false;
  if (!reader.expect('{')) return false;
  do {
    std::string field;
    if (!reader.json_string(field) || !reader.expect(':')) return false;
    bool* seen = field == "dtype"          ? &has_dtype
                 : field == "shape"        ? &has_shape
                 : field == "data_offsets" ? &has_offsets
                                           : nullptr;
    if (seen == nullptr) return reader.complain("unknown field " + printable(field));
    if (*seen) return reader.complain("field " + printable(field) + " occurs twice");
    *seen = true;
    if (seen == &has_dtype) {
      if (!read_dtype(reader, entry.tensor.dtype)) return false;
    } else if (seen == &has_shape) {
      if (!read_integers(reader, entry.tensor.shape)) return false;
    } else {
      std::vector<uint64_t> offsets;
      if (!read_integers(reader, offsets)) return false;
      if (offsets.size() != 2) return reader.complain("data_offsets must be two numbers");
      entry.begin = offsets[0];
      entry.end = offsets[1];
    }
  } while (reader.accept(','));
  if (!reader.expect('}')) return false;
  if (!has_dtype || !has_shape || !has_offsets) {
    return reader.complain("tensor " + printable(entry.tensor.name) + " lacks dtype, shape or data_offsets");
  }
  return true;
}

bool read_header(HeaderReader& reader, std::vector<ParsedEntry>& entries,
                 std::map<std::string, std::string>& metadata) {
  std::set<std::string> names;
  if (!reader.expect('{')) return false;
  if (!reader.accept('}')) {
    do {
      std::string name;
      if (!reader.json_string(name) || !reader.expect(':')) return false;
      if (!names.insert(name).second) return reader.complain("name " + printable(name) + " occurs twice");
      if (name == "__metadata__") {
        if (!read_metadata(reader, metadata)) return false;
        continue;
      }
      ParsedEntry& entry = entries.emplace_back();
      entry.tensor.name = std::move(name);
      if (!read_entry(reader, entry)) return false;
    } while (reader.accept(','));
    if (!reader.expect('}')) return false;
  }
  return reader.only(' ') || reader.complain("something follows the header's closing brace");
}

// Bytes of a tensor of this shape; false when they exceed 64 bits.
bool byte_size(const TensorEntry& tensor, uint64_t& out) {
  out = dtype_bytes(tensor.dtype);
  for (const uint64_t extent : tensor.shape) {
    if (extent != 0 && out > UINT64_MAX / extent) return false;
    out *= extent;
  }
  return true;
}

// Offsets must tile the data: no overlap, no hole, nothing behind.
Status place(std::vector<ParsedEntry>& entries, std::span<const std::byte> data) {
  std::sort(entries.begin(), entries.end(), [](const ParsedEntry& a, const ParsedEntry& b) {
    return std::tie(a.begin, a.end, a.tensor.name) < std::tie(b.begin, b.end, b.tensor.name);
  });
  uint64_t at = 0;
  for (ParsedEntry& entry : entries) {
    TensorEntry& tensor = entry.tensor;
    const std::string label = "tensor " + printable(tensor.name);
    if (entry.end < entry.begin) return format_error(label + " ends before it begins");
    if (entry.end > data.size()) {
      return format_error(label + " ends at byte " + std::to_string(entry.end) + " of the data, which has " +
                          std::to_string(data.size()) + "; the file is truncated");
    }
    if (entry.begin != at) {
      return format_error(label +
                          (entry.begin < at ? " overlaps the one before it" : " leaves a hole before it"));
    }
    uint64_t bytes = 0;
    if (!byte_size(tensor, bytes)) return format_error(label + " has a shape beyond 64 bits");
    if (bytes != entry.end - entry.begin) {
      return format_error(label + " has a shape of " + std::to_string(bytes) + " bytes but data_offsets of " +
                          std::to_string(entry.end - entry.begin));
    }
    tensor.data = data.data() + entry.begin;
    tensor.bytes = bytes;
    if (bytes != 0 && reinterpret_cast<uintptr_t>(tensor.data) % dtype_bytes(tensor.dtype) != 0) {
      return format_error(label + " is not aligned for " + dtype_name(tensor.dtype) +
                          "; save the file again with a current safetensors library");
    }
    at = entry.end;
  }
  if (at != data.size()) {
    return format_error(std::to_string(data.size() - at) + " bytes follow the last tensor");
  }
  return {};
}

std::string hex16(uint64_t value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out(16, '0');
  for (int i = 15; i >= 0; --i, value >>= 4) out[static_cast<size_t>(i)] = kDigits[value & 15];
  return out;
}

void append_json_string(std::string& out, const std::string& text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

uint64_t source_bytes(const TensorSource& source) {
  uint64_t bytes = 0;
  for (const std::span<const std::byte>& piece : source.pieces) bytes += piece.size();
  return bytes;
}

// The header with its length in front, padded so that the data starts at a multiple of 64.
std::string make_header(std::span<const TensorSource> tensors,
                        const std::map<std::string, std::string>& metadata) {
  std::string json = "{";
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [name, value] : metadata) {
      if (json.back() != '{') json += ',';
      append_json_string(json, name);
      json += ':';
      append_json_string(json, value);
    }
    json += '}';
  }
  uint64_t at = 0;
  for (const TensorSource& tensor : tensors) {
    if (json.back() != '{') json += ',';
    append_json_string(json, tensor.name);
    json += std::string(":{\"dtype\":\"") + dtype_name(tensor.dtype) + "\",\"shape\":[";
    for (const uint64_t extent : tensor.shape) {
      if (json.back() != '[') json += ',';
      json += std::to_string(extent);
    }
    const uint64_t end = at + source_bytes(tensor);
    json += "],\"data_offsets\":[" + std::to_string(at) + "," + std::to_string(end) + "]}";
    at = end;
  }
  json += '}';
  json.append((kAlignTo - (json.size() + 8) % kAlignTo) % kAlignTo, ' ');
  std::string header(8, '\0');
  for (size_t i = 0; i < 8; ++i) header[i] = static_cast<char>(json.size() >> (8 * i) & 0xFF);
  return header + json;
}

struct Progress {
  uint64_t done = 0;
  uint64_t total = 0;
  const std::function<bool(uint64_t done, uint64_t total)>& keep_going;

  bool go_on() const { return !keep_going || keep_going(done, total); }
};

constexpr char kCancelled[] = "saving was cancelled";

// Writes the tensor's bytes and, where `checksum` is not null, leaves their checksum there: one pass, since
// a mapped memory may be larger than RAM.
Status write_tensor(AtomicFile& file, const TensorSource& tensor, std::string* checksum, Progress& progress) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (std::span<const std::byte> piece : tensor.pieces) {
    while (!piece.empty()) {
      if (!progress.go_on()) return {StatusCode::kAborted, kCancelled};
      const std::span<const std::byte> part = piece.first(std::min(piece.size(), kWritePiece));
      if (checksum != nullptr) XXH3_64bits_update(&state, part.data(), part.size());
      const Status status = file.write(part);
      if (!status.ok()) return status;
      piece = piece.subspan(part.size());
      progress.done += part.size();
    }
  }
  if (checksum != nullptr) *checksum = hex16(XXH3_64bits_digest(&state));
  return {};
}

}  // namespace

size_t dtype_bytes(Dtype dtype) noexcept { return kDtypes[static_cast<size_t>(dtype)].bytes; }
const char* dtype_name(Dtype dtype) noexcept { return kDtypes[static_cast<size_t>(dtype)].name; }

const TensorEntry* SafetensorsFile::find(const std::string& name) const {
  for (const TensorEntry& tensor : tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

Result<SafetensorsFile> parse_safetensors(std::span<const std::byte> bytes) {
  if (bytes.size() < 8) {
    return format_error("the file has " + std::to_string(bytes.size()) + " bytes; at least 8 are needed");
  }
  uint64_t length = 0;
  for (size_t i = 0; i < 8; ++i) length |= static_cast<uint64_t>(bytes[i]) << (8 * i);
  if (length > kMaxHeader) {
    return format_error("the header claims " + std::to_string(length) +
                        " bytes; at most 100000000 are allowed");
  }
  if (length > bytes.size() - 8) {
    return format_error("the header claims " + std::to_string(length) + " bytes, the file has " +
                        std::to_string(bytes.size() - 8) + " after the length; it is truncated");
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  if (text.empty() || text.front() != '{') return format_error("the header does not begin with '{'");
  if (!is_utf8(text)) return format_error("the header is not valid UTF-8");
  HeaderReader reader(text, "safetensors header");
  std::vector<ParsedEntry> entries;
  SafetensorsFile file;
  if (!read_header(reader, entries, file.metadata)) return reader.status();
  Status status = place(entries, bytes.subspan(8 + length));
  if (!status.ok()) return status;
  for (ParsedEntry& entry : entries) file.tensors.push_back(std::move(entry.tensor));
  return file;
}

Status write_safetensors(const std::string& path, std::span<const TensorSource> tensors,
                         const std::map<std::string, std::string>& metadata, bool checksums,
                         const std::function<bool(uint64_t done, uint64_t total)>& keep_going) {
  std::map<std::string, std::string> entries = metadata;
  Progress progress{.total = 0, .keep_going = keep_going};
  for (const TensorSource& tensor : tensors) {
    progress.total += source_bytes(tensor);
    if (checksums) entries[kChecksumPrefix + tensor.name] = hex16(0);  // known once the data is written
  }
  Result<AtomicFile> created = AtomicFile::create(path);
  if (!created.ok()) return created.status();
  AtomicFile file = std::move(created).value();

  std::string header = make_header(tensors, entries);
  Status status = file.write(std::as_bytes(std::span(header)));
  for (const TensorSource& tensor : tensors) {
    std::string* const sum = checksums ? &entries[kChecksumPrefix + tensor.name] : nullptr;
    if (status.ok()) status = write_tensor(file, tensor, sum, progress);
  }
  if (status.ok() && checksums) {
    header = make_header(tensors, entries);  // as long as before
    status = file.overwrite(0, std::as_bytes(std::span(header)));
  }
  if (!status.ok()) return status;
  if (!progress.go_on()) return {StatusCode::kAborted, kCancelled};
  return file.commit();
}

Result<std::vector<std::byte>> safetensors_bytes(std::span<const TensorSource> tensors,
                                                 const std::map<std::string, std::string>& metadata) {
  std::map<std::string, std::string> entries = metadata;
  uint64_t size = 0;
  for (const TensorSource& tensor : tensors) {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    for (const std::span<const std::byte> piece : tensor.pieces) {
      XXH3_64bits_update(&state, piece.data(), piece.size());
    }
    entries[kChecksumPrefix + tensor.name] = hex16(XXH3_64bits_digest(&state));
    size += source_bytes(tensor);
  }
  const std::string header = make_header(tensors, entries);
  std::vector<std::byte> bytes;
  try {
    bytes.reserve(header.size() + size);
  } catch (const std::exception&) {  // bad_alloc, length_error
    return Status(StatusCode::kOutOfMemory,
                  "there is no memory for a message of " + std::to_string(header.size() + size) + " bytes");
  }
  const auto append = [&](std::span<const std::byte> part) {
    bytes.insert(bytes.end(), part.begin(), part.end());
  };
  append(std::as_bytes(std::span(header)));
  for (const TensorSource& tensor : tensors) {
    for (const std::span<const std::byte> piece : tensor.pieces) append(piece);
  }
  return bytes;
}

Status verify_checksums(const SafetensorsFile& file) {
  for (const TensorEntry& tensor : file.tensors) {
    const auto stated = file.metadata.find(kChecksumPrefix + tensor.name);
    if (stated == file.metadata.end()) continue;
    const std::string found = hex16(XXH3_64bits(tensor.data, tensor.bytes));
    if (found != stated->second) {
      return format_error("tensor " + printable(tensor.name) + " has checksum " + found +
                          ", the file states " + stated->second + "; its bytes were changed");
    }
  }
  return {};
}

}  // namespace engram::storage
