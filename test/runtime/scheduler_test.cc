// Who works on what: order, priorities, turns, limits, cancellation. Seen through the pool, which is the
// scheduler's only user.
#include "runtime/scheduler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/test_job.h"

namespace engram::runtime {
namespace {

TEST_CASE("jobs that wait are begun in order of arrival, interactive ones first") {
  const PoolOf pool(1);
  Gate gate;
  const TestJobPtr block = blocker(gate);
  std::vector<int> order;  // one thread: no lock needed
  std::vector<TestJobPtr> jobs;
  for (int i = 0; i < 10; ++i) {
    jobs.push_back(make_job(i < 5 ? batch() : CallOptions{}));
    jobs.back()->on_begin = [&order, i] { return order.push_back(i), size_t{1}; };
    pool->submit(jobs.back());
  }
  gate.open();
  for (const TestJobPtr& job : jobs) REQUIRE(job->wait().ok());
  CHECK(order == std::vector<int>{5, 6, 7, 8, 9, 0, 1, 2, 3, 4});
}

TEST_CASE("an interactive job overtakes a batch job after its slice") {
  const PoolOf pool(2);
  const TestJobPtr interactive = make_job();
  const TestJobPtr long_batch = make_job(batch());
  std::atomic<bool> overtaken{false};
  Gate begun;
  begun.open();
  long_batch->on_begin = [] { return size_t{2}; };
  long_batch->on_slice = [&](size_t) {
    begun.pass();
    return overtaken.load();  // goes on until the interactive job is done
  };
  interactive->on_finish = [&](const Status&) { overtaken = true; };
  pool->submit(long_batch);
  begun.await_arrivals(10);
  pool->submit(interactive);
  CHECK(interactive->wait().ok());
  CHECK(long_batch->wait().ok());
}

TEST_CASE("a small job does not wait for the end of a long one") {
  for (const CallOptions& options : {CallOptions{}, batch()}) {
    const PoolOf pool(1);
    const TestJobPtr long_job = make_job(options);
    const TestJobPtr small = make_job(options);
    std::atomic<bool> answered{false};
    long_job->on_slice = [&](size_t) { return answered.load(); };
    small->on_finish = [&](const Status&) { answered = true; };
    pool->submit(long_job);
    pool->submit(small);
    CHECK(small->wait().ok());
    CHECK(long_job->wait().ok());
  }
}

TEST_CASE("a small job does not wait for a long one that a caller runs") {
  const PoolOf pool(2);
  const TestJobPtr long_job = make_job();
  const TestJobPtr small = make_job();
  std::atomic<bool> answered{false};
  long_job->on_begin = [&] { return pool->submit(small), size_t{2}; };
  long_job->on_slice = [&](size_t) { return answered.load(); };
  small->on_finish = [&](const Status&) { answered = true; };
  CHECK(pool->run(long_job).ok());
  CHECK(small->wait().ok());
}

TEST_CASE("two long jobs of one priority both progress") {
  const PoolOf pool(1);
  const TestJobPtr jobs[2] = {make_job(), make_job()};
  for (int i = 0; i < 2; ++i) {
    // Each ends only when the other has ended or run 200 slices.
    jobs[i]->on_slice = [other = jobs[1 - i].get()](size_t) { return other->slices >= 200 || other->done(); };
  }
  for (const TestJobPtr& job : jobs) pool->submit(job);
  for (const TestJobPtr& job : jobs) CHECK(job->wait().ok());
}

TEST_CASE("idle threads help the oldest job") {
  const PoolOf pool(4);
  const TestJobPtr job = make_job();
  Gate all_here;
  job->on_begin = [] { return size_t{4}; };
  job->on_slice = [&](size_t) {
    all_here.pass();
    return true;
  };
  pool->submit(job);
  all_here.await_arrivals(4);  // would wait for ever with fewer than four threads on it
  all_here.open();
  CHECK(job->wait().ok());
}

// Runs a job of 12 strands and returns the most threads seen inside at the same time. The slices hold each
// other until `expected` of them have met.
unsigned most_at_once(unsigned expected, CallOptions options, bool submitted) {
  const TestJobPtr job = make_job(std::move(options));
  std::atomic<unsigned> inside{0}, most{0};
  job->on_begin = [] { return size_t{12}; };
  job->on_slice = [&](size_t) {
    const unsigned now = ++inside;
    for (unsigned seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    CHECK(eventually([&] { return most >= expected; }));
    std::this_thread::yield();
    --inside;
    return true;
  };
  if (submitted) {
    Pool::instance().submit(job);
    CHECK(job->wait().ok());
  } else {
    CHECK(Pool::instance().run(job).ok());
  }
  return most;
}

TEST_CASE("a job is given as many threads as it may have, and no more") {
  const PoolOf pool(4);
  for (const bool submitted : {true, false}) {
    CAPTURE(submitted);
    CHECK(most_at_once(2, at_most(2), submitted) == 2);
    CHECK(most_at_once(1, at_most(1), submitted) == 1);
    CHECK(most_at_once(4, {}, submitted) == 4);
    CHECK(most_at_once(4, at_most(100), submitted) == 4);
  }
}

TEST_CASE("slices of one strand never overlap, and see what the one before wrote") {
  const PoolOf pool(4);
  constexpr size_t kStrands = 16;
  constexpr int kSlices = 100;
  struct Strand {
    std::atomic<int> inside{0};
    int ran = 0;  // not atomic: slices of a strand are ordered
  };
  std::vector<std::vector<Strand>> strands;
  std::vector<TestJobPtr> jobs;
  std::atomic<bool> overlapped{false};
  for (int j = 0; j < 6; ++j) strands.emplace_back(kStrands);
  for (int j = 0; j < 6; ++j) {
    jobs.push_back(make_job(j % 2 == 0 ? batch() : CallOptions{}));
    jobs.back()->on_begin = [] { return kStrands; };
    jobs.back()->on_slice = [&overlapped, &mine = strands[j]](size_t strand) {
      if (++mine[strand].inside != 1) overlapped = true;
      const bool ended = ++mine[strand].ran == kSlices;
      --mine[strand].inside;
      return ended;
    };
    pool->submit(jobs.back());
  }
  for (const TestJobPtr& job : jobs) {
    REQUIRE(job->wait().ok());
    CHECK(job->slices == kStrands * kSlices);
  }
  CHECK_FALSE(overlapped);
}

TEST_CASE("a cancelled job is finished when its running slices have ended, not before") {
  const PoolOf pool(2);
  const TestJobPtr job = make_job();
  Gate gate;
  std::atomic<int> inside{0};
  job->on_begin = [] { return size_t{8}; };
  job->on_slice = [&](size_t) {
    ++inside;
    gate.pass();
    --inside;
    return false;
  };
  int inside_at_finish = -1;
  job->on_finish = [&](const Status&) { inside_at_finish = inside; };
  pool->submit(job);
  gate.await_arrivals(2);
  job->cancel();
  CHECK_FALSE(job->done());
  gate.open();
  CHECK(job->wait().code() == StatusCode::kAborted);
  CHECK(job->slices == 2);
  CHECK(inside_at_finish == 0);
}

TEST_CASE("a job cancelled while it waits never begins") {
  const PoolOf pool(1);
  Gate gate;
  const TestJobPtr block = blocker(gate);
  const TestJobPtr job = make_job();
  pool->submit(job);
  job->cancel();
  gate.open();
  CHECK(job->wait().code() == StatusCode::kAborted);
  CHECK(job->begun == 0);
}

TEST_CASE("a cancelled batch job does not wait for interactive work to end") {
  const PoolOf pool(1);
  const TestJobPtr interactive = make_job();
  const TestJobPtr waiting = make_job(batch());
  std::atomic<bool> finished{false};
  waiting->on_finish = [&](const Status&) { finished = true; };
  interactive->on_slice = [&](size_t) { return finished.load(); };
  pool->submit(interactive);
  pool->submit(waiting);
  waiting->cancel();
  CHECK(waiting->wait().code() == StatusCode::kAborted);
  CHECK(interactive->wait().ok());
  CHECK(waiting->begun == 0);
}

TEST_CASE("jobs cancelled at random moments are finished once, with success or kAborted") {
  const PoolOf pool(4);
  for (int round = 0; round < 300; ++round) {
    const TestJobPtr job = make_job(round % 2 == 0 ? batch() : CallOptions{});
    std::vector<int> ran(4, 0);
    job->on_begin = [] { return size_t{4}; };
    job->on_slice = [&ran](size_t strand) { return ++ran[strand] == 20; };
    std::thread canceller([&job, round] {
      for (int i = 0; i < round; ++i) std::this_thread::yield();
      job->cancel();
    });
    const bool submitted = round % 3 != 0;
    if (submitted) pool->submit(job);
    const Status status = submitted ? job->wait() : pool->run(job);
    canceller.join();
    CHECK((status.ok() || status.code() == StatusCode::kAborted));
    CHECK(job->finished == 1);
    if (status.ok()) CHECK(job->slices == 80);
  }
}

}  // namespace
}  // namespace engram::runtime
