#include "storage/memory_file.h"

#include "storage/header_reader.h"

namespace engram::storage {
namespace {

constexpr char kOwnPrefix[] = "engram.";
constexpr char kKind[] = "engram.kind";
constexpr char kVersion[] = "engram.version";

}  // namespace

Status check_kind(const Metadata& metadata, const MemoryKind& kind) {
  const auto name = metadata.find(kKind);
  if (name != metadata.end() && name->second != kind.name) {
    return {StatusCode::kFormat,
            "the file holds a memory of kind " + printable(name->second) + ", not '" + kind.name + "'"};
  }
  const auto version = metadata.find(kVersion);
  if (version != metadata.end() && version->second != kind.version) {
    return {StatusCode::kFormat, "the file has version " + printable(version->second) +
                                     " of engram's layout; this build reads version " + kind.version};
  }
  return {};
}

void state_kind(const MemoryKind& kind, Metadata& metadata) {
  metadata.insert_or_assign(kKind, kind.name);
  metadata.insert_or_assign(kVersion, kind.version);
}

Metadata callers_entries(const Metadata& metadata) {
  Metadata entries;
  for (const auto& [name, value] : metadata) {
    if (!name.starts_with(kOwnPrefix)) entries.emplace(name, value);
  }
  return entries;
}

Status in_file(const std::string& path, const Status& failure) {
  return {failure.code(), "'" + path + "': " + failure.message()};
}

}  // namespace engram::storage
