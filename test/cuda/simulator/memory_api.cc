// Memory of the runtime.
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api_call.h"
#include "defect.h"

using namespace engram::simulator;

namespace {

// A rectangle of bytes; one row where nothing is two-dimensional.
struct Area {
  std::byte* data;
  size_t pitch;
};

struct Transfer {
  Area to;
  Area from;
  size_t width;
  size_t height;

  void run() const {
    for (size_t row = 0; row < height; ++row) {
      std::memcpy(to.data + row * to.pitch, from.data + row * from.pitch, width);
    }
  }
};

bool is_of_device(Memory& memory, const void* address) {
  const Allocation* const allocation = memory.find(address);
  return allocation != nullptr && allocation->kind == MemoryKind::kDevice;
}

// The allocation that the bytes lie in; null for memory of the host that is not pinned.
Allocation* checked(Memory& memory, const void* address, size_t bytes, bool on_device, const char* what) {
  Allocation* const allocation = memory.find(address);
  if (on_device != is_of_device(memory, address)) {
    report_defect(std::string(what) +
                  (on_device ? " is not in memory of a device" : " is in memory of a device"));
  }
  if (allocation != nullptr &&
      static_cast<const std::byte*>(address) + bytes > allocation->data + allocation->bytes) {
    report_defect(std::string(what) + " of " + std::to_string(bytes) + " bytes leaves an allocation of " +
                  std::to_string(allocation->bytes));
  }
  return allocation;
}

size_t extent(const Area& area, size_t width, size_t height) {
  return height == 0 || width == 0 ? 0 : (height - 1) * area.pitch + width;
}

// Memory of the host that is not pinned is read when the copy is asked for: the runtime stages it. All else
// is read and written when the copy runs.
cudaError_t queue_transfer(Simulation& simulation, SimulatedStream& stream, Transfer transfer,
                           cudaMemcpyKind kind) {
  Memory& memory = simulation.memory;
  if (transfer.width == 0 || transfer.height == 0) return cudaSuccess;
  if (transfer.width > transfer.to.pitch || transfer.width > transfer.from.pitch)
    return cudaErrorInvalidValue;
  const bool to_device = kind == cudaMemcpyDefault
                             ? is_of_device(memory, transfer.to.data)
                             : kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDefault
                               ? is_of_device(memory, transfer.from.data)
                               : kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  Allocation* const to =
      checked(memory, transfer.to.data, extent(transfer.to, transfer.width, transfer.height), to_device,
              "the target of a copy");
  Allocation* const from =
      checked(memory, transfer.from.data, extent(transfer.from, transfer.width, transfer.height), from_device,
              "the source of a copy");
  Work work;
  for (Allocation* used : {to, from}) {
    if (used != nullptr) work.uses.push_back(used);
  }
  if (from == nullptr) {
    const auto staged = std::make_shared<std::vector<std::byte>>(transfer.width * transfer.height);
    const Area stage{staged->data(), transfer.width};
    Transfer{stage, transfer.from, transfer.width, transfer.height}.run();
    transfer.from = stage;
    work.run = [transfer, staged] { transfer.run(); };
  } else {
    work.run = [transfer] { transfer.run(); };
  }
  simulation.queue(stream, std::move(work));
  return simulation.lost(stream.device);
}

// Refuses the n-th allocation.
bool refused(uint64_t& count, uint64_t nth) { return ++count == nth; }

cudaError_t free_memory(void* data, MemoryKind kind) {
  if (data == nullptr) return cudaSuccess;
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  const Allocation* const allocation = simulation.memory.find(data);
  const cudaError_t error =
      simulation.begin_call(allocation == nullptr ? current_device : allocation->device);
  simulation.memory.release(data, kind);  // given back even where the device was lost
  return noted(error);
}

Area area(const void* data, size_t pitch) {
  return {static_cast<std::byte*>(const_cast<void*>(data)), pitch};
}

}  // namespace

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  return call([&](Simulation& simulation) {
    *memory = nullptr;
    if (bytes == 0) return cudaSuccess;
    const bool full = simulation.memory.bytes_of_device(current_device) + bytes > simulation.machine.memory;
    if (refused(simulation.counts.device_allocations, simulation.machine.fail_allocation) || full) {
      return cudaErrorMemoryAllocation;
    }
    const Allocation* const made = simulation.memory.allocate(MemoryKind::kDevice, current_device, bytes);
    if (made == nullptr) return cudaErrorMemoryAllocation;
    *memory = made->data;
    return cudaSuccess;
  });
}

cudaError_t cudaFree(void* memory) { return free_memory(memory, MemoryKind::kDevice); }

cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t) { return cudaMalloc(memory, bytes); }

cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  return call([&](Simulation& simulation) {
    SimulatedStream& found = simulation.stream(stream, current_device);
    simulation.queue(
        found, {.run = [&simulation, memory] { simulation.memory.release(memory, MemoryKind::kDevice); }});
    return cudaSuccess;
  });
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  return cudaHostAlloc(memory, bytes, cudaHostAllocDefault);
}

cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned int) {
  return call([&](Simulation& simulation) {
    *memory = nullptr;
    if (bytes == 0) return cudaSuccess;
    if (refused(simulation.counts.pinned_allocations, simulation.machine.fail_pinned))
      return cudaErrorMemoryAllocation;
    const Allocation* const made = simulation.memory.allocate(MemoryKind::kPinned, current_device, bytes);
    if (made == nullptr) return cudaErrorMemoryAllocation;
    *memory = made->data;
    return cudaSuccess;
  });
}

cudaError_t cudaFreeHost(void* memory) { return free_memory(memory, MemoryKind::kPinned); }

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return call([&](Simulation& simulation) {
    *total = simulation.machine.memory;
    *free = *total - simulation.memory.bytes_of_device(current_device);
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return cudaMemcpy2DAsync(to, bytes, from, bytes, bytes, 1, kind, stream);
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  return call([&](Simulation& simulation) {
    return queue_transfer(simulation, simulation.stream(stream, current_device),
                          {area(to, to_pitch), area(from, from_pitch), width, height}, kind);
  });
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const cudaError_t error = cudaMemcpyAsync(to, from, bytes, kind, nullptr);
  return error == cudaSuccess ? cudaStreamSynchronize(nullptr) : error;
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  return call([&](Simulation& simulation) {
    if (bytes == 0) return cudaSuccess;
    SimulatedStream& found = simulation.stream(stream, current_device);
    Work work;
    work.uses = {checked(simulation.memory, memory, bytes, true, "the target of a fill")};
    work.run = [memory, value, bytes] { std::memset(memory, value, bytes); };
    simulation.queue(found, std::move(work));
    return simulation.lost(found.device);
  });
}

cudaError_t cudaMemset(void* memory, int value, size_t bytes) {
  return cudaMemsetAsync(memory, value, bytes, nullptr);
}
