// Devices, errors and kernels of the runtime.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "api_call.h"
#include "block.h"

using namespace engram::simulator;

namespace engram::simulator {

constinit thread_local uint32_t current_device = 0;
constinit thread_local cudaError_t last_error = cudaSuccess;

namespace {

constexpr int kRuntimeVersion = CUDART_VERSION;
constexpr int kOldDriverVersion = 11040;
constexpr size_t kSharedBytesUnasked = size_t{48} << 10;
constexpr size_t kSharedBytesOfSystem = size_t{1} << 10;  // of each block

// KiB that a block may ask for.
size_t most_shared_bytes(const Machine& machine) {
  if (machine.major == 8 && machine.minor == 0) return size_t{163} << 10;
  if (machine.major == 9 || machine.major == 10) return size_t{227} << 10;
  return size_t{99} << 10;
}

size_t shared_bytes_of_multiprocessor(const Machine& machine) {
  return most_shared_bytes(machine) + kSharedBytesOfSystem;
}

int most_threads_of_multiprocessor(const Machine& machine) {
  return machine.major == 9 || machine.major == 10 || (machine.major == 8 && machine.minor == 0) ? 2048
                                                                                                 : 1536;
}

struct ErrorText {
  cudaError_t error;
  const char* name;
  const char* text;
};
constexpr ErrorText kErrors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidDevicePointer, "cudaErrorInvalidDevicePointer", "invalid device pointer"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorDevicesUnavailable, "cudaErrorDevicesUnavailable",
     "CUDA-capable device(s) is/are busy or unavailable"},
    {cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorSymbolNotFound, "cudaErrorSymbolNotFound", "named symbol not found"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources",
     "too many resources requested for launch"},
    {cudaErrorLaunchTimeout, "cudaErrorLaunchTimeout", "the launch timed out and was terminated"},
    {cudaErrorAssert, "cudaErrorAssert", "device-side assert triggered"},
    {cudaErrorMisalignedAddress, "cudaErrorMisalignedAddress", "misaligned address"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotPermitted, "cudaErrorNotPermitted", "operation not permitted"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const ErrorText* text_of(cudaError_t error) {
  const auto* const found = std::find_if(std::begin(kErrors), std::end(kErrors),
                                         [&](const ErrorText& t) { return t.error == error; });
  return found == std::end(kErrors) ? nullptr : found;
}

// Asks what needs a machine and no device that works.
template <typename Body>
cudaError_t ask(int device, const Body& body) {
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  const cudaError_t error = simulation.machine_error();
  if (error != cudaSuccess) return noted(error);
  if (device < 0 || static_cast<uint32_t>(device) >= simulation.machine.devices)
    return noted(cudaErrorInvalidDevice);
  return noted(body(simulation.machine));
}

cudaDeviceProp properties_of(const Machine& machine, int device) {
  cudaDeviceProp p{};
  std::snprintf(p.name, sizeof p.name, "Simulated device %d", device);
  p.totalGlobalMem = machine.memory;
  p.sharedMemPerBlock = kSharedBytesUnasked;
  p.regsPerBlock = p.regsPerMultiprocessor = 65536;
  p.warpSize = warpSize;
  p.maxThreadsPerBlock = static_cast<int>(kMostThreads);
  std::copy_n(std::begin({1024, 1024, 64}), 3, p.maxThreadsDim);
  std::copy_n(std::begin({0x7FFFFFFF, 65535, 65535}), 3, p.maxGridSize);
  p.major = machine.major;
  p.minor = machine.minor;
  p.multiProcessorCount = static_cast<int>(machine.multiprocessors);
  p.asyncEngineCount = 2;
  p.unifiedAddressing = 1;
  p.pciBusID = device + 1;
  p.memoryBusWidth = 5120;
  p.l2CacheSize = 4 << 20;
  p.maxThreadsPerMultiProcessor = most_threads_of_multiprocessor(machine);
  p.sharedMemPerMultiprocessor = shared_bytes_of_multiprocessor(machine);
  p.sharedMemPerBlockOptin = most_shared_bytes(machine);
  p.reservedSharedMemPerBlock = kSharedBytesOfSystem;
  p.maxBlocksPerMultiProcessor = 32;
  p.cooperativeLaunch = 1;
  p.clusterLaunch = machine.major >= 9 ? 1 : 0;
  return p;
}

bool shape_allowed(const dim3& grid, const dim3& block) {
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  const bool grid_fits =
      grid.x >= 1 && grid.y >= 1 && grid.z >= 1 && grid.x <= 0x7FFFFFFF && grid.y <= 65535 && grid.z <= 65535;
  return grid_fits && threads >= 1 && threads <= kMostThreads && block.z <= 64;
}

// Allocations that pointers among the bytes lie in.
std::vector<Allocation*> allocations_named(Memory& memory, const void* bytes, size_t count) {
  std::vector<Allocation*> found;
  for (size_t at = 0; at + sizeof(void*) <= count; at += alignof(void*)) {
    const void* pointer;
    std::memcpy(&pointer, static_cast<const std::byte*>(bytes) + at, sizeof pointer);
    Allocation* const allocation = memory.find(pointer);
    if (allocation != nullptr && std::find(found.begin(), found.end(), allocation) == found.end()) {
      found.push_back(allocation);
    }
  }
  return found;
}

}  // namespace

cudaError_t most_blocks(int* blocks, int threads, size_t shared_bytes) {
  return ask(static_cast<int>(current_device), [&](const Machine& machine) {
    if (threads < 1) return cudaErrorInvalidValue;
    *blocks = 0;
    if (threads > static_cast<int>(kMostThreads) || shared_bytes > most_shared_bytes(machine))
      return cudaSuccess;
    const size_t by_threads = static_cast<size_t>(most_threads_of_multiprocessor(machine) / threads);
    const size_t by_shared = shared_bytes_of_multiprocessor(machine) / (shared_bytes + kSharedBytesOfSystem);
    *blocks = static_cast<int>(std::min({by_threads, by_shared, size_t{32}}));
    return cudaSuccess;
  });
}

cudaError_t launch_kernel(const cudaLaunchConfig_t& config, const void* kernel, const void* arguments,
                          size_t bytes, std::function<void()> call_kernel) {
  return call([&](Simulation& simulation) {
    SimulatedStream& stream = simulation.stream(config.stream, current_device);
    if (stream.device != current_device) return cudaErrorInvalidResourceHandle;
    if (!shape_allowed(config.gridDim, config.blockDim)) return cudaErrorInvalidConfiguration;
    const auto allowed = simulation.shared_bytes_allowed.find(kernel);
    const size_t most = allowed == simulation.shared_bytes_allowed.end() ? 0 : allowed->second;
    if (config.dynamicSmemBytes > std::max(kSharedBytesUnasked, most)) return cudaErrorInvalidValue;
    Work work;
    work.uses = allocations_named(simulation.memory, arguments, bytes);
    if (++simulation.counts.launches == simulation.machine.fail_launch) {
      work.run = [&simulation, device = stream.device] { simulation.lose(device, cudaErrorLaunchFailure); };
    } else {
      const Grid grid{config.gridDim, config.blockDim, config.dynamicSmemBytes};
      work.run = [grid, call_kernel = std::move(call_kernel)] { run_grid(grid, call_kernel); };
    }
    simulation.queue(stream, std::move(work));
    return simulation.lost(stream.device);
  });
}

}  // namespace engram::simulator

const char* cudaGetErrorName(cudaError_t error) {
  const ErrorText* const text = text_of(error);
  return text == nullptr ? "unrecognized error code" : text->name;
}

const char* cudaGetErrorString(cudaError_t error) {
  const ErrorText* const text = text_of(error);
  return text == nullptr ? "unrecognized error code" : text->text;
}

cudaError_t cudaPeekAtLastError() {
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  if (simulation.machine_error() == cudaSuccess && current_device < simulation.machine.devices &&
      simulation.lost(current_device) != cudaSuccess) {
    return simulation.lost(current_device);
  }
  return last_error;
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = cudaPeekAtLastError();
  last_error = cudaSuccess;
  return error;
}

cudaError_t cudaGetDeviceCount(int* count) {
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  const cudaError_t error = simulation.machine_error();
  *count = error == cudaSuccess ? static_cast<int>(simulation.machine.devices) : 0;
  return noted(error);
}

cudaError_t cudaSetDevice(int device) {
  const cudaError_t error = ask(device, [](const Machine&) { return cudaSuccess; });
  if (error != cudaSuccess) return error;
  return call_on(static_cast<uint32_t>(device), [&](Simulation&) {
    current_device = static_cast<uint32_t>(device);
    return cudaSuccess;
  });
}

cudaError_t cudaInitDevice(int device, unsigned int, unsigned int) {
  return ask(device, [](const Machine&) { return cudaSuccess; });
}

cudaError_t cudaGetDevice(int* device) {
  *device = static_cast<int>(current_device);
  return ask(0, [](const Machine&) { return cudaSuccess; });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return ask(device, [&](const Machine& machine) {
    *properties = properties_of(machine, device);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return ask(device, [&](const Machine& machine) {
    const cudaDeviceProp p = properties_of(machine, device);
    switch (attribute) {
      case cudaDevAttrMaxThreadsPerBlock: *value = p.maxThreadsPerBlock; break;
      case cudaDevAttrMaxSharedMemoryPerBlock: *value = static_cast<int>(p.sharedMemPerBlock); break;
      case cudaDevAttrWarpSize: *value = p.warpSize; break;
      case cudaDevAttrMaxRegistersPerBlock: *value = p.regsPerBlock; break;
      case cudaDevAttrClockRate: *value = 1'410'000; break;
      case cudaDevAttrMultiProcessorCount: *value = p.multiProcessorCount; break;
      case cudaDevAttrMemoryClockRate: *value = 1'215'000; break;
      case cudaDevAttrGlobalMemoryBusWidth: *value = p.memoryBusWidth; break;
      case cudaDevAttrL2CacheSize: *value = p.l2CacheSize; break;
      case cudaDevAttrMaxThreadsPerMultiProcessor: *value = p.maxThreadsPerMultiProcessor; break;
      case cudaDevAttrAsyncEngineCount: *value = p.asyncEngineCount; break;
      case cudaDevAttrComputeCapabilityMajor: *value = p.major; break;
      case cudaDevAttrComputeCapabilityMinor: *value = p.minor; break;
      case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
        *value = static_cast<int>(p.sharedMemPerMultiprocessor);
        break;
      case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = static_cast<int>(p.sharedMemPerBlockOptin);
        break;
      case cudaDevAttrMaxBlocksPerMultiprocessor: *value = p.maxBlocksPerMultiProcessor; break;
      default: return cudaErrorInvalidValue;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetPCIBusId(char* id, int size, int device) {
  return ask(device, [&](const Machine&) {
    std::snprintf(id, static_cast<size_t>(size), "0000:%02x:00.0", device + 1);
    return cudaSuccess;
  });
}

cudaError_t cudaDriverGetVersion(int* version) {
  switch (machine().driver) {
    case Machine::Driver::kGood: *version = kRuntimeVersion; break;
    case Machine::Driver::kTooOld: *version = kOldDriverVersion; break;
    case Machine::Driver::kNone: *version = 0; break;
  }
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = kRuntimeVersion;
  return cudaSuccess;
}

cudaError_t cudaSetDeviceFlags(unsigned int) {
  return ask(static_cast<int>(current_device), [](const Machine&) { return cudaSuccess; });
}

cudaError_t cudaDeviceSynchronize() {
  return call([](Simulation& simulation) {
    simulation.run_device(current_device);
    return simulation.lost(current_device);
  });
}

cudaError_t cudaDeviceReset() {
  return ask(static_cast<int>(current_device), [](const Machine&) {
    Simulation::get().reset(current_device);
    return cudaSuccess;
  });
}

cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned int,
                                             unsigned long long, cudaDriverEntryPointQueryResult* found) {
  return ask(static_cast<int>(current_device), [&](const Machine&) {
    const auto& functions = Simulation::get().driver_functions;
    const auto at = functions.find(symbol);
    *function = at == functions.end() ? nullptr : at->second;
    const bool known = at != functions.end();
    if (found != nullptr) *found = known ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
    return known || found != nullptr ? cudaSuccess : cudaErrorSymbolNotFound;
  });
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return call([&](Simulation& simulation) {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
    if (value < 0 || static_cast<size_t>(value) > most_shared_bytes(simulation.machine))
      return cudaErrorInvalidValue;
    simulation.shared_bytes_allowed[kernel] = static_cast<size_t>(value);
    return cudaSuccess;
  });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  return call([&](Simulation& simulation) {
    *attributes = {};
    attributes->maxThreadsPerBlock = static_cast<int>(kMostThreads);
    attributes->numRegs = 64;
    attributes->ptxVersion = attributes->binaryVersion =
        simulation.machine.major * 10 + simulation.machine.minor;
    const auto allowed = simulation.shared_bytes_allowed.find(kernel);
    attributes->maxDynamicSharedSizeBytes = static_cast<int>(
        allowed == simulation.shared_bytes_allowed.end() ? kSharedBytesUnasked : allowed->second);
    return cudaSuccess;
  });
}
