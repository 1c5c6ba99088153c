// Memory of the simulated devices and pinned host memory.
//
// Every allocation ends before a page that cannot be touched and is poisoned at first. Memory of a device can
// be touched only while work of a device runs: host code that follows a device pointer faults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace engram::simulator {

enum class MemoryKind : uint8_t { kDevice, kPinned };

struct Allocation {
  std::byte* data = nullptr;
  size_t bytes = 0;
  MemoryKind kind = MemoryKind::kDevice;
  uint32_t device = 0;
  uint64_t uses = 0;  // by queued work

  std::byte* pages = nullptr;  // between two that cannot be touched
  size_t page_bytes = 0;
};

// Not locked: its user does that.
class Memory {
 public:
  // Null where there is no memory in the host. The address is a multiple of 256.
  Allocation* allocate(MemoryKind kind, uint32_t device, size_t bytes);
  // A defect where no such allocation exists, where queued work uses it, or where its surroundings were
  // written.
  void release(void* data, MemoryKind kind);
  // Whatever happens to it: its device is gone.
  void forget(Allocation* allocation);

  // The allocation that holds the address, its end included; null where none does.
  Allocation* find(const void* address);
  // The one within whose pages or guards the address lies.
  const Allocation* near(const void* address) const;
  std::vector<Allocation*> of_device(uint32_t device);
  uint64_t bytes_of_device(uint32_t device) const;
  uint64_t count(MemoryKind kind) const;

  // While open, memory of all devices can be touched.
  void open();
  void close();
  bool is_open() const { return open_ > 0; }

 private:
  std::map<const std::byte*, std::unique_ptr<Allocation>> allocations_;  // by address
  int open_ = 0;
};

class OpenMemory {
 public:
  explicit OpenMemory(Memory& memory) : memory_(memory) { memory_.open(); }
  ~OpenMemory() { memory_.close(); }
  OpenMemory(const OpenMemory&) = delete;
  OpenMemory& operator=(const OpenMemory&) = delete;

 private:
  Memory& memory_;
};

}  // namespace engram::simulator
