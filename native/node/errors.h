// Failures of the core as JavaScript errors.
#pragma once

#include <node_api.h>

#include "base/status.h"

namespace engram::node {

// An Error with the message, `code` ("ERR_ENGRAM_...") and, for a failed system call, `errno`. lib/errors.ts
// makes the EngramError of it. Precondition: !status.ok().
napi_value to_error(napi_env env, const Status& status);

// Throws to_error(status) into JavaScript and returns nullptr, which is what a callback then returns.
napi_value throw_status(napi_env env, const Status& status);

// What a callback without a result returns: undefined, or nullptr with the failure thrown.
napi_value undefined_or_throw(napi_env env, const Status& status);

// Throws what the last failed Node-API call reported; nothing when an exception is pending already.
void throw_last_napi_error(napi_env env);

}  // namespace engram::node
