// Streams and events of the simulated devices.
//
// Work is only queued. It runs when somebody waits for it: for the stream, for an event recorded behind it,
// or in a stream that was told to wait for such an event. So what was not waited for has not happened.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "memory.h"
#include "runtime_api.h"

// A point in a stream.
struct Recording {
  SimulatedStream* stream;
  bool reached = false;
  uint32_t looks = 0;  // by cudaEventQuery
  std::chrono::steady_clock::time_point time{};
};

namespace engram::simulator {

struct Work {
  std::function<void()> run = {};
  std::vector<Allocation*> uses = {};
  std::shared_ptr<Recording> recording = {};  // reached by this work
};

}  // namespace engram::simulator

struct SimulatedStream {
  uint32_t device = 0;
  uint32_t looks = 0;  // by cudaStreamQuery since it was last found to be done
  std::deque<engram::simulator::Work> queue;
};

struct SimulatedEvent {
  uint32_t device = 0;
  bool timed = true;
  std::shared_ptr<Recording> last;  // null: never recorded
};
