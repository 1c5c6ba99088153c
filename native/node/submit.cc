#include "node/submit.h"

#include <utility>

#include "node/errors.h"
#include "node/values.h"

namespace engram::node {
namespace {

runtime::CallOptions call_options(Arguments& arguments, size_t at) {
  runtime::CallOptions options;
  options.max_threads = arguments.integer<unsigned>(at);
  options.priority = arguments.boolean(at + 1) ? runtime::Priority::kInteractive : runtime::Priority::kBatch;
  return options;
}

}  // namespace

napi_value submit(Arguments& arguments, size_t at, std::unique_ptr<PendingCall> pending, const Start& start) {
  runtime::CallOptions options = call_options(arguments, at);
  if (!arguments.ok()) return nullptr;
  PendingCall& call = arguments.environment().begin(std::move(pending), arguments[at + 2], arguments[at + 3]);
  options.on_progress = call.on_progress();
  Result<std::shared_ptr<runtime::Ticket>> ticket = start(std::move(options), call.on_end());
  if (!ticket.ok()) {
    arguments.environment().discard(call);
    return throw_status(arguments.env(), ticket.status());
  }
  call.ticket = std::move(ticket).value();
  return number(arguments.env(), static_cast<double>(call.id));
}

}  // namespace engram::node
