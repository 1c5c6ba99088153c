// How calls of the runtime begin and end.
#pragma once

#include <mutex>

#include "runtime_api.h"
#include "simulation.h"

namespace engram::simulator {

// The calling thread's.
extern constinit thread_local uint32_t current_device;
extern constinit thread_local cudaError_t last_error;

// Remembers an error for cudaGetLastError().
inline cudaError_t noted(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

// Runs body(simulation) where the device can be used.
template <typename Body>
cudaError_t call_on(uint32_t device, const Body& body) {
  Simulation& simulation = Simulation::get();
  const std::scoped_lock lock(simulation.mutex);
  const cudaError_t error = simulation.begin_call(device);
  return noted(error == cudaSuccess ? body(simulation) : error);
}
template <typename Body>
cudaError_t call(const Body& body) {
  return call_on(current_device, body);
}

}  // namespace engram::simulator
