#include "node/file_calls.h"

#include "runtime/file_threads.h"

namespace engram::node {

Metadata metadata_of(Arguments& arguments, size_t index) {
  const std::vector<std::string> texts = arguments.texts(index);
  Metadata metadata;
  for (size_t i = 0; i + 1 < texts.size(); i += 2) metadata[texts[i]] = texts[i + 1];
  return metadata;
}

napi_value metadata_entries(napi_env env, const Metadata& metadata) {
  std::vector<napi_value> entries;
  for (const auto& [key, value] : metadata) {
    entries.push_back(text(env, key));
    entries.push_back(text(env, value));
  }
  return array(env, entries);
}

napi_value start_file_work(Arguments& arguments, size_t at, std::unique_ptr<PendingCall> pending,
                           std::function<Status(PendingCall&)> work) {
  PendingCall& call = arguments.environment().begin(std::move(pending), arguments[at], arguments[at + 1]);
  const Status started =
      runtime::run_on_file_thread([&call, work = std::move(work), end = call.on_end()] { end(work(call)); });
  if (!started.ok()) {
    arguments.environment().discard(call);
    return throw_status(arguments.env(), started);
  }
  return number(arguments.env(), static_cast<double>(call.id));
}

}  // namespace engram::node
