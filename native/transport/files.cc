#include "transport/files.h"

#include <span>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "base/numbers.h"
#include "storage/memory_file.h"
#include "storage/safetensors.h"

namespace engram::transport {
namespace {

using storage::Dtype;
using storage::SafetensorsFile;
using storage::TensorEntry;
using storage::TensorSource;

constexpr storage::MemoryKind kMeasures = {.name = "measures", .version = "1"};
constexpr char kEpsilon[] = "engram.epsilon";
constexpr char kCostScale[] = "engram.cost_scale";

Status format_error(std::string message) { return {StatusCode::kFormat, std::move(message)}; }

// What a caller's clouds would be told of their shape or range is, in a file, a fault of the file.
Status as_format_error(const Status& failure) {
  return failure.code() == StatusCode::kOutOfMemory ? failure : format_error(failure.message());
}

struct Tensors {
  const TensorEntry* points = nullptr;
  const TensorEntry* weights = nullptr;
  const TensorEntry* offsets = nullptr;
  const TensorEntry* log_prior = nullptr;  // null where there is none
};

// The tensor of that name, element type and rank.
Result<const TensorEntry*> find_tensor(const SafetensorsFile& file, const char* name, Dtype dtype,
                                       size_t rank) {
  const TensorEntry* const tensor = file.find(name);
  if (tensor == nullptr) return format_error(std::string("the file has no tensor '") + name + "'");
  if (tensor->dtype == dtype && tensor->shape.size() == rank) return tensor;
  return format_error(std::string("tensor '") + name + "' is " + storage::dtype_name(tensor->dtype) +
                      " of rank " + std::to_string(tensor->shape.size()) + "; needed is " +
                      storage::dtype_name(dtype) + " of rank " + std::to_string(rank));
}

Status check_length(const TensorEntry& tensor, uint64_t length, const char* of_what) {
  if (tensor.shape[0] == length) return {};
  return format_error("tensor '" + tensor.name + "' has " + std::to_string(tensor.shape[0]) +
                      " elements; there are " + std::to_string(length) + " " + of_what);
}

// The parser has checked that they are aligned.
template <typename T>
const T* elements(const TensorEntry& tensor) {
  return reinterpret_cast<const T*>(tensor.data);
}

Result<Tensors> find_tensors(const SafetensorsFile& file) {
  Result<const TensorEntry*> points = find_tensor(file, "points", Dtype::kF32, 2);
  if (!points.ok()) return points.status();
  Result<const TensorEntry*> weights = find_tensor(file, "weights", Dtype::kF64, 1);
  if (!weights.ok()) return weights.status();
  Result<const TensorEntry*> offsets = find_tensor(file, "offsets", Dtype::kU32, 1);
  if (!offsets.ok()) return offsets.status();
  Tensors tensors{.points = points.value(), .weights = weights.value(), .offsets = offsets.value()};

  const uint64_t length = tensors.points->shape[0];
  Status status = check_length(*tensors.weights, length, "points");
  if (!status.ok()) return status;
  const uint64_t bounds = tensors.offsets->shape[0];
  if (bounds < 2) return format_error("tensor 'offsets' bounds no cloud; at least one is needed");
  // Offsets rise, as Clouds::create checks, so none points behind the last one.
  const uint32_t end = elements<uint32_t>(*tensors.offsets)[bounds - 1];
  if (end != length) {
    return format_error("the offsets end at " + std::to_string(end) + "; there are " +
                        std::to_string(length) + " points");
  }
  if (file.find("log_prior") == nullptr) return tensors;
  Result<const TensorEntry*> log_prior = find_tensor(file, "log_prior", Dtype::kF32, 1);
  if (!log_prior.ok()) return log_prior.status();
  tensors.log_prior = log_prior.value();
  status = check_length(*tensors.log_prior, bounds - 1, "clouds");
  if (!status.ok()) return status;
  return tensors;
}

Status read_options(const SafetensorsFile& file, MeasureOptions& options) {
  for (const auto& [name, number] :
       {std::pair{kEpsilon, &options.epsilon}, {kCostScale, &options.cost_scale}}) {
    if (storage::read_number(file.metadata, name, *number)) continue;
    return format_error(std::string("the file's metadata has no number '") + name + "'");
  }
  return {};
}

Result<std::shared_ptr<MeasureMemory>> make_memory(const Tensors& tensors, const MeasureOptions& options,
                                                   std::shared_ptr<const MappedFile> mapping) {
  const uint64_t count = tensors.offsets->shape[0] - 1;
  Result<std::shared_ptr<const Clouds>> clouds =
      Clouds::create({.points = elements<float>(*tensors.points),
                      .offsets = elements<uint32_t>(*tensors.offsets),
                      .count = count,
                      .dim = tensors.points->shape[1],
                      .normalised = elements<double>(*tensors.weights)},
                     std::move(mapping));
  if (!clouds.ok()) return clouds.status();
  std::vector<float> log_prior;
  if (tensors.log_prior != nullptr) {
    const float* const first = elements<float>(*tensors.log_prior);
    log_prior.assign(first, first + count);
  }
  return MeasureMemory::create(std::move(clouds).value(), options, std::move(log_prior));
}

Result<OpenedMeasures> open_mapped(const std::shared_ptr<const MappedFile>& mapping, bool verify) {
  Result<SafetensorsFile> parsed = storage::parse_safetensors({mapping->data(), mapping->size()});
  if (!parsed.ok()) return parsed.status();
  const SafetensorsFile& file = parsed.value();
  Status status = storage::check_kind(file.metadata, kMeasures);
  if (!status.ok()) return status;
  Result<Tensors> tensors = find_tensors(file);
  if (!tensors.ok()) return tensors.status();
  MeasureOptions options;
  status = read_options(file, options);
  if (status.ok() && verify) status = storage::verify_checksums(file);
  if (!status.ok()) return status;

  Result<std::shared_ptr<MeasureMemory>> memory = make_memory(tensors.value(), options, mapping);
  if (!memory.ok()) return as_format_error(memory.status());
  return OpenedMeasures{.memory = std::move(memory).value(),
                        .metadata = storage::callers_entries(file.metadata),
                        .mapped_bytes = mapping->size()};
}

template <typename T>
TensorSource source_of(const char* name, Dtype dtype, const std::vector<uint64_t>& shape,
                       std::span<const T> elements) {
  return {.name = name, .dtype = dtype, .shape = shape, .pieces = {std::as_bytes(elements)}};
}

}  // namespace

Result<OpenedMeasures> open_measures(const std::string& path, bool verify) {
  Result<std::shared_ptr<const MappedFile>> mapping = MappedFile::open(path);
  if (!mapping.ok()) return mapping.status();
  Result<OpenedMeasures> opened = open_mapped(mapping.value(), verify);
  if (!opened.ok()) return storage::in_file(path, opened.status());
  return opened;
}

Status save_measures(const MeasureMemory& memory, const std::string& path,
                     const std::map<std::string, std::string>& metadata,
                     const std::function<bool(uint64_t done, uint64_t total)>& keep_going) {
  storage::Metadata entries = metadata;
  storage::state_kind(kMeasures, entries);
  entries.insert_or_assign(kEpsilon, print_number(memory.epsilon()));
  entries.insert_or_assign(kCostScale, print_number(memory.cost_scale()));

  const Clouds& clouds = memory.clouds();
  const uint64_t length = clouds.weights().size();
  // The widest elements first, which keeps all tensors aligned.
  std::vector<TensorSource> tensors = {
      source_of("weights", Dtype::kF64, {length}, clouds.weights()),
      source_of("points", Dtype::kF32, {length, clouds.dim()}, clouds.points()),
      source_of("offsets", Dtype::kU32, {clouds.count() + 1}, clouds.offsets()),
  };
  if (!memory.log_prior().empty()) {
    tensors.push_back(source_of("log_prior", Dtype::kF32, {clouds.count()}, memory.log_prior()));
  }
  return storage::write_safetensors(path, tensors, entries, /*checksums=*/true, keep_going);
}

}  // namespace engram::transport
