#include "base/status.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <string>

namespace engram {
namespace {

TEST_CASE("a status is ok until it is given a code") {
  CHECK(Status().ok());
  CHECK(Status().code() == StatusCode::kOk);
  CHECK(Status().message().empty());
  const Status failure(StatusCode::kRange, "k is 0; it must be at least 1");
  CHECK_FALSE(failure.ok());
  CHECK(failure.code() == StatusCode::kRange);
  CHECK(failure.message() == "k is 0; it must be at least 1");
  CHECK(failure.system_error() == 0);
}

TEST_CASE("status codes have the names that JavaScript callers see") {
  CHECK(std::string(status_code_name(StatusCode::kOk)) == "OK");
  CHECK(std::string(status_code_name(StatusCode::kShape)) == "SHAPE");
  CHECK(std::string(status_code_name(StatusCode::kRange)) == "RANGE");
  CHECK(std::string(status_code_name(StatusCode::kType)) == "TYPE");
  CHECK(std::string(status_code_name(StatusCode::kNonFinite)) == "NONFINITE");
  CHECK(std::string(status_code_name(StatusCode::kAborted)) == "ABORTED");
  CHECK(std::string(status_code_name(StatusCode::kDisposed)) == "DISPOSED");
  CHECK(std::string(status_code_name(StatusCode::kOutOfMemory)) == "OUT_OF_MEMORY");
  CHECK(std::string(status_code_name(StatusCode::kFormat)) == "FORMAT");
  CHECK(std::string(status_code_name(StatusCode::kIo)) == "IO");
  CHECK(std::string(status_code_name(StatusCode::kDevice)) == "DEVICE");
  CHECK(std::string(status_code_name(StatusCode::kNotConverged)) == "NOT_CONVERGED");
}

TEST_CASE("io_error tells what was tried and what the system answered") {
  const Status status = io_error("cannot open /nowhere", ENOENT);
  CHECK(status.code() == StatusCode::kIo);
  CHECK(status.system_error() == ENOENT);
  CHECK(status.message() == "cannot open /nowhere: No such file or directory");
}

TEST_CASE("a result holds a value or the status that says why not") {
  Result<std::unique_ptr<int>> value(std::make_unique<int>(7));
  REQUIRE(value.ok());
  CHECK(value.status().ok());
  CHECK(*value.value() == 7);
  const std::unique_ptr<int> moved = std::move(value).value();
  CHECK(*moved == 7);

  const Result<int> failure(Status(StatusCode::kShape, "no"));
  CHECK_FALSE(failure.ok());
  CHECK(failure.status().code() == StatusCode::kShape);
}

}  // namespace
}  // namespace engram
