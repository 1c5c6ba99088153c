#include "dense/files.h"

#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/numbers.h"
#include "storage/header_reader.h"
#include "storage/memory_file.h"
#include "storage/npy.h"
#include "storage/safetensors.h"

namespace engram::dense {
namespace {

using storage::Dtype;
using storage::printable;
using storage::SafetensorsFile;
using storage::TensorEntry;
using storage::TensorSource;

constexpr storage::MemoryKind kDense = {.name = "dense", .version = "1"};
constexpr char kCalibration[] = "engram.calibration.";

Status format_error(std::string message) { return {StatusCode::kFormat, std::move(message)}; }

bool is_matrix(const TensorEntry& tensor) { return tensor.dtype == Dtype::kF32 && tensor.shape.size() == 2; }

// The tensor that holds the patterns: the one of that name, else the file's only Float32 matrix.
Result<const TensorEntry*> find_patterns(const SafetensorsFile& file) {
  const TensorEntry* patterns = file.find("patterns");
  if (patterns == nullptr) {
    size_t matrices = 0;
    for (const TensorEntry& tensor : file.tensors) {
      if (!is_matrix(tensor)) continue;
      patterns = &tensor;
      ++matrices;
    }
    if (matrices != 1) {
      return format_error("the file has no tensor 'patterns' and " + std::to_string(matrices) +
                          " F32 matrices; a tensor 'patterns' or exactly one F32 matrix is needed");
    }
  }
  if (!is_matrix(*patterns)) {
    return format_error("tensor " + printable(patterns->name) + " is not an F32 matrix of patterns x dim");
  }
  return patterns;
}

Status check_extent(uint64_t rows, uint64_t dim) {
  if (rows != 0 && dim != 0) return {};
  return format_error("the patterns are " + std::to_string(rows) + " x " + std::to_string(dim) +
                      "; at least 1 x 1 is needed");
}

const char* similarity_name(Similarity similarity) {
  switch (similarity) {
    case Similarity::kEuclidean: return "euclidean";
    case Similarity::kCosine: return "cosine";
    case Similarity::kDot: break;
  }
  return "dot";
}

// Beyond Float32's range a calibration says nothing, and retrieval would refuse it.
bool usable(const Calibration& c) { return c.beta > 0 && std::isfinite(c.beta); }

void write_calibration(const Calibration& c, storage::Metadata& metadata) {
  const std::string prefix = kCalibration;
  metadata[prefix + "beta"] = print_number(c.beta);
  metadata[prefix + "similarity"] = similarity_name(c.similarity);
  metadata[prefix + "recall"] = print_number(c.recall);
  metadata[prefix + "sample"] = std::to_string(c.sample);
  metadata[prefix + "unreachable"] = std::to_string(c.unreachable);
  metadata[prefix + "gap_min"] = print_number(c.gap_min);
  metadata[prefix + "gap_median"] = print_number(c.gap_median);
  metadata[prefix + "gap_max"] = print_number(c.gap_max);
}

Status read_calibration(const storage::Metadata& metadata, Memory& memory) {
  const std::string prefix = kCalibration;
  if (metadata.find(prefix + "beta") == metadata.end()) return {};
  Calibration c;
  const auto similarity = metadata.find(prefix + "similarity");
  const auto read_into = [&](const char* name, auto& out) {
    return storage::read_number(metadata, prefix + name, out);
  };
  const bool read = read_into("beta", c.beta) && read_into("recall", c.recall) &&
                    read_into("sample", c.sample) && read_into("unreachable", c.unreachable) &&
                    read_into("gap_min", c.gap_min) && read_into("gap_median", c.gap_median) &&
                    read_into("gap_max", c.gap_max) && similarity != metadata.end();
  if (!read || !usable(c)) return format_error("the calibration in the file's metadata is damaged");
  for (const Similarity candidate : {Similarity::kEuclidean, Similarity::kCosine, Similarity::kDot}) {
    if (similarity->second != similarity_name(candidate)) continue;
    c.similarity = candidate;
    memory.set_calibration(c);
    return {};
  }
  return format_error("the calibration's similarity " + printable(similarity->second) + " is unknown");
}

Status read_removed(const SafetensorsFile& file, Memory& memory) {
  const TensorEntry* removed = file.find("removed");
  if (removed == nullptr) return {};
  if (removed->dtype != Dtype::kU64 || removed->shape.size() != 1) {
    return format_error("tensor 'removed' is not a list of U64 indices");
  }
  // Read where they lie: the parser has checked that they are aligned.
  Result<uint64_t> result =
      memory.remove({reinterpret_cast<const uint64_t*>(removed->data), removed->shape[0]});
  return result.ok() ? Status() : format_error("tensor 'removed': " + result.status().message());
}

Result<OpenedMemory> open_safetensors(const std::shared_ptr<const MappedFile>& mapping, bool verify) {
  Result<SafetensorsFile> parsed = storage::parse_safetensors({mapping->data(), mapping->size()});
  if (!parsed.ok()) return parsed.status();
  const SafetensorsFile& file = parsed.value();
  Status status = storage::check_kind(file.metadata, kDense);
  if (!status.ok()) return status;
  Result<const TensorEntry*> found = find_patterns(file);
  if (!found.ok()) return found.status();
  const TensorEntry& patterns = *found.value();
  status = check_extent(patterns.shape[0], patterns.shape[1]);
  if (!status.ok()) return status;

  const TensorEntry* values = patterns.name == "patterns" ? file.find("values") : nullptr;
  if (values != nullptr &&
      (!is_matrix(*values) || values->shape[0] != patterns.shape[0] || values->shape[1] == 0)) {
    return format_error("tensor 'values' is not an F32 matrix with as many rows as 'patterns' has");
  }
  if (verify) {
    status = storage::verify_checksums(file);
    if (!status.ok()) return status;
  }

  Result<std::shared_ptr<Memory>> memory =
      Memory::create(patterns.shape[1], values != nullptr ? values->shape[1] : 0);
  if (!memory.ok()) return memory.status();
  OpenedMemory opened{.memory = std::move(memory).value(),
                      .metadata = storage::callers_entries(file.metadata),
                      .mapped_bytes = mapping->size()};
  status = opened.memory->adopt(reinterpret_cast<const float*>(patterns.data),
                                values != nullptr ? reinterpret_cast<const float*>(values->data) : nullptr,
                                patterns.shape[0], mapping);
  if (status.ok()) status = read_removed(file, *opened.memory);
  if (status.ok()) status = read_calibration(file.metadata, *opened.memory);
  if (!status.ok()) return status;
  return opened;
}

Result<OpenedMemory> open_npy(const std::shared_ptr<const MappedFile>& mapping) {
  Result<storage::NpyArray> parsed = storage::parse_npy({mapping->data(), mapping->size()});
  if (!parsed.ok()) return parsed.status();
  const storage::NpyArray& array = parsed.value();
  if (array.dtype != Dtype::kF32 || array.shape.size() != 2) {
    return format_error("the array is not a Float32 matrix (two-dimensional, '<f4')");
  }
  Status status = check_extent(array.shape[0], array.shape[1]);
  if (!status.ok()) return status;
  Result<std::shared_ptr<Memory>> memory = Memory::create(array.shape[1]);
  if (!memory.ok()) return memory.status();
  OpenedMemory opened{.memory = std::move(memory).value(), .metadata = {}, .mapped_bytes = mapping->size()};
  status = opened.memory->adopt(reinterpret_cast<const float*>(array.data), nullptr, array.shape[0], mapping);
  if (!status.ok()) return status;
  return opened;
}

bool begins_like_npy(const MappedFile& file) {
  return file.size() >= 6 && std::memcmp(file.data(), "\x93NUMPY", 6) == 0;
}

// Indices of removed items. The list is padded to whole cache lines by repeating its last entry, which
// keeps the patterns behind it aligned.
std::vector<uint64_t> removed_indices(const Snapshot& snapshot) {
  std::vector<uint64_t> indices;
  for (uint64_t i = 0; i < snapshot.count; ++i) {
    if (snapshot.is_removed(i)) indices.push_back(i);
  }
  while (indices.size() % (kAlignment / sizeof(uint64_t)) != 0) indices.push_back(indices.back());
  return indices;
}

TensorSource matrix_source(const Snapshot& snapshot, const char* name, const float* Block::* rows,
                           size_t width) {
  TensorSource source{.name = name, .dtype = Dtype::kF32, .shape = {snapshot.count, width}, .pieces = {}};
  for (const Block& block : snapshot.blocks) {
    source.pieces.push_back(std::as_bytes(std::span(block.*rows, block.rows * width)));
  }
  return source;
}

}  // namespace

Result<OpenedMemory> open_memory(const std::string& path, bool verify) {
  Result<std::shared_ptr<const MappedFile>> mapping = MappedFile::open(path);
  if (!mapping.ok()) return mapping.status();
  Result<OpenedMemory> opened = begins_like_npy(*mapping.value()) ? open_npy(mapping.value())
                                                                  : open_safetensors(mapping.value(), verify);
  if (!opened.ok()) return storage::in_file(path, opened.status());
  return opened;
}

Status save_memory(const Memory& memory, const std::string& path,
                   const std::map<std::string, std::string>& metadata,
                   const std::function<bool(uint64_t done, uint64_t total)>& keep_going) {
  const std::shared_ptr<const Snapshot> snapshot = memory.snapshot();
  if (snapshot->count == 0)
    return {StatusCode::kShape, "the memory holds no items; there is nothing to save"};
  storage::Metadata entries = metadata;
  storage::state_kind(kDense, entries);
  const std::optional<Calibration> calibration = memory.calibration();
  if (calibration.has_value() && usable(*calibration)) write_calibration(*calibration, entries);

  std::vector<TensorSource> tensors;
  std::vector<uint64_t> removed;
  if (snapshot->live < snapshot->count) {
    removed = removed_indices(*snapshot);
    tensors.push_back({.name = "removed",
                       .dtype = Dtype::kU64,
                       .shape = {removed.size()},
                       .pieces = {std::as_bytes(std::span(removed))}});
  }
  tensors.push_back(matrix_source(*snapshot, "patterns", &Block::keys, snapshot->dim));
  if (snapshot->hetero)
    tensors.push_back(matrix_source(*snapshot, "values", &Block::values, snapshot->value_dim));
  return storage::write_safetensors(path, tensors, entries, /*checksums=*/true, keep_going);
}

}  // namespace engram::dense
