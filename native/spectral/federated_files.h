// Federated memories as files: safetensors with the tensors "archetypes" U8 [K, ceil(N / 8)] (one bit for
// each sign, least significant first, 1 is +1), "evidence" F32 [K, N], "overlaps" F64 [K], "first_seen" and
// "last_seen" U32 [K], "plasticity.named" F64 with "plasticity.names" U8 (names, each ended by a zero byte),
// "plasticity.placed" F64 with "plasticity.places" U64, and "given_weights" F64; those with nothing in them
// are left out. Facts of engram's own are metadata: engram.kind = "federated-memory", engram.version = "1",
// all options and the number of rounds as engram.*, engram.checksum.*; the caller's own entries stand beside
// them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "spectral/federated_memory.h"

namespace engram::spectral {

struct OpenedFederated {
  std::shared_ptr<FederatedMemory> memory;
  std::map<std::string, std::string> metadata;  // the caller's own entries (no "engram." ones)
};

// What a memory does from then on has the same bits as if it had never been closed. `verify` compares
// checksums. kFormat, naming what is wrong; kIo; kOutOfMemory.
Result<OpenedFederated> open_federated(const std::string& path, bool verify);

// Writes the state after the last finished round, atomically. `keep_going` as in write_safetensors.
Status save_federated(const FederatedMemory& memory, const std::string& path,
                      const std::map<std::string, std::string>& metadata,
                      const std::function<bool(uint64_t done, uint64_t total)>& keep_going = {});

}  // namespace engram::spectral
