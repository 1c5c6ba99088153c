// What the files of all kinds of memories have in common. Facts of engram's own stand in the metadata under
// names that begin with "engram."; all other entries are the caller's.
#pragma once

#include <map>
#include <string>

#include "base/numbers.h"
#include "base/status.h"
#include "storage/safetensors.h"

namespace engram::storage {

using Metadata = std::map<std::string, std::string>;

// What a file holds, and the version of its layout.
struct MemoryKind {
  const char* name;
  const char* version;
};

// kFormat where the file says that it is of another kind or version; one that says nothing passes.
Status check_kind(const Metadata& metadata, const MemoryKind& kind);

// Sets the entries that check_kind reads.
void state_kind(const MemoryKind& kind, Metadata& metadata);

// The entries that are not engram's own.
Metadata callers_entries(const Metadata& metadata);

// False where there is no entry of that name or it is not a number of this type.
template <typename T>
bool read_number(const Metadata& metadata, const std::string& name, T& out) {
  const auto entry = metadata.find(name);
  return entry != metadata.end() && parse_number(entry->second, out);
}

// The same failure, with the file's path in front of its message.
Status in_file(const std::string& path, const Status& failure);

}  // namespace engram::storage
