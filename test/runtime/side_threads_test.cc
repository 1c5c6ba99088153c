#include "runtime/side_threads.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

namespace engram::runtime {
namespace {

using namespace std::chrono_literals;

TEST_CASE("side threads work on a few things at the same time, and on the rest in turn") {
  static SideThreads& threads = *new SideThreads(2, 4000);  // lives for ever
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> done{0};
  std::mutex mutex;
  std::vector<int> order;
  for (int i = 0; i < 12; ++i) {
    REQUIRE(threads
                .run([&, i] {
                  const int now = ++inside;
                  for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
                  }
                  {
                    const std::lock_guard<std::mutex> lock(mutex);
                    order.push_back(i);
                  }
                  std::this_thread::sleep_for(2ms);
                  --inside;
                  ++done;
                })
                .ok());
  }
  while (done < 12) std::this_thread::sleep_for(1ms);
  CHECK(most == 2);
  for (size_t i = 0; i < order.size(); ++i) CHECK(std::abs(order[i] - static_cast<int>(i)) <= 1);
}

TEST_CASE("side threads stay for the next work, and start again after they have ended") {
  static SideThreads& threads = *new SideThreads(1, 4100);  // lives for ever
  for (int i = 0; i < 3; ++i) {
    std::atomic<bool> done{false};
    REQUIRE(threads.run([&] { done = true; }).ok());
    while (!done) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(i == 0 ? 5ms : 300ms);
  }
}

}  // namespace
}  // namespace engram::runtime
