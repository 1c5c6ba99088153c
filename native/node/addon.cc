// The addon's exports. lib/native.ts describes them to TypeScript.
#include <node_api.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/memory.h"
#include "node/arguments.h"
#include "node/array_files.h"
#include "node/dense_memory.h"
#include "node/detectability.h"
#include "node/devices.h"
#include "node/environment.h"
#include "node/federated_memory.h"
#include "node/hebbian_operators.h"
#include "node/linear_operators.h"
#include "node/machine_limits.h"
#include "node/measure_memory.h"
#include "node/values.h"

namespace engram::node {
namespace {

// cancel(id): ends an asynchronous call soon; nothing when it has ended.
napi_value cancel(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto id = arguments.integer<uint64_t>(0);
  if (!arguments.ok()) return nullptr;
  arguments.environment().cancel(id);
  return undefined(env);
}

// answer(id, answer): what an asynchronous call has asked; nothing when it has ended.
napi_value answer(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto id = arguments.integer<uint64_t>(0);
  if (!arguments.ok()) return nullptr;
  arguments.environment().answer(id, arguments[1]);
  return undefined(env);
}

// alignmentOffset(bytes: Uint8Array): bytes from its start to the first aligned address.
napi_value alignment_offset(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto address = reinterpret_cast<uintptr_t>(arguments.bytes(0).data());
  if (!arguments.ok()) return nullptr;
  return number(env, static_cast<double>((kAlignment - address % kAlignment) % kAlignment));
}

// preferHugePages(bytes: Uint8Array)
napi_value prefer_huge_pages(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::span<const uint8_t> bytes = arguments.bytes(0);
  if (!arguments.ok()) return nullptr;
  engram::prefer_huge_pages(bytes.data(), bytes.size());
  return undefined(env);
}

void define_functions(Environment& environment, napi_value exports) {
  std::vector<napi_property_descriptor> functions = device_functions();
  functions.push_back(method("cancel", &cancel));
  functions.push_back(method("answer", &answer));
  functions.push_back(method("alignmentOffset", &alignment_offset));
  functions.push_back(method("preferHugePages", &prefer_huge_pages));
  for (const auto& list : {machine_limit_functions(), array_file_functions(), detectability_functions(),
                           linear_operator_functions(), hebbian_operator_functions()}) {
    functions.insert(functions.end(), list.begin(), list.end());
  }
  for (napi_property_descriptor& function : functions) function.data = &environment;
  napi_define_properties(environment.env(), exports, functions.size(), functions.data());
}

}  // namespace
}  // namespace engram::node

NAPI_MODULE_INIT() {
  engram::node::Environment* environment = engram::node::Environment::create(env);
  if (environment == nullptr) return nullptr;
  engram::node::define_functions(*environment, exports);
  engram::node::define_dense_memory(*environment, exports);
  engram::node::define_measure_memory(*environment, exports);
  engram::node::define_federated_memory(*environment, exports);
  return exports;
}
