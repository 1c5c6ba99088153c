#include "node/errors.h"

#include <string>

#include "node/values.h"

namespace engram::node {
namespace {

napi_value to_string(napi_env env, const std::string& text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

}  // namespace

napi_value to_error(napi_env env, const Status& status) {
  const std::string code = std::string("ERR_ENGRAM_") + status_code_name(status.code());
  napi_value error = nullptr;
  napi_create_error(env, to_string(env, code), to_string(env, status.message()), &error);
  if (status.system_error() != 0) {
    napi_value number = nullptr;
    napi_create_int32(env, status.system_error(), &number);
    napi_set_named_property(env, error, "errno", number);
  }
  return error;
}

napi_value throw_status(napi_env env, const Status& status) {
  napi_throw(env, to_error(env, status));
  return nullptr;
}

napi_value undefined_or_throw(napi_env env, const Status& status) {
  return status.ok() ? undefined(env) : throw_status(env, status);
}

void throw_last_napi_error(napi_env env) {
  bool pending = false;
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  napi_is_exception_pending(env, &pending);
  if (pending) return;
  const char* message =
      info != nullptr && info->error_message != nullptr ? info->error_message : "unknown failure";
  napi_throw_error(env, nullptr, message);
}

}  // namespace engram::node
