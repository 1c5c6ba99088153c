// Dense memories as files: open and save, on threads that may wait for a disk.
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dense/files.h"
#include "node/dense_memory.h"
#include "node/errors.h"
#include "node/values.h"
#include "runtime/file_threads.h"
#include "runtime/ticket.h"

namespace engram::node {
namespace {

using Metadata = std::map<std::string, std::string>;

class FileTicket final : public runtime::Ticket {
 public:
  void cancel() noexcept override { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

// Takes the call in and runs `work` (a Status-returning function) on a file thread. The callbacks
// `settle` and `progress` are the arguments at `at`. Returns the call's id.
template <typename Call, typename Work>
napi_value start(Arguments& arguments, size_t at, std::unique_ptr<Call> pending, Work work) {
  auto& call =
      static_cast<Call&>(arguments.environment().begin(std::move(pending), arguments[at], arguments[at + 1]));
  const Status started = runtime::run_on_file_thread(
      [&call, work = std::move(work), end = call.on_end()]() mutable { end(work(call)); });
  if (!started.ok()) {
    arguments.environment().discard(call);
    return throw_status(arguments.env(), started);
  }
  return number(arguments.env(), static_cast<double>(call.id));
}

// [dim, valueDim (0: auto-associative), count, live, mappedBytes], metadata as [key, value, ...], and the
// calibration's facts or undefined.
std::vector<napi_value> describe(napi_env env, const dense::OpenedMemory& opened) {
  const dense::Memory& memory = *opened.memory;
  const std::shared_ptr<const dense::Snapshot> snapshot = memory.snapshot();
  const double value_dim = memory.hetero() ? static_cast<double>(memory.value_dim()) : 0.0;
  std::vector<napi_value> entries;
  for (const auto& [key, value] : opened.metadata) {
    entries.push_back(text(env, key));
    entries.push_back(text(env, value));
  }
  const std::optional<dense::Calibration> calibration = memory.calibration();
  return {array(env, {number(env, static_cast<double>(memory.dim())), number(env, value_dim),
                      number(env, static_cast<double>(snapshot->count)),
                      number(env, static_cast<double>(snapshot->live)),
                      number(env, static_cast<double>(opened.mapped_bytes))}),
          array(env, entries),
          calibration.has_value() ? calibration_facts(env, *calibration) : undefined(env)};
}

class OpenCall final : public PendingCall {
 public:
  explicit OpenCall(DenseMemory& handle) : handle_(handle) {}

  Status add_results(napi_env env, std::vector<napi_value>& arguments) override {
    handle_.set_memory(env, opened.memory);
    const std::vector<napi_value> facts = describe(env, opened);
    arguments.insert(arguments.end(), facts.begin(), facts.end());
    return {};
  }

  dense::OpenedMemory opened;

 private:
  DenseMemory& handle_;  // kept alive by the JavaScript callback, which wants it filled
};

Status open_into(dense::OpenedMemory& opened, const std::string& path, bool verify) {
  Result<dense::OpenedMemory> result = dense::open_memory(path, verify);
  if (!result.ok()) return result.status();
  opened = std::move(result).value();
  return {};
}

// open(path, verify, settle, progress): fills this handle; settles with describe().
napi_value open(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  DenseMemory* handle = DenseMemory::of(arguments);
  std::string path = arguments.text(0);
  const bool verify = arguments.boolean(1);
  if (handle == nullptr || !arguments.ok()) return nullptr;
  return start(
      arguments, 2, std::make_unique<OpenCall>(*handle),
      [path = std::move(path), verify](OpenCall& call) { return open_into(call.opened, path, verify); });
}

// openSync(path, verify): fills this handle; [facts, metadata, calibration].
napi_value open_sync(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  DenseMemory* handle = DenseMemory::of(arguments);
  const std::string path = arguments.text(0);
  const bool verify = arguments.boolean(1);
  if (handle == nullptr || !arguments.ok()) return nullptr;
  dense::OpenedMemory opened;
  const Status status = open_into(opened, path, verify);
  if (!status.ok()) return throw_status(env, status);
  handle->set_memory(env, opened.memory);
  return array(env, describe(env, opened));
}

// The metadata argument: [key, value, key, value, ...].
Metadata metadata_of(Arguments& arguments, size_t index) {
  const std::vector<std::string> texts = arguments.texts(index);
  Metadata metadata;
  for (size_t i = 0; i + 1 < texts.size(); i += 2) metadata[texts[i]] = texts[i + 1];
  return metadata;
}

// save(path, metadata, settle, progress)
napi_value save(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  std::string path = call.arguments.text(0);
  Metadata metadata = metadata_of(call.arguments, 1);
  if (!call.arguments.ok()) return nullptr;
  auto pending = std::make_unique<PendingCall>();
  auto ticket = std::make_shared<FileTicket>();
  pending->ticket = ticket;
  return start(call.arguments, 2, std::move(pending),
               [memory = call.handle->memory(), path = std::move(path), metadata = std::move(metadata),
                ticket](PendingCall& saving) {
                 return dense::save_memory(*memory, path, metadata,
                                           [&, report = saving.on_progress()](uint64_t done, uint64_t total) {
                                             if (report) report(done, total);
                                             return !ticket->cancelled();
                                           });
               });
}

// saveSync(path, metadata)
napi_value save_sync(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const std::string path = call.arguments.text(0);
  const Metadata metadata = metadata_of(call.arguments, 1);
  if (!call.arguments.ok()) return nullptr;
  const Status status = dense::save_memory(call.memory(), path, metadata);
  return status.ok() ? undefined(env) : throw_status(env, status);
}

}  // namespace

std::vector<napi_property_descriptor> dense_file_methods() {
  return {method("open", &open), method("openSync", &open_sync), method("save", &save),
          method("saveSync", &save_sync)};
}

}  // namespace engram::node
