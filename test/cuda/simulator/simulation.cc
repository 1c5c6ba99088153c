#include "simulation.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "access_faults.h"
#include "defect.h"

namespace engram::simulator {
namespace {

void tell_what_is_left() {
  const Outstanding left = Simulation::get().outstanding();
  if (left.device_allocations + left.pinned_allocations + left.streams + left.events == 0) return;
  std::fprintf(
      stderr,
      "simulated device: not given back at exit: %llu allocations of devices (%llu bytes), %llu of pinned "
      "host memory, %llu streams, %llu events\n",
      static_cast<unsigned long long>(left.device_allocations),
      static_cast<unsigned long long>(left.device_bytes),
      static_cast<unsigned long long>(left.pinned_allocations), static_cast<unsigned long long>(left.streams),
      static_cast<unsigned long long>(left.events));
}

}  // namespace

Simulation& Simulation::get() {
  static Simulation* const simulation = [] {
    auto* const made = new Simulation;  // lives on at exit: others may still use it
    std::atexit(tell_what_is_left);
    return made;
  }();
  return *simulation;
}

Simulation::Simulation() {
  if (const char* const text = std::getenv("ENGRAM_SIMULATED_DEVICE")) {
    const std::string error = read_machine(text, &machine);
    if (!error.empty()) report_defect("ENGRAM_SIMULATED_DEVICE: " + error);
  }
  set_machine(machine);
}

void Simulation::set_machine(const Machine& other) {
  const Outstanding left = outstanding();
  if (left.device_allocations + left.streams + left.events != 0) {
    report_defect("the simulated machine is changed while it is in use");
  }
  machine = other;
  counts = {};
  devices_ = std::vector<Device>(machine.devices);
  for (uint32_t device = 0; device < machine.devices; ++device)
    devices_[device].default_stream.device = device;
}

cudaError_t Simulation::machine_error() const {
  if (machine.driver != Machine::Driver::kGood) return cudaErrorInsufficientDriver;
  return machine.devices == 0 ? cudaErrorNoDevice : cudaSuccess;
}

cudaError_t Simulation::begin_call(uint32_t device) {
  report_access_faults();
  const cudaError_t error = machine_error();
  if (error != cudaSuccess) return error;
  if (device >= devices_.size()) return cudaErrorInvalidDevice;
  ++counts.calls;
  if (machine.lose_after != 0 && counts.calls == machine.lose_after + 1) lose(device, cudaErrorUnknown);
  return lost(device);
}

void Simulation::lose(uint32_t device, cudaError_t error) {
  devices_[device].lost = error;
  drop_queue(devices_[device].default_stream);
  for (SimulatedStream* stream : streams_) {
    if (stream->device == device) drop_queue(*stream);
  }
}

void Simulation::reset(uint32_t device) {
  lose(device, cudaSuccess);
  for (Allocation* allocation : memory.of_device(device)) memory.forget(allocation);
}

void Simulation::drop_queue(SimulatedStream& stream) {
  for (const Work& work : stream.queue) {
    for (Allocation* used : work.uses) --used->uses;
    if (work.recording != nullptr) work.recording->reached = true;
  }
  stream.queue.clear();
}

SimulatedStream* Simulation::create_stream(uint32_t device) {
  auto* const stream = new SimulatedStream;
  stream->device = device;
  streams_.insert(stream);
  return stream;
}

void Simulation::destroy_stream(SimulatedStream* stream) {
  if (streams_.count(stream) == 0) report_defect("a stream is destroyed that does not exist");
  run_all(*stream);
  streams_.erase(stream);
  delete stream;
}

SimulatedStream& Simulation::stream(cudaStream_t stream, uint32_t device) {
  if (stream == nullptr) return devices_.at(device).default_stream;
  if (streams_.count(stream) == 0) report_defect("a stream is used that does not exist");
  return *stream;
}

SimulatedEvent* Simulation::create_event(uint32_t device, bool timed) {
  auto* const event = new SimulatedEvent;
  event->device = device;
  event->timed = timed;
  events_.insert(event);
  return event;
}

void Simulation::destroy_event(SimulatedEvent* event) {
  if (events_.erase(event) == 0) report_defect("an event is destroyed that does not exist");
  delete event;
}

SimulatedEvent& Simulation::event(cudaEvent_t event) {
  if (events_.count(event) == 0) report_defect("an event is used that does not exist");
  return *event;
}

void Simulation::queue(SimulatedStream& stream, Work work) {
  for (Allocation* used : work.uses) ++used->uses;
  stream.queue.push_back(std::move(work));
  if (machine.eager) run_all(stream);
}

void Simulation::run_next(SimulatedStream& stream) {
  const Work work = std::move(stream.queue.front());
  stream.queue.pop_front();
  for (Allocation* used : work.uses) --used->uses;
  const OpenMemory open(memory);
  if (work.run) work.run();
  if (work.recording != nullptr) {
    work.recording->reached = true;
    work.recording->time = std::chrono::steady_clock::now();
  }
}

void Simulation::run_all(SimulatedStream& stream) {
  const OpenMemory open(memory);
  while (!stream.queue.empty()) run_next(stream);
  stream.looks = 0;
}

void Simulation::run_until(const Recording& recording) {
  const OpenMemory open(memory);
  while (!recording.reached && !recording.stream->queue.empty()) run_next(*recording.stream);
}

void Simulation::run_device(uint32_t device) {
  run_all(devices_.at(device).default_stream);
  for (SimulatedStream* stream : streams_) {
    if (stream->device == device) run_all(*stream);
  }
}

Outstanding Simulation::outstanding() const {
  Outstanding left{};
  left.device_allocations = memory.count(MemoryKind::kDevice);
  for (uint32_t device = 0; device < machine.devices; ++device)
    left.device_bytes += memory.bytes_of_device(device);
  left.pinned_allocations = memory.count(MemoryKind::kPinned);
  left.streams = streams_.size();
  left.events = events_.size();
  return left;
}

}  // namespace engram::simulator
