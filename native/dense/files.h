// Dense memories as files: safetensors with the tensors "patterns" [count, dim], and where there are
// any "values" [count, valueDim] and "removed" (U64 indices, ascending; the last one is repeated to fill a
// cache line). Facts of engram's own are metadata: engram.kind = "dense", engram.version = "1",
// engram.calibration.* and engram.checksum.*; the caller's own entries stand beside them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "dense/memory.h"

namespace engram::dense {

struct OpenedMemory {
  std::shared_ptr<Memory> memory;               // mapped, nothing is read but the header
  std::map<std::string, std::string> metadata;  // the caller's own entries (no "engram." ones)
  uint64_t mapped_bytes = 0;
};

// Opens a safetensors file (a tensor named "patterns", or exactly one F32 matrix) or an .npy matrix
// (F32, two-dimensional); told apart by the first bytes. `verify` reads the whole file and compares
// checksums. kFormat, kIo.
Result<OpenedMemory> open_memory(const std::string& path, bool verify);

// Writes a snapshot atomically. `keep_going` as in write_safetensors.
Status save_memory(const Memory& memory, const std::string& path,
                   const std::map<std::string, std::string>& metadata,
                   const std::function<bool(uint64_t done, uint64_t total)>& keep_going = {});

}  // namespace engram::dense
