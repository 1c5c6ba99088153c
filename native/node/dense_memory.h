// The native side of lib/dense-memory.ts: a handle on a dense::Memory.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "dense/memory.h"
#include "node/arguments.h"

namespace engram::node {

class DenseMemory {
 public:
  // Adds the class "DenseMemory" to the addon's exports.
  static void define(Environment& environment, napi_value exports);
  // The handle that a method was called on; nullptr with an exception pending when `this` is none.
  static DenseMemory* of(const Arguments& arguments);

  // Null until a memory was created or opened, and after dispose(). Calls under way hold their own share.
  const std::shared_ptr<dense::Memory>& memory() const { return memory_; }
  void set_memory(napi_env env, std::shared_ptr<dense::Memory> memory);
  // Tells the garbage collector how much memory hangs on this small object.
  void report_bytes(napi_env env);

 private:
  std::shared_ptr<dense::Memory> memory_;
  int64_t reported_bytes_ = 0;
};

// A method call on a handle that has a memory. `ok()` is false, with an exception pending, where it has
// none (lib/ does not let that happen).
struct DenseCall {
  DenseCall(napi_env env, napi_callback_info info);
  bool ok() const { return handle != nullptr; }
  dense::Memory& memory() const { return *handle->memory(); }

  Arguments arguments;
  DenseMemory* handle;
};

// [beta, similarity, recall, sample, unreachable, gap_min, gap_median, gap_max]
napi_value calibration_facts(napi_env env, const dense::Calibration& calibration);

// Methods by subject; each list is defined in the file of that name.
std::vector<napi_property_descriptor> dense_store_methods();    // dense_store.cc
std::vector<napi_property_descriptor> dense_request_methods();  // dense_requests.cc
std::vector<napi_property_descriptor> dense_file_methods();     // dense_files.cc

}  // namespace engram::node
