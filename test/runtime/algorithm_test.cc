#include "runtime/algorithm.h"

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>

namespace engram::runtime {
namespace {

// Waits for the end of one call.
class End {
 public:
  Done done() {
    return [this](const Status& status) {
      const std::lock_guard<std::mutex> lock(mutex_);
      status_ = status;
      ++calls_;
      ended_.notify_all();
    };
  }
  Status wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    ended_.wait(lock, [this] { return calls_ > 0; });
    return status_;
  }
  int calls() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return calls_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  Status status_;
  int calls_ = 0;
};

TEST_CASE("an algorithm runs on a thread of its own and uses the pool") {
  End end;
  std::atomic<int> items{0};
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> elsewhere{false};
  const auto ticket = run_algorithm(
      [&](const Parallel& parallel) {
        elsewhere = std::this_thread::get_id() != caller;
        return run_parallel(
            100,
            [&](size_t /*item*/) -> Result<bool> {
              ++items;
              return true;
            },
            parallel);
      },
      {}, end.done());
  REQUIRE(ticket.ok());
  CHECK(end.wait().ok());
  CHECK(items == 100);
  CHECK(elsewhere);
  CHECK(end.calls() == 1);
}

TEST_CASE("what an algorithm fails with is what its end is told") {
  End failed;
  REQUIRE(run_algorithm([](const Parallel&) { return Status(StatusCode::kShape, "no"); }, {}, failed.done())
              .ok());
  CHECK(failed.wait().code() == StatusCode::kShape);
  End thrown;
  REQUIRE(run_algorithm([](const Parallel&) -> Status { throw std::bad_alloc(); }, {}, thrown.done()).ok());
  CHECK(thrown.wait().code() == StatusCode::kOutOfMemory);
  CHECK(run_algorithm_sync([](const Parallel&) -> Status { throw std::bad_alloc(); }, 1).code() ==
        StatusCode::kOutOfMemory);
}

TEST_CASE("a cancelled algorithm is told, even where it waits for something else, and ends as aborted") {
  End end;
  std::mutex mutex;
  std::condition_variable woken;
  bool cancelled = false;
  int cancellations = 0;
  const auto ticket = run_algorithm(
      [&](const Parallel& parallel) {
        std::unique_lock<std::mutex> lock(mutex);
        woken.wait(lock, [&] { return cancelled; });
        CHECK_FALSE(parallel.keep_going());
        return Status();
      },
      {}, end.done(),
      [&] {
        const std::lock_guard<std::mutex> lock(mutex);
        cancelled = true;
        ++cancellations;
        woken.notify_all();
      });
  REQUIRE(ticket.ok());
  ticket.value()->cancel();
  ticket.value()->cancel();
  CHECK(end.wait().code() == StatusCode::kAborted);
  const std::lock_guard<std::mutex> lock(mutex);
  CHECK(cancellations == 1);
}

}  // namespace
}  // namespace engram::runtime
