#include "engine/backend.h"

#include "engine/cpu_backend.h"

namespace engram::engine {
namespace {

// CUDA devices are listed so that a user learns why there is none, also in a build without the plugin.
DeviceFacts cuda_facts() {
  return {.id = "cuda:0",
          .name = "NVIDIA GPU",
          .available = false,
          .reason = "this build has no CUDA backend",
          .memory_bytes = 0,
          .instruction_set = {}};
}

bool is_cuda_name(const std::string& device) {
  constexpr char kPrefix[] = "cuda:";
  constexpr size_t kLength = sizeof(kPrefix) - 1;
  return device.size() > kLength && device.compare(0, kLength, kPrefix) == 0 &&
         device.find_first_not_of("0123456789", kLength) == std::string::npos;
}

}  // namespace

std::vector<DeviceFacts> devices() { return {cpu_backend().facts(), cuda_facts()}; }

Result<const Backend*> find_backend(const std::string& device) {
  if (device == "auto" || device == "cpu") return &cpu_backend();
  if (is_cuda_name(device)) {
    return Status(StatusCode::kDevice, "device '" + device + "' is not available: " + cuda_facts().reason);
  }
  return Status(StatusCode::kRange, "device '" + device + "' is unknown; valid: 'auto', 'cpu', 'cuda:<n>'");
}

}  // namespace engram::engine
