// Dense memories as files, see file_calls.h.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dense/files.h"
#include "node/dense_memory.h"
#include "node/file_calls.h"
#include "node/values.h"

namespace engram::node {
namespace {

struct DenseFiles {
  using Memory = dense::Memory;
  using Opened = dense::OpenedMemory;

  static Result<Opened> open(const std::string& path, bool verify) {
    return dense::open_memory(path, verify);
  }

  static Status save(const Memory& memory, const std::string& path, const Metadata& metadata,
                     const KeepGoing& keep_going) {
    return dense::save_memory(memory, path, metadata, keep_going);
  }

  // [dim, valueDim (0: auto-associative), count, live], and the calibration's facts or undefined.
  static std::vector<napi_value> facts(napi_env env, const Memory& memory) {
    const std::shared_ptr<const dense::Snapshot> snapshot = memory.snapshot();
    const double value_dim = memory.hetero() ? static_cast<double>(memory.value_dim()) : 0.0;
    const std::optional<dense::Calibration> calibration = memory.calibration();
    return {array(env, {number(env, static_cast<double>(memory.dim())), number(env, value_dim),
                        number(env, static_cast<double>(snapshot->count)),
                        number(env, static_cast<double>(snapshot->live))}),
            calibration.has_value() ? calibration_facts(env, *calibration) : undefined(env)};
  }
};

}  // namespace

Methods dense_file_methods() { return file_methods<DenseFiles>(); }

}  // namespace engram::node
