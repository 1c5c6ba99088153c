#include "cuda/streams.h"

#include <chrono>

#include "cuda/check.h"

namespace engram::cuda {

Result<Stream> Stream::create(uint32_t device) {
  Stream stream;
  const Status status =
      check(cudaStreamCreateWithFlags(&stream.stream_, cudaStreamNonBlocking), device, "creating a stream");
  if (!status.ok()) return status;
  return stream;
}

Result<Event> Event::create(uint32_t device) {
  Event event;
  const Status status =
      check(cudaEventCreateWithFlags(&event.event_, cudaEventDisableTiming | cudaEventBlockingSync), device,
            "creating an event");
  if (!status.ok()) return status;
  return event;
}

cudaError_t Event::wait() const {
  using Clock = std::chrono::steady_clock;
  constexpr auto kLook = std::chrono::microseconds(30);  // about what a sleep and its end would take
  const Clock::time_point begun = Clock::now();
  while (Clock::now() - begun < kLook) {
    const cudaError_t state = cudaEventQuery(event_);
    cudaGetLastError();  // "not ready" is not an error
    if (state != cudaErrorNotReady) return state;
  }
  return cudaEventSynchronize(event_);
}

}  // namespace engram::cuda
