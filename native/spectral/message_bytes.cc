#include "spectral/message_bytes.h"

#include <cstring>
#include <string>
#include <utility>

#include "base/numbers.h"
#include "storage/memory_file.h"
#include "storage/safetensors.h"

namespace engram::spectral {
namespace {

using storage::Dtype;
using storage::SafetensorsFile;
using storage::TensorEntry;

constexpr storage::MemoryKind kMessage = {.name = "hebbian-operator", .version = "1"};
constexpr char kSampleCount[] = "engram.sample_count";
constexpr char kTrace[] = "engram.trace";
constexpr char kNoiseVariance[] = "engram.noise_variance";
constexpr char kQuality[] = "engram.quality";
constexpr char kClient[] = "engram.client";

Status format_error(std::string message) { return {StatusCode::kFormat, std::move(message)}; }

Result<const TensorEntry*> find_tensor(const SafetensorsFile& file, const char* name, Dtype dtype,
                                       size_t rank) {
  const TensorEntry* const tensor = file.find(name);
  if (tensor != nullptr && tensor->dtype == dtype && tensor->shape.size() == rank) return tensor;
  return format_error(std::string("the message has no tensor '") + name + "' of " +
                      storage::dtype_name(dtype) + " and rank " + std::to_string(rank));
}

template <typename T>
void copy_elements(const TensorEntry& tensor, std::vector<T>& out) {
  out.resize(tensor.bytes / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), tensor.data, tensor.bytes);
}

Status read_facts(const storage::Metadata& metadata, HebbianOperator& message) {
  if (!storage::read_number(metadata, kSampleCount, message.sample_count)) {
    return format_error(std::string("the message's metadata has no whole number '") + kSampleCount + "'");
  }
  for (const auto& [name, number] : {std::pair{kTrace, &message.trace},
                                     {kNoiseVariance, &message.noise_variance},
                                     {kQuality, &message.quality}}) {
    if (storage::read_number(metadata, name, *number)) continue;
    return format_error(std::string("the message's metadata has no number '") + name + "'");
  }
  const auto client = metadata.find(kClient);
  if (client != metadata.end()) message.client = client->second;
  return {};
}

Result<HebbianOperator> read(std::span<const std::byte> bytes) {
  Result<SafetensorsFile> parsed = storage::parse_safetensors(bytes);
  if (!parsed.ok()) return parsed.status();
  const SafetensorsFile& file = parsed.value();
  Status status = storage::check_kind(file.metadata, kMessage);
  if (!status.ok()) return status;
  const Result<const TensorEntry*> eigenvalues = find_tensor(file, "eigenvalues", Dtype::kF64, 1);
  if (!eigenvalues.ok()) return eigenvalues.status();
  const Result<const TensorEntry*> factor = find_tensor(file, "factor", Dtype::kF32, 2);
  if (!factor.ok()) return factor.status();
  if (factor.value()->shape[0] != eigenvalues.value()->shape[0]) {
    return format_error("the message has " + std::to_string(eigenvalues.value()->shape[0]) +
                        " eigenvalues and " + std::to_string(factor.value()->shape[0]) + " eigenvectors");
  }
  status = storage::verify_checksums(file);
  if (!status.ok()) return status;
  HebbianOperator message;
  status = read_facts(file.metadata, message);
  if (!status.ok()) return status;
  message.dim = factor.value()->shape[1];
  copy_elements(*eigenvalues.value(), message.eigenvalues);
  copy_elements(*factor.value(), message.factor);
  status = check(message);
  if (!status.ok()) return status;
  return message;
}

}  // namespace

Result<std::vector<std::byte>> to_bytes(const HebbianOperator& message) {
  storage::Metadata metadata{{kSampleCount, std::to_string(message.sample_count)},
                             {kTrace, print_number(message.trace)},
                             {kNoiseVariance, print_number(message.noise_variance)},
                             {kQuality, print_number(message.quality)}};
  if (!message.client.empty()) metadata.emplace(kClient, message.client);
  storage::state_kind(kMessage, metadata);
  const std::vector<storage::TensorSource> tensors{
      {.name = "eigenvalues",
       .dtype = Dtype::kF64,
       .shape = {message.rank()},
       .pieces = {std::as_bytes(std::span(message.eigenvalues))}},
      {.name = "factor",
       .dtype = Dtype::kF32,
       .shape = {message.rank(), message.dim},
       .pieces = {std::as_bytes(std::span(message.factor))}}};
  return storage::safetensors_bytes(tensors, metadata);
}

Result<HebbianOperator> from_bytes(std::span<const std::byte> bytes) {
  // Bytes may begin anywhere in somebody's buffer; the format's tensors are aligned from its beginning.
  const bool aligned = reinterpret_cast<uintptr_t>(bytes.data()) % alignof(double) == 0;
  if (aligned) return read(bytes);
  const std::vector<std::byte> copy(bytes.begin(), bytes.end());
  return read(copy);
}

}  // namespace engram::spectral
