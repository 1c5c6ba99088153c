#include "storage/npy.h"

#include <array>
#include <cstring>

#include "storage/atomic_file.h"
#include "storage/header_reader.h"

namespace engram::storage {
namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMagicBytes = 6;
constexpr size_t kAlignTo = 64;
constexpr uint64_t kMaxHeader = 1 << 20;

struct Descr {
  const char* text;
  Dtype dtype;
};
constexpr std::array<Descr, 12> kDescrs = {{{"|b1", Dtype::kBool},
                                            {"|u1", Dtype::kU8},
                                            {"|i1", Dtype::kI8},
                                            {"<i2", Dtype::kI16},
                                            {"<u2", Dtype::kU16},
                                            {"<f2", Dtype::kF16},
                                            {"<i4", Dtype::kI32},
                                            {"<u4", Dtype::kU32},
                                            {"<f4", Dtype::kF32},
                                            {"<f8", Dtype::kF64},
                                            {"<i8", Dtype::kI64},
                                            {"<u8", Dtype::kU64}}};

Status format_error(std::string message) { return {StatusCode::kFormat, "npy: " + std::move(message)}; }

bool read_descr(HeaderReader& reader, Dtype& out) {
  if (reader.accept('[')) return reader.complain("structured arrays are not supported; save one plain array");
  std::string text;
  if (!reader.python_string(text)) return false;
  for (const Descr& descr : kDescrs) {
    if (text != descr.text) continue;
    out = descr.dtype;
    return true;
  }
  return reader.complain("element type " + printable(text) +
                         " is not supported; valid: little-endian integers and floats, bool");
}

bool read_shape(HeaderReader& reader, std::vector<uint64_t>& out) {
  if (!reader.expect('(')) return false;
  while (!reader.accept(')')) {
    uint64_t extent = 0;
    if (!reader.integer(extent)) return false;
    out.push_back(extent);
    if (reader.accept(',')) continue;
    // (3) is a number in Python, not a tuple.
    if (out.size() == 1) return reader.complain("expected ','");
    return reader.expect(')');
  }
  return true;
}

bool read_fortran_order(HeaderReader& reader, bool& out) {
  out = reader.accept_word("True");
  return out || reader.accept_word("False") || reader.complain("fortran_order must be True or False");
}

// The Python dictionary of the header, its keys in any order.
bool read_dictionary(HeaderReader& reader, NpyArray& array, bool& fortran_order) {
  bool has_descr = false;
  bool has_order = false;
  bool has_shape = false;
  if (!reader.expect('{')) return false;
  while (!reader.accept('}')) {
    std::string key;
    if (!reader.python_string(key) || !reader.expect(':')) return false;
    bool* seen = key == "descr"           ? &has_descr
                 : key == "fortran_order" ? &has_order
                 : key == "shape"         ? &has_shape
                                          : nullptr;
    if (seen == nullptr) return reader.complain("unknown key " + printable(key));
    if (*seen) return reader.complain("key " + printable(key) + " occurs twice");
    *seen = true;
    const bool read = seen == &has_descr   ? read_descr(reader, array.dtype)
                      : seen == &has_order ? read_fortran_order(reader, fortran_order)
                                           : read_shape(reader, array.shape);
    if (!read) return false;
    if (reader.accept(',')) continue;
    if (!reader.expect('}')) return false;
    break;
  }
  if (!has_descr || !has_order || !has_shape)
    return reader.complain("descr, fortran_order or shape is missing");
  reader.skip_space();
  return reader.at_end() || reader.complain("something follows the header's dictionary");
}

bool is_contiguous_either_way(const std::vector<uint64_t>& shape) {
  size_t wide = 0;
  for (const uint64_t extent : shape) wide += extent != 1 ? 1 : 0;
  return wide <= 1;
}

}  // namespace

Result<NpyArray> parse_npy(std::span<const std::byte> bytes) {
  if (bytes.size() < kMagicBytes + 4 || std::memcmp(bytes.data(), kMagic, kMagicBytes) != 0) {
    return format_error("the file does not begin with the magic \\x93NUMPY");
  }
  const auto major = static_cast<unsigned>(bytes[6]);
  const auto minor = static_cast<unsigned>(bytes[7]);
  if (major < 1 || major > 3 || minor != 0) {
    return format_error("version " + std::to_string(major) + "." + std::to_string(minor) +
                        " is unknown; valid: 1.0, 2.0, 3.0");
  }
  const size_t length_bytes = major == 1 ? 2 : 4;
  const size_t before = kMagicBytes + 2 + length_bytes;
  if (bytes.size() < before) return format_error("the file is truncated in its header");
  uint64_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i) {
    length |= static_cast<uint64_t>(bytes[kMagicBytes + 2 + i]) << (8 * i);
  }
  if (length > kMaxHeader) return format_error("the header claims " + std::to_string(length) + " bytes");
  if (length > bytes.size() - before) return format_error("the file is truncated in its header");

  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + before, length);
  if (!is_utf8(text)) return format_error("the header is not valid UTF-8");
  HeaderReader reader(text, "npy header");
  NpyArray array;
  bool fortran_order = false;
  if (!read_dictionary(reader, array, fortran_order)) return reader.status();
  if (fortran_order && !is_contiguous_either_way(array.shape)) {
    return format_error("the array is in Fortran order; save numpy.ascontiguousarray(a)");
  }

  array.bytes = dtype_bytes(array.dtype);
  for (const uint64_t extent : array.shape) {
    if (extent != 0 && array.bytes > UINT64_MAX / extent) return format_error("the shape is beyond 64 bits");
    array.bytes *= extent;
  }
  const uint64_t available = bytes.size() - before - length;
  if (available != array.bytes) {
    return format_error("the shape needs " + std::to_string(array.bytes) + " bytes of data, the file has " +
                        std::to_string(available));
  }
  array.data = bytes.data() + before + length;
  if (array.bytes != 0 && reinterpret_cast<uintptr_t>(array.data) % dtype_bytes(array.dtype) != 0) {
    return format_error("the data is not aligned for its type; save it again with a current NumPy");
  }
  return array;
}

Status write_npy(const std::string& path, Dtype dtype, std::span<const uint64_t> shape,
                 std::span<const std::span<const std::byte>> pieces) {
  const Descr* descr = nullptr;
  for (const Descr& candidate : kDescrs) {
    if (candidate.dtype == dtype) descr = &candidate;
  }
  if (descr == nullptr) {
    return {StatusCode::kType, std::string("npy has no element type for ") + dtype_name(dtype)};
  }
  std::string dictionary = std::string("{'descr': '") + descr->text + "', 'fortran_order': False, 'shape': (";
  for (const uint64_t extent : shape) dictionary += std::to_string(extent) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) dictionary.resize(dictionary.size() - 2);
  dictionary += "), }";

  // Version 1.0 unless its 16-bit length does not suffice. The header ends with a newline.
  const bool wide = dictionary.size() + 1 + kAlignTo > 0xFFFF;
  const size_t length_bytes = wide ? 4 : 2;
  const size_t before = kMagicBytes + 2 + length_bytes;
  const size_t unpadded = before + dictionary.size() + 1;
  dictionary.append((kAlignTo - unpadded % kAlignTo) % kAlignTo, ' ');
  dictionary += '\n';
  std::string header(kMagic, kMagicBytes);
  header += wide ? '\x02' : '\x01';
  header += '\0';
  for (size_t i = 0; i < length_bytes; ++i) header += static_cast<char>(dictionary.size() >> (8 * i) & 0xFF);
  header += dictionary;

  Result<AtomicFile> created = AtomicFile::create(path);
  if (!created.ok()) return created.status();
  AtomicFile file = std::move(created).value();
  Status status = file.write(std::as_bytes(std::span(header)));
  for (const std::span<const std::byte>& piece : pieces) {
    if (status.ok()) status = file.write(piece);
  }
  return status.ok() ? file.commit() : status;
}

}  // namespace engram::storage
