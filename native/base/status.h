// Outcome of a fallible operation. The core never throws across a layer: it returns a Status, or a
// Result<T> where there is a value. The codes are those a JavaScript caller sees as
// `EngramError.code` with the prefix `ERR_ENGRAM_`.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace engram {

enum class StatusCode : int {
  kOk = 0,
  kShape,         // a length or dimension does not fit
  kRange,         // a number lies outside its valid range
  kType,          // a value of the wrong kind
  kNonFinite,     // NaN or infinity in the input
  kAborted,       // cancelled by the caller
  kDisposed,      // the memory was disposed
  kOutOfMemory,   // an allocation was refused
  kFormat,        // a file does not follow its format
  kIo,            // the operating system refused
  kDevice,        // an accelerator is missing or failed
  kNotConverged,  // an iteration limit was reached in strict mode
};

// The name without prefix, e.g. "SHAPE"; "OK" for kOk.
const char* status_code_name(StatusCode code) noexcept;

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const noexcept { return code_ == StatusCode::kOk; }
  StatusCode code() const noexcept { return code_; }
  // Says what was wrong, with the offending value, and what would be valid.
  const std::string& message() const noexcept { return message_; }

  // errno of the failed system call, 0 where there is none.
  int system_error() const noexcept { return system_error_; }
  Status& with_system_error(int error) {
    system_error_ = error;
    return *this;
  }

 private:
  StatusCode code_ = StatusCode::kOk;
  int system_error_ = 0;
  std::string message_;
};

// kIo with the text of `error` (an errno value) appended to `what`.
Status io_error(std::string what, int error);

// A value, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const noexcept { return value_.has_value(); }
  const Status& status() const noexcept { return status_; }
  // Precondition: ok().
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return *std::move(value_); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace engram
