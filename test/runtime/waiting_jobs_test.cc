#include "runtime/waiting_jobs.h"

#include <doctest/doctest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/pool.h"
#include "runtime/test_job.h"

namespace engram::runtime {
namespace {

// A job that stays until the gate is open.
TestJobPtr held(Gate& gate, std::atomic<int>& inside, CallOptions options = {}) {
  TestJobPtr job = make_job(std::move(options));
  job->on_slice = [&](size_t) {
    ++inside;
    gate.pass();
    return true;
  };
  return job;
}

TEST_CASE("phases of one strand stay on the thread that waits, those of more are shared with the pool") {
  const PoolOf pool(3);
  static WaitingJobs& jobs = *new WaitingJobs(2, 5000);  // lives for ever
  const TestJobPtr job = make_job();
  std::mutex mutex;
  std::vector<std::thread::id> alone;
  std::vector<std::thread::id> together;
  int phase = 0;
  Gate gate;
  std::atomic<int> inside{0};
  job->on_begin = [] { return size_t{1}; };
  job->on_slice = [&](size_t) {
    if (phase % 2 == 1) {  // more than one thread is there at the same time
      if (++inside == 2) gate.open();
      gate.pass();
    }
    const std::lock_guard<std::mutex> lock(mutex);
    (phase % 2 == 0 ? alone : together).push_back(std::this_thread::get_id());
    return true;
  };
  job->on_next = [&]() -> size_t {
    if (++phase == 5) return 0;
    return phase % 2 == 0 ? 1 : 2;
  };
  jobs.submit(job);
  CHECK(job->wait().ok());
  REQUIRE(alone.size() == 3);
  CHECK(alone[1] == alone[0]);
  CHECK(alone[2] == alone[0]);
  CHECK(together.size() == 4);
  CHECK(together[0] != together[1]);
}

TEST_CASE("a job that is cancelled before its turn ends at once") {
  static WaitingJobs& jobs = *new WaitingJobs(2, 5100);  // lives for ever
  Gate gate;
  std::atomic<int> inside{0};
  std::vector<TestJobPtr> running{held(gate, inside), held(gate, inside)};
  for (const TestJobPtr& job : running) jobs.submit(job);
  CHECK(eventually([&] { return inside == 2; }));
  const TestJobPtr waits = make_job();
  jobs.submit(waits);
  waits->cancel();
  CHECK(waits->wait().code() == StatusCode::kAborted);
  CHECK(waits->slices == 0);
  CHECK(inside == 2);

  const TestJobPtr early = make_job();
  early->cancel();
  jobs.submit(early);
  CHECK(early->wait().code() == StatusCode::kAborted);
  gate.open();
  for (const TestJobPtr& job : running) CHECK(job->wait().ok());
  CHECK(waits->finished == 1);
}

TEST_CASE("batch jobs leave interactive ones a thread, and these go first") {
  static WaitingJobs& jobs = *new WaitingJobs(2, 5200);  // lives for ever
  Gate gate;
  std::atomic<int> inside{0};
  const TestJobPtr first = held(gate, inside, batch());
  const TestJobPtr second = held(gate, inside, batch());
  jobs.submit(first);
  jobs.submit(second);
  CHECK(eventually([&] { return inside == 1; }));
  const TestJobPtr quick = make_job();
  jobs.submit(quick);
  CHECK(quick->wait().ok());
  CHECK(inside == 1);
  gate.open();
  CHECK(first->wait().ok());
  CHECK(second->wait().ok());
}

}  // namespace
}  // namespace engram::runtime
