#include "base/status.h"

#include <system_error>

namespace engram {

const char* status_code_name(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::kOk: return "OK";
    case StatusCode::kShape: return "SHAPE";
    case StatusCode::kRange: return "RANGE";
    case StatusCode::kType: return "TYPE";
    case StatusCode::kNonFinite: return "NONFINITE";
    case StatusCode::kAborted: return "ABORTED";
    case StatusCode::kDisposed: return "DISPOSED";
    case StatusCode::kOutOfMemory: return "OUT_OF_MEMORY";
    case StatusCode::kFormat: return "FORMAT";
    case StatusCode::kIo: return "IO";
    case StatusCode::kDevice: return "DEVICE";
    case StatusCode::kNotConverged: return "NOT_CONVERGED";
  }
  return "UNKNOWN";
}

Status io_error(std::string what, int error) {
  // std::strerror shares one buffer between threads; the category's text does not.
  what += ": " + std::generic_category().message(error);
  return Status(StatusCode::kIo, std::move(what)).with_system_error(error);
}

}  // namespace engram
