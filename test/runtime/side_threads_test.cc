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
  static SideThreads threads(2, 4000);
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

TEST_CASE("side threads start again after they have ended") {
  static SideThreads threads(1, 4100);
  for (int i = 0; i < 3; ++i) {
    std::atomic<bool> done{false};
    REQUIRE(threads.run([&] { done = true; }).ok());
    while (!done) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(5ms);
  }
}

}  // namespace
}  // namespace engram::runtime
