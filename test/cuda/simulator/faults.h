// What the simulated machine has, and what goes wrong on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace engram::simulator {

// Also from the environment variable ENGRAM_SIMULATED_DEVICE, read at the first call of the runtime:
//   "devices=2,memory=67108864,driver=none|old,fail_allocation=N,fail_pinned=N,fail_launch=N,lose_after=N,
//    major=9,minor=0,multiprocessors=4,eager=1"
struct Machine {
  enum class Driver : uint8_t { kGood, kNone, kTooOld };
  Driver driver = Driver::kGood;
  uint32_t devices = 1;
  uint64_t memory = uint64_t{1} << 30;  // bytes of each device
  int major = 9;                        // compute capability
  int minor = 0;
  uint32_t multiprocessors = 4;

  // Counted from 1, from the time the machine was set; 0: never.
  uint64_t fail_allocation = 0;  // of device memory: refused once
  uint64_t fail_pinned = 0;      // of pinned host memory: refused once
  uint64_t fail_launch =
      0;  // of a kernel: fails when it runs, and its device with it (cudaErrorLaunchFailure)
  uint64_t lose_after = 0;  // calls on a device; then every one fails (cudaErrorUnknown)

  // Runs work as soon as it is queued. Otherwise it waits until somebody waits for it.
  bool eager = false;
};

// "" where the text was understood, else what was not.
std::string read_machine(const std::string& text, Machine* machine);
// From now on. Devices must not be in use: no memory, stream or event is alive.
void set_machine(const Machine& machine);
Machine machine();
// Sets the machine, and the one before at its end.
class MachineScope {
 public:
  explicit MachineScope(const Machine& other) : before_(machine()) { set_machine(other); }
  ~MachineScope() { set_machine(before_); }
  MachineScope(const MachineScope&) = delete;
  MachineScope& operator=(const MachineScope&) = delete;

 private:
  Machine before_;
};

// What has been made and not been given back.
struct Outstanding {
  uint64_t device_allocations;
  uint64_t device_bytes;
  uint64_t pinned_allocations;
  uint64_t streams;
  uint64_t events;
};
Outstanding outstanding();

struct Counts {
  uint64_t launches;
  uint64_t device_allocations;
  uint64_t pinned_allocations;
  uint64_t calls;  // on a device
};
// Since the machine was set.
Counts counts();

// Gives cudaGetDriverEntryPointByVersion() a function to find.
void provide_driver_function(const std::string& name, void* function);

}  // namespace engram::simulator
