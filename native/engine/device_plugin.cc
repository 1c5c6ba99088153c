#include "engine/device_plugin.h"

#include <dlfcn.h>
#include <unistd.h>

#include <mutex>
#include <utility>

namespace engram::engine {
namespace {

// Several worker threads may load the addon at the same time.
struct PluginPath {
  std::mutex mutex;
  std::string path;
};
PluginPath& plugin_path() {
  static PluginPath* const kPath = new PluginPath();
  return *kPath;
}

std::string current_path() {
  const std::lock_guard<std::mutex> lock(plugin_path().mutex);
  return plugin_path().path;
}

std::string loader_says() {
  const char* text = dlerror();
  return text != nullptr ? text : "unknown";
}

DevicePlugin probe() {
  DevicePlugin plugin;
  const Result<const EngramDeviceTable*> table = load_device_plugin(current_path());
  if (!table.ok()) {
    plugin.reason = table.status().message();
    return plugin;
  }
  EngramFailure failure{};
  const Status status = device_status(table.value()->count(&plugin.devices, &failure), failure);
  if (!status.ok()) {
    plugin.reason = status.message();
    plugin.devices = 0;
    return plugin;
  }
  plugin.table = table.value();
  return plugin;
}

}  // namespace

// The library stays loaded for ever: its threads and memory have no end that could be waited for.
Result<const EngramDeviceTable*> load_device_plugin(const std::string& path) {
  if (path.empty() || access(path.c_str(), F_OK) != 0) {
    return Status(StatusCode::kDevice, "this build has no CUDA backend");
  }
  if (path.front() != '/') {
    return Status(StatusCode::kDevice,
                  "the CUDA backend is loaded by absolute path only, not '" + path + "'");
  }
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Status(StatusCode::kDevice, "the CUDA backend cannot be loaded: " + loader_says());
  }
  void* const symbol = dlsym(library, ENGRAM_DEVICE_TABLE_SYMBOL);
  if (symbol == nullptr) {
    return Status(StatusCode::kDevice, "'" + path + "' is not a CUDA backend of engram: " + loader_says());
  }
  const EngramDeviceTable* table = reinterpret_cast<EngramDeviceTableFunction>(symbol)();
  const std::string remedy = "; install both from one package";
  if (table == nullptr || table->version != ENGRAM_DEVICE_TABLE_VERSION) {
    return Status(StatusCode::kDevice,
                  "the CUDA backend at '" + path + "' has version " +
                      (table == nullptr ? std::string("unknown") : std::to_string(table->version)) +
                      ", this engram needs " + std::to_string(ENGRAM_DEVICE_TABLE_VERSION) + remedy);
  }
  if (table->size < sizeof *table) {
    return Status(StatusCode::kDevice, "the CUDA backend at '" + path + "' has a table of " +
                                           std::to_string(table->size) + " bytes, this engram needs " +
                                           std::to_string(sizeof *table) + remedy);
  }
  return table;
}

void set_device_plugin_path(std::string path) {
  const std::lock_guard<std::mutex> lock(plugin_path().mutex);
  plugin_path().path = std::move(path);
}

const DevicePlugin& device_plugin() {
  static const DevicePlugin* const kPlugin =
      new DevicePlugin(probe());  // leaked: outlives static destructors
  return *kPlugin;
}

Status device_status(int32_t code, const EngramFailure& failure) {
  if (code == 0) return {};
  return {static_cast<StatusCode>(code), failure.message};
}

}  // namespace engram::engine
