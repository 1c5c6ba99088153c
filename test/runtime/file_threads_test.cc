#include "runtime/file_threads.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace engram::runtime {
namespace {

constexpr int kMostThreads = 4;

TEST_CASE("work runs on another thread") {
  std::promise<std::thread::id> promise;
  REQUIRE(run_on_file_thread([&promise] { promise.set_value(std::this_thread::get_id()); }).ok());
  CHECK(promise.get_future().get() != std::this_thread::get_id());
}

TEST_CASE("four pieces of work run at the same time, a fifth waits for its turn") {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::atomic<int> started{0};
  std::promise<void> four_started;
  std::vector<std::promise<int>> ended(kMostThreads + 1);
  for (std::promise<int>& end : ended) {
    REQUIRE(run_on_file_thread([&, released] {
              if (++started == kMostThreads) four_started.set_value();
              released.wait();
              end.set_value(started.load());
            }).ok());
  }
  four_started.get_future().wait();
  CHECK(started.load() == kMostThreads);
  release.set_value();
  for (std::promise<int>& end : ended) CHECK(end.get_future().get() >= kMostThreads);
  CHECK(started.load() == kMostThreads + 1);
}

TEST_CASE("work may ask for more work") {
  std::promise<int> promise;
  REQUIRE(run_on_file_thread([&promise] {
            const Status status = run_on_file_thread([&promise] { promise.set_value(7); });
            if (!status.ok()) promise.set_value(0);
          }).ok());
  CHECK(promise.get_future().get() == 7);
}

}  // namespace
}  // namespace engram::runtime
