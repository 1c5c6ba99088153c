// Memories of archetypes as files, see file_calls.h.
#include "spectral/federated_files.h"

#include <string>
#include <vector>

#include "node/federated_memory.h"
#include "node/file_calls.h"

namespace engram::node {
namespace {

struct FederatedFiles {
  using Memory = spectral::FederatedMemory;
  using Opened = spectral::OpenedFederated;

  static Result<Opened> open(const std::string& path, bool verify) {
    return spectral::open_federated(path, verify);
  }

  static Status save(const Memory& memory, const std::string& path, const Metadata& metadata,
                     const KeepGoing& keep_going) {
    return spectral::save_federated(memory, path, metadata, keep_going);
  }

  // None: see the method counts().
  static std::vector<napi_value> facts(napi_env /*env*/, const Memory& /*memory*/) { return {}; }
};

}  // namespace

Methods federated_file_methods() { return file_methods<FederatedFiles>(); }

}  // namespace engram::node
