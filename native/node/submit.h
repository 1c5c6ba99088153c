// How a question reaches the core. Each question is a pair of methods: the synchronous one returns, or
// throws; the asynchronous one returns the call's id and ends with a call of `settle`.
//
// Arguments are positional and plain, because this border is crossed once per request:
//   ...question..., maxThreads                                       for the synchronous method
//   ...question..., maxThreads, interactive, settle, progress        for the asynchronous one
#pragma once

#include <node_api.h>

#include <cstddef>
#include <functional>
#include <memory>

#include "base/status.h"
#include "node/arguments.h"
#include "node/pending_call.h"
#include "runtime/job.h"
#include "runtime/ticket.h"

namespace engram::node {

// Hands a request to the core.
using Start =
    std::function<Result<std::shared_ptr<runtime::Ticket>>(runtime::CallOptions options, runtime::Done done)>;

// Takes the call in and lets `start` submit it. `at` is the position of maxThreads. Returns the call's id.
napi_value submit(Arguments& arguments, size_t at, std::unique_ptr<PendingCall> pending, const Start& start);

}  // namespace engram::node
