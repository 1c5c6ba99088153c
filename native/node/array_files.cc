#include "node/array_files.h"

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/memory.h"
#include "node/arguments.h"
#include "node/errors.h"
#include "node/values.h"
#include "storage/npy.h"
#include "storage/safetensors.h"

namespace engram::node {
namespace {

using storage::Dtype;
using storage::NpyArray;
using storage::SafetensorsFile;
using storage::TensorEntry;

bool is_npy(std::span<const std::byte> bytes) {
  constexpr char kMagic[] = "\x93NUMPY";
  return bytes.size() >= sizeof(kMagic) - 1 && std::memcmp(bytes.data(), kMagic, sizeof(kMagic) - 1) == 0;
}

// The tensor called `name`; where that is empty "patterns", or the file's only one.
Result<TensorEntry> choose_tensor(const SafetensorsFile& file, const std::string& name) {
  const std::string wanted = name.empty() ? "patterns" : name;
  const TensorEntry* chosen = file.find(wanted);
  if (chosen == nullptr && name.empty() && file.tensors.size() == 1) chosen = &file.tensors.front();
  if (chosen != nullptr) return *chosen;
  std::string present;
  for (const TensorEntry& tensor : file.tensors) present += (present.empty() ? "" : ", ") + tensor.name;
  return Status(StatusCode::kFormat,
                "the file has no tensor '" + wanted + "'; it has " + (present.empty() ? "none" : present));
}

// The array in the bytes of a .npy or safetensors file.
Result<TensorEntry> find_array(std::span<const std::byte> bytes, const std::string& name) {
  if (!is_npy(bytes)) {
    const Result<SafetensorsFile> file = storage::parse_safetensors(bytes);
    return file.ok() ? choose_tensor(file.value(), name) : file.status();
  }
  const Result<NpyArray> array = storage::parse_npy(bytes);
  if (!array.ok()) return array.status();
  const NpyArray& found = array.value();
  return TensorEntry{{}, found.dtype, found.shape, found.data, found.bytes};
}

// readTensor(path, name): [dtype, shape, bytes], the bytes copied out of the file.
napi_value read_tensor(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::string path = arguments.text(0);
  const std::string name = arguments.text(1);
  if (!arguments.ok()) return nullptr;
  const Result<std::shared_ptr<const MappedFile>> file = MappedFile::open(path);
  if (!file.ok()) return throw_status(env, file.status());
  const Result<TensorEntry> found = find_array({file.value()->data(), file.value()->size()}, name);
  if (!found.ok()) {
    return throw_status(env, {found.status().code(), path + ": " + found.status().message()});
  }
  const TensorEntry& tensor = found.value();
  napi_value bytes = uint8_array(env, {tensor.data, tensor.bytes});
  if (bytes == nullptr) {
    return throw_status(env, {StatusCode::kOutOfMemory, path + ": there is no memory for its " +
                                                            std::to_string(tensor.bytes) + " bytes"});
  }
  std::vector<napi_value> shape;
  for (const uint64_t extent : tensor.shape) shape.push_back(number(env, static_cast<double>(extent)));
  return array(env, {text(env, storage::dtype_name(tensor.dtype)), array(env, shape), bytes});
}

// writeNpy(path, dtype, shape: Float64Array, bytes): atomically.
napi_value write_npy(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::string path = arguments.text(0);
  const std::string dtype_name = arguments.text(1);
  const std::span<const double> extents = arguments.doubles(2);
  const std::span<const uint8_t> data = arguments.bytes(3);
  if (!arguments.ok()) return nullptr;
  Dtype dtype = Dtype::kBool;
  while (dtype_name != storage::dtype_name(dtype)) {
    if (dtype == Dtype::kU64) {
      return throw_status(env, {StatusCode::kType, "there is no element type '" + dtype_name + "'"});
    }
    dtype = static_cast<Dtype>(static_cast<int>(dtype) + 1);
  }
  const std::vector<uint64_t> shape(extents.begin(), extents.end());
  const std::span<const std::byte> pieces[] = {std::as_bytes(data)};
  const Status status = storage::write_npy(path, dtype, shape, pieces);
  return status.ok() ? undefined(env) : throw_status(env, status);
}

}  // namespace

std::vector<napi_property_descriptor> array_file_functions() {
  return {method("readTensor", &read_tensor), method("writeNpy", &write_npy)};
}

}  // namespace engram::node
