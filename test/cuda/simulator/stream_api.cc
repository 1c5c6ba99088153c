// Streams and events of the runtime.
#include <utility>

#include "api_call.h"
#include "defect.h"

using namespace engram::simulator;

namespace {

constexpr uint32_t kLooksBeforeDone = 2;  // queries of work not waited for that are answered "not ready"

// The device of the stream's; of the calling thread where it is null.
uint32_t device_of(cudaStream_t stream) {
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  return stream == nullptr ? current_device : simulation.stream(stream, 0).device;
}

uint32_t device_of(cudaEvent_t event) {
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  return simulation.event(event).device;
}

}  // namespace

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int) {
  return call([&](Simulation& simulation) {
    *stream = simulation.create_stream(current_device);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned int flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}

// The stream is gone even where its device was lost.
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (stream == nullptr) return noted(cudaErrorInvalidResourceHandle);
  const uint32_t device = device_of(stream);
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  const cudaError_t error = simulation.begin_call(device);
  simulation.destroy_stream(stream);
  return noted(error);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return call_on(device_of(stream), [&](Simulation& simulation) {
    SimulatedStream& found = simulation.stream(stream, current_device);
    simulation.run_all(found);
    return simulation.lost(found.device);
  });
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return call_on(device_of(stream), [&](Simulation& simulation) {
    SimulatedStream& found = simulation.stream(stream, current_device);
    if (!found.queue.empty() && found.looks++ < kLooksBeforeDone) return cudaErrorNotReady;
    simulation.run_all(found);
    return simulation.lost(found.device);
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int) {
  return call_on(device_of(stream), [&](Simulation& simulation) {
    const std::shared_ptr<Recording> recording = simulation.event(event).last;
    SimulatedStream& found = simulation.stream(stream, current_device);
    if (recording == nullptr || recording->reached) return cudaSuccess;
    simulation.queue(found, {.run = [&simulation, recording] { simulation.run_until(*recording); }});
    return simulation.lost(found.device);
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, void (*function)(void*), void* argument) {
  return call_on(device_of(stream), [&](Simulation& simulation) {
    SimulatedStream& found = simulation.stream(stream, current_device);
    simulation.queue(found, {.run = [function, argument] { function(argument); }});
    return simulation.lost(found.device);
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int flags) {
  return call([&](Simulation& simulation) {
    *event = simulation.create_event(current_device, (flags & cudaEventDisableTiming) == 0);
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return call_on(device_of(stream), [&](Simulation& simulation) {
    SimulatedStream& found = simulation.stream(stream, current_device);
    SimulatedEvent& recorded = simulation.event(event);
    if (recorded.device != found.device) return cudaErrorInvalidResourceHandle;
    recorded.last = std::make_shared<Recording>(Recording{.stream = &found});
    simulation.queue(found, {.recording = recorded.last});
    return simulation.lost(found.device);
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return call_on(device_of(event), [&](Simulation& simulation) {
    const SimulatedEvent& found = simulation.event(event);
    if (found.last != nullptr) simulation.run_until(*found.last);
    return simulation.lost(found.device);
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return call_on(device_of(event), [&](Simulation& simulation) {
    const SimulatedEvent& found = simulation.event(event);
    if (found.last == nullptr) return cudaSuccess;
    if (!found.last->reached && found.last->looks++ < kLooksBeforeDone) return cudaErrorNotReady;
    simulation.run_until(*found.last);
    return simulation.lost(found.device);
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  return call_on(device_of(from), [&](Simulation& simulation) {
    const SimulatedEvent& first = simulation.event(from);
    const SimulatedEvent& second = simulation.event(to);
    if (!first.timed || !second.timed || first.last == nullptr || second.last == nullptr) {
      return cudaErrorInvalidResourceHandle;
    }
    if (!first.last->reached || !second.last->reached) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(second.last->time - first.last->time).count();
    return cudaSuccess;
  });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  if (event == nullptr) return noted(cudaErrorInvalidResourceHandle);
  const uint32_t device = device_of(event);
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  const cudaError_t error = simulation.begin_call(device);
  simulation.destroy_event(event);
  return noted(error);
}
