// Memories of measures as files: safetensors with the tensors "weights" F64 [points], "points" F32 [points,
// dim], "offsets" U32 [count + 1], and where there are any "log_prior" F32 [count]. Facts of engram's own are
// metadata: engram.kind = "measures", engram.version = "1", engram.epsilon, engram.cost_scale and
// engram.checksum.*; the caller's own entries stand beside them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "transport/measures.h"

namespace engram::transport {

struct OpenedMeasures {
  std::shared_ptr<MeasureMemory> memory;        // points are read where they are mapped
  std::map<std::string, std::string> metadata;  // the caller's own entries (no "engram." ones)
  uint64_t mapped_bytes = 0;
};

// Checks what Clouds::create and MeasureMemory::create check, so every point is read once. `verify` compares
// checksums. kFormat, naming what is wrong; kIo; kOutOfMemory.
Result<OpenedMeasures> open_measures(const std::string& path, bool verify);

// Writes atomically. `keep_going` as in write_safetensors. What is opened again is the same to the last bit.
Status save_measures(const MeasureMemory& memory, const std::string& path,
                     const std::map<std::string, std::string>& metadata,
                     const std::function<bool(uint64_t done, uint64_t total)>& keep_going = {});

}  // namespace engram::transport
