// Memories as files: open and save, on threads that may wait for a disk.
#pragma once

#include <node_api.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "node/arguments.h"
#include "node/errors.h"
#include "node/memory_handle.h"
#include "node/pending_call.h"
#include "node/values.h"
#include "runtime/ticket.h"

namespace engram::node {

using Metadata = std::map<std::string, std::string>;
using KeepGoing = std::function<bool(uint64_t done, uint64_t total)>;

class FileTicket final : public runtime::Ticket {
 public:
  void cancel() noexcept override { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

// Metadata in JavaScript is [key, value, key, value, ...].
Metadata metadata_of(Arguments& arguments, size_t index);
napi_value metadata_entries(napi_env env, const Metadata& metadata);

// Takes the call in and runs `work` on a file thread; its Status ends the call. The callbacks `settle`
// and `progress` are the arguments at `at`. Returns the call's id.
napi_value start_file_work(Arguments& arguments, size_t at, std::unique_ptr<PendingCall> pending,
                           std::function<Status(PendingCall&)> work);

// `Files` says what one kind of memory has for it:
//   Memory, Opened (with members memory and metadata)
//   static Result<Opened> open(const std::string& path, bool verify)
//   static Status save(const Memory&, const std::string& path, const Metadata&, const KeepGoing&)
//   static std::vector<napi_value> facts(napi_env, const Memory&): what JavaScript learns of an opened one

template <typename Files>
Status open_into(typename Files::Opened& opened, const std::string& path, bool verify) {
  Result<typename Files::Opened> result = Files::open(path, verify);
  if (!result.ok()) return result.status();
  opened = std::move(result).value();
  return {};
}

// Fills the handle; metadata and facts.
template <typename Files>
std::vector<napi_value> take_opened(napi_env env, MemoryHandle<typename Files::Memory>& handle,
                                    const typename Files::Opened& opened) {
  handle.set_memory(env, opened.memory);
  std::vector<napi_value> values = Files::facts(env, *opened.memory);
  values.insert(values.begin(), metadata_entries(env, opened.metadata));
  return values;
}

template <typename Files>
class OpenCall final : public PendingCall {
 public:
  explicit OpenCall(MemoryHandle<typename Files::Memory>& handle) : handle_(handle) {}

  Status add_results(napi_env env, std::vector<napi_value>& arguments) override {
    const std::vector<napi_value> values = take_opened<Files>(env, handle_, opened);
    arguments.insert(arguments.end(), values.begin(), values.end());
    return {};
  }

  typename Files::Opened opened;

 private:
  MemoryHandle<typename Files::Memory>&
      handle_;  // kept alive by the JavaScript callback, which wants it filled
};

// open(path, verify, settle, progress): fills this handle; settles with metadata and facts.
template <typename Files>
napi_value open(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  auto* handle = MemoryHandle<typename Files::Memory>::of(arguments);
  std::string path = arguments.text(0);
  const bool verify = arguments.boolean(1);
  if (handle == nullptr || !arguments.ok()) return nullptr;
  return start_file_work(arguments, 2, std::make_unique<OpenCall<Files>>(*handle),
                         [path = std::move(path), verify](PendingCall& call) {
                           return open_into<Files>(static_cast<OpenCall<Files>&>(call).opened, path, verify);
                         });
}

// openSync(path, verify): fills this handle; [metadata, ...facts].
template <typename Files>
napi_value open_sync(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  auto* handle = MemoryHandle<typename Files::Memory>::of(arguments);
  const std::string path = arguments.text(0);
  const bool verify = arguments.boolean(1);
  if (handle == nullptr || !arguments.ok()) return nullptr;
  typename Files::Opened opened;
  const Status status = open_into<Files>(opened, path, verify);
  if (!status.ok()) return throw_status(env, status);
  return array(env, take_opened<Files>(env, *handle, opened));
}

// save(path, metadata, settle, progress)
template <typename Files>
napi_value save(napi_env env, napi_callback_info info) {
  MemoryCall<typename Files::Memory> call(env, info);
  if (!call.ok()) return nullptr;
  std::string path = call.arguments.text(0);
  Metadata metadata = metadata_of(call.arguments, 1);
  if (!call.arguments.ok()) return nullptr;
  auto pending = std::make_unique<PendingCall>();
  auto ticket = std::make_shared<FileTicket>();
  pending->ticket = ticket;
  return start_file_work(call.arguments, 2, std::move(pending),
                         [memory = call.handle->memory(), path = std::move(path),
                          metadata = std::move(metadata), ticket](PendingCall& saving) {
                           return Files::save(
                               *memory, path, metadata,
                               [&, report = saving.on_progress()](uint64_t done, uint64_t total) {
                                 if (report) report(done, total);
                                 return !ticket->cancelled();
                               });
                         });
}

// saveSync(path, metadata)
template <typename Files>
napi_value save_sync(napi_env env, napi_callback_info info) {
  MemoryCall<typename Files::Memory> call(env, info);
  if (!call.ok()) return nullptr;
  const std::string path = call.arguments.text(0);
  const Metadata metadata = metadata_of(call.arguments, 1);
  if (!call.arguments.ok()) return nullptr;
  return undefined_or_throw(env, Files::save(call.memory(), path, metadata, KeepGoing()));
}

template <typename Files>
Methods file_methods() {
  return {method("open", &open<Files>), method("openSync", &open_sync<Files>), method("save", &save<Files>),
          method("saveSync", &save_sync<Files>)};
}

}  // namespace engram::node
