#include "runtime/wake_signal.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace engram::runtime {
namespace {

TEST_CASE("a signal raised before is not missed, and is lowered by the wait") {
  WakeSignal signal;
  signal.raise();
  signal.wait();
  std::atomic<bool> raised{false};
  std::thread raiser([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    raised = true;
    signal.raise();
  });
  signal.wait();
  CHECK(raised);
  raiser.join();
}

TEST_CASE("spinning leaves the signal raised") {
  WakeSignal signal;
  signal.spin(std::chrono::microseconds(1));
  signal.raise();
  signal.spin(std::chrono::hours(1));
  signal.wait();
}

TEST_CASE("two threads hand a counter to and fro") {
  constexpr int kRounds = 20'000;
  for (const bool spins : {false, true}) {
    WakeSignal ping, pong;
    int counter = 0;  // not atomic: the signals order the accesses
    std::thread other([&] {
      for (int i = 0; i < kRounds; ++i) {
        if (spins) ping.spin(std::chrono::microseconds(20));
        ping.wait();
        ++counter;
        pong.raise();
      }
    });
    for (int i = 0; i < kRounds; ++i) {
      ++counter;
      ping.raise();
      if (spins) pong.spin(std::chrono::microseconds(20));
      pong.wait();
    }
    other.join();
    CHECK(counter == 2 * kRounds);
  }
}

}  // namespace
}  // namespace engram::runtime
