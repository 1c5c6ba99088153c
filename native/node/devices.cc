#include "node/devices.h"

#include "engine/backend.h"
#include "engine/device_plugin.h"
#include "node/arguments.h"
#include "node/errors.h"
#include "node/values.h"
#include "runtime/pool.h"

namespace engram::node {
namespace {

// devices(): for each [id, name, available, reason, memoryBytes, instructionSet]; texts may be empty.
napi_value devices(napi_env env, napi_callback_info /*info*/) {
  std::vector<napi_value> list;
  for (const engine::DeviceFacts& facts : engine::devices()) {
    list.push_back(array(env, {text(env, facts.id), text(env, facts.name), boolean(env, facts.available),
                               text(env, facts.reason), number(env, static_cast<double>(facts.memory_bytes)),
                               text(env, facts.instruction_set)}));
  }
  return array(env, list);
}

// resolveDevice(name): the id of the device that the name stands for; throws where there is none.
napi_value resolve_device(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::string name = arguments.text(0);
  if (!arguments.ok()) return nullptr;
  const Result<const engine::Backend*> backend = engine::find_backend(name);
  if (!backend.ok()) return throw_status(env, backend.status());
  return text(env, backend.value()->facts().id);
}

// setDevicePlugin(path): where the plugin for devices lies; before the first question about devices.
napi_value set_device_plugin(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  std::string path = arguments.text(0);
  if (!arguments.ok()) return nullptr;
  engine::set_device_plugin_path(std::move(path));
  return undefined(env);
}

// configure(threads)
napi_value configure(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto threads = arguments.integer<unsigned>(0);
  if (!arguments.ok()) return nullptr;
  const Status status = runtime::Pool::instance().configure(threads);
  return status.ok() ? undefined(env) : throw_status(env, status);
}

// threads(): how many work on jobs.
napi_value threads(napi_env env, napi_callback_info /*info*/) {
  return number(env, runtime::Pool::instance().threads());
}

}  // namespace

std::vector<napi_property_descriptor> device_functions() {
  return {method("devices", &devices), method("resolveDevice", &resolve_device),
          method("setDevicePlugin", &set_device_plugin), method("configure", &configure),
          method("threads", &threads)};
}

}  // namespace engram::node
