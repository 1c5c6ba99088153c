#include "engine/backend.h"

#include <charconv>

#include "engine/cpu_backend.h"
#include "engine/device_backend.h"
#include "engine/device_plugin.h"

namespace engram::engine {
namespace {

// A device of the plugin, or why it cannot be used.
struct Device {
  std::unique_ptr<Backend> backend;
  std::string reason;
};

// Made by the first question, kept for ever.
const std::vector<Device>& cuda_devices() {
  static const std::vector<Device>* const kDevices = [] {
    auto* list = new std::vector<Device>();
    const DevicePlugin& plugin = device_plugin();
    for (uint32_t d = 0; d < plugin.devices; ++d) {
      Result<std::unique_ptr<Backend>> backend = make_device_backend(*plugin.table, d);
      if (backend.ok()) {
        list->push_back({std::move(backend).value(), {}});
      } else {
        list->push_back({nullptr, backend.status().message()});
      }
    }
    return list;
  }();
  return *kDevices;
}

constexpr char kCuda[] = "cuda:";

DeviceFacts missing(uint32_t device, const std::string& reason) {
  return {.id = kCuda + std::to_string(device),
          .name = "NVIDIA GPU",
          .available = false,
          .reason = reason,
          .memory_bytes = 0,
          .instruction_set = {}};
}

// The number in "cuda:<n>"; false for any other name.
bool parse_cuda(const std::string& name, uint32_t& number) {
  constexpr size_t kLength = sizeof(kCuda) - 1;
  if (name.compare(0, kLength, kCuda) != 0) return false;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kLength, end, number);
  return error == std::errc() && stop == end;
}

Result<const Backend*> find_cuda(const std::string& name, uint32_t number) {
  const std::vector<Device>& list = cuda_devices();
  std::string reason = device_plugin().reason;
  if (number < list.size()) {
    if (list[number].backend != nullptr) return list[number].backend.get();
    reason = list[number].reason;
  } else if (!list.empty()) {
    reason = "there are " + std::to_string(list.size()) + " CUDA devices";
  }
  return Status(StatusCode::kDevice, "device '" + name + "' is not available: " + reason);
}

}  // namespace

std::vector<DeviceFacts> devices() {
  std::vector<DeviceFacts> facts{cpu_backend().facts()};
  const std::vector<Device>& list = cuda_devices();
  // One is listed so that a user learns why there is none.
  if (list.empty()) facts.push_back(missing(0, device_plugin().reason));
  for (uint32_t d = 0; d < list.size(); ++d) {
    facts.push_back(list[d].backend != nullptr ? list[d].backend->facts() : missing(d, list[d].reason));
  }
  return facts;
}

Result<const Backend*> find_backend(const std::string& device) {
  if (device == "cpu") return &cpu_backend();
  if (device == "auto") {
    for (const Device& candidate : cuda_devices()) {
      if (candidate.backend != nullptr) return candidate.backend.get();
    }
    return &cpu_backend();
  }
  uint32_t number = 0;
  if (parse_cuda(device, number)) return find_cuda(device, number);
  return Status(StatusCode::kRange, "device '" + device + "' is unknown; valid: 'auto', 'cpu', 'cuda:<n>'");
}

}  // namespace engram::engine
