// Memories of measures as files, see file_calls.h.
#include <string>
#include <vector>

#include "node/file_calls.h"
#include "node/measure_memory.h"
#include "transport/files.h"

namespace engram::node {
namespace {

struct MeasureFiles {
  using Memory = transport::MeasureMemory;
  using Opened = transport::OpenedMeasures;

  static Result<Opened> open(const std::string& path, bool verify) {
    return transport::open_measures(path, verify);
  }

  static Status save(const Memory& memory, const std::string& path, const Metadata& metadata,
                     const KeepGoing& keep_going) {
    return transport::save_measures(memory, path, metadata, keep_going);
  }

  // None: see the method facts().
  static std::vector<napi_value> facts(napi_env /*env*/, const Memory& /*memory*/) { return {}; }
};

}  // namespace

Methods measure_file_methods() { return file_methods<MeasureFiles>(); }

}  // namespace engram::node
