// What the handles on all kinds of memory have in common: their life, their weight on the garbage collector,
// their classes.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "node/arguments.h"
#include "node/errors.h"
#include "node/values.h"

namespace engram::node {

// Bytes on a device; 0 for a kind of memory that keeps nothing there.
template <typename Memory>
uint64_t device_bytes_of(const Memory& memory) {
  if constexpr (requires { memory.device_bytes(); }) {
    return memory.device_bytes();
  } else {
    return 0;
  }
}

// The native part of a JavaScript object that holds a memory of the core.
template <typename Memory>
class MemoryHandle {
 public:
  // The handle that a method was called on; nullptr with an exception pending when `this` is none.
  static MemoryHandle* of(const Arguments& arguments) {
    void* data = nullptr;
    if (napi_unwrap(arguments.env(), arguments.self(), &data) != napi_ok) {
      throw_last_napi_error(arguments.env());
    }
    return static_cast<MemoryHandle*>(data);
  }

  // The end of a constructor: gives `this` a handle that lives as long as it. `memory` may be null.
  static napi_value wrap(const Arguments& arguments, std::shared_ptr<Memory> memory) {
    auto handle = std::make_unique<MemoryHandle>();
    const napi_status wrapped =
        napi_wrap(arguments.env(), arguments.self(), handle.get(), &forget, nullptr, nullptr);
    if (wrapped != napi_ok) {
      throw_last_napi_error(arguments.env());
      return nullptr;
    }
    handle.release()->set_memory(arguments.env(), std::move(memory));  // the wrapper owns it now
    return arguments.self();
  }

  // Null until a memory was created or opened, and after dispose(). Calls under way hold their own share.
  const std::shared_ptr<Memory>& memory() const { return memory_; }

  void set_memory(napi_env env, std::shared_ptr<Memory> memory) {
    memory_ = std::move(memory);
    report_bytes(env);
  }

  // Tells the garbage collector how much memory hangs on this small object, on its device, too: it is to run
  // also where only that grows.
  void report_bytes(napi_env env) {
    const int64_t bytes =
        memory_ == nullptr ? 0 : static_cast<int64_t>(memory_->native_bytes() + device_bytes_of(*memory_));
    if (bytes == reported_bytes_) return;
    int64_t total = 0;
    napi_adjust_external_memory(env, bytes - reported_bytes_, &total);
    reported_bytes_ = bytes;
  }

 private:
  static void forget(napi_env env, void* data, void* /*hint*/) {
    const std::unique_ptr<MemoryHandle> forgotten(static_cast<MemoryHandle*>(data));
    forgotten->set_memory(env, nullptr);
  }

  std::shared_ptr<Memory> memory_;
  int64_t reported_bytes_ = 0;
};

// A method call on a handle that has a memory. `ok()` is false, with an exception pending, where it has
// none (lib/ does not let that happen).
template <typename Memory>
struct MemoryCall {
  MemoryCall(napi_env env, napi_callback_info info)
      : arguments(env, info), handle(MemoryHandle<Memory>::of(arguments)) {
    if (handle == nullptr || handle->memory() != nullptr) return;
    throw_status(env, {StatusCode::kDisposed, "the memory was disposed"});
    handle = nullptr;
  }
  bool ok() const { return handle != nullptr; }
  Memory& memory() const { return *handle->memory(); }

  Arguments arguments;
  MemoryHandle<Memory>* handle;
};

// nativeBytes(): bytes the memory allocated itself; 0 once disposed.
template <typename Memory>
napi_value native_bytes(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto* handle = MemoryHandle<Memory>::of(arguments);
  if (handle == nullptr) return nullptr;
  return number(env, handle->memory() == nullptr ? 0 : static_cast<double>(handle->memory()->native_bytes()));
}

// deviceBytes(): bytes the memory holds on its device; 0 once disposed.
template <typename Memory>
napi_value device_bytes(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const auto* handle = MemoryHandle<Memory>::of(arguments);
  if (handle == nullptr) return nullptr;
  return number(env,
                handle->memory() == nullptr ? 0 : static_cast<double>(device_bytes_of(*handle->memory())));
}

// dispose(): lets the memory go; calls under way end normally on their own share of it.
template <typename Memory>
napi_value dispose(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  auto* handle = MemoryHandle<Memory>::of(arguments);
  if (handle == nullptr) return nullptr;
  handle->set_memory(env, nullptr);
  return undefined(env);
}

using Methods = std::vector<napi_property_descriptor>;

// Adds a class to the addon's exports: its own lists of methods, and those that every memory has.
template <typename Memory>
void define_memory(Environment& environment, napi_value exports, const char* name, napi_callback construct,
                   std::initializer_list<Methods> lists) {
  Methods methods{method("nativeBytes", &native_bytes<Memory>), method("deviceBytes", &device_bytes<Memory>),
                  method("dispose", &dispose<Memory>)};
  for (const Methods& list : lists) methods.insert(methods.end(), list.begin(), list.end());
  for (napi_property_descriptor& each : methods) each.data = &environment;
  napi_value constructor = nullptr;
  napi_define_class(environment.env(), name, NAPI_AUTO_LENGTH, construct, &environment, methods.size(),
                    methods.data(), &constructor);
  napi_set_named_property(environment.env(), exports, name, constructor);
}

}  // namespace engram::node
