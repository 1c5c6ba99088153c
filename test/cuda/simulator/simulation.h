// The simulated machine: its devices and all that lives on them. One thread at a time is in it.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "faults.h"
#include "memory.h"
#include "runtime_api.h"
#include "streams.h"

namespace engram::simulator {

class Simulation {
 public:
  static Simulation& get();

  // The beginning of a call on a device: no driver, no such device, or what the device was lost by.
  cudaError_t begin_call(uint32_t device);
  // Why there are no devices at all; success where there are.
  cudaError_t machine_error() const;
  void set_machine(const Machine& machine);

  // All work of a lost device is dropped; it fails every call with `error` from now on.
  void lose(uint32_t device, cudaError_t error);
  cudaError_t lost(uint32_t device) const { return devices_.at(device).lost; }
  void reset(uint32_t device);

  SimulatedStream* create_stream(uint32_t device);
  void destroy_stream(SimulatedStream* stream);
  // The default stream of the device where it is null; a defect where there is no such stream.
  SimulatedStream& stream(cudaStream_t stream, uint32_t device);
  SimulatedEvent* create_event(uint32_t device, bool timed);
  void destroy_event(SimulatedEvent* event);
  SimulatedEvent& event(cudaEvent_t event);

  void queue(SimulatedStream& stream, Work work);
  void run_all(SimulatedStream& stream);
  void run_until(const Recording& recording);
  void run_device(uint32_t device);

  Outstanding outstanding() const;

  std::recursive_mutex mutex;
  Machine machine;
  Counts counts{};
  Memory memory;
  std::map<const void*, size_t> shared_bytes_allowed;  // by kernel
  std::map<std::string, void*> driver_functions;

 private:
  struct Device {
    cudaError_t lost = cudaSuccess;
    SimulatedStream default_stream;
  };
  Simulation();
  void run_next(SimulatedStream& stream);
  void drop_queue(SimulatedStream& stream);

  std::vector<Device> devices_;
  std::set<SimulatedStream*> streams_;
  std::set<SimulatedEvent*> events_;
};

}  // namespace engram::simulator
