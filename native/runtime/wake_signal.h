// Wakes one waiting thread, once.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace engram::runtime {

// Raised by one thread, awaited by another. Built on a futex because waiting in libstdc++'s
// condition_variable would raise the oldest system the addon loads on, and because a waiter that is still
// spinning then costs the raiser no system call.
class WakeSignal {
 public:
  // Lets the waiter go on; remembered when it does not wait yet.
  void raise() noexcept;
  // Looks for the signal for that long at most. Cheaper to end than a sleep, but keeps a processor busy.
  void spin(std::chrono::nanoseconds longest) const noexcept;
  // Sleeps until raised, and lowers the signal.
  void wait() noexcept;

 private:
  static constexpr uint32_t kLowered = 0;
  static constexpr uint32_t kRaised = 1;
  static constexpr uint32_t kSleeping = 2;
  std::atomic<uint32_t> state_{kLowered};
};

}  // namespace engram::runtime
