#include "runtime/job.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/pool.h"
#include "runtime/test_job.h"

namespace engram::runtime {
namespace {

// Runs the job both ways; every promise of a job holds for both.
template <typename Make>
void for_submit_and_run(Make make) {
  SUBCASE("submitted") {
    const TestJobPtr job = make();
    Pool::instance().submit(job);
    (void)job->wait();
  }
  SUBCASE("run") {
    const TestJobPtr job = make();
    (void)Pool::instance().run(job);
  }
}

TEST_CASE("the first failure wins and nothing follows it") {
  TestJobPtr job;
  for_submit_and_run([&job] {
    job = make_job();
    job->on_slice = [self = job.get()](size_t) {
      self->fail({StatusCode::kRange, "first"});
      self->fail({StatusCode::kShape, "second"});
      return false;
    };
    return job;
  });
  CHECK(job->wait().code() == StatusCode::kRange);
  CHECK(job->wait().message() == "first");
  CHECK(job->status().message() == "first");
  CHECK(job->slices == 1);
  CHECK(job->finished == 1);
}

TEST_CASE("a failure in begin or between phases ends the job") {
  TestJobPtr job;
  int expected_slices = 0;
  SUBCASE("in begin") {
    for_submit_and_run([&] {
      job = make_job();
      job->on_begin = [self = job.get()] {
        self->fail({StatusCode::kNonFinite, "bad query"});
        return size_t{4};
      };
      return job;
    });
  }
  SUBCASE("in next_phase") {
    expected_slices = 1;
    for_submit_and_run([&] {
      job = make_job();
      job->on_next = [self = job.get()] {
        self->fail({StatusCode::kNonFinite, "bad query"});
        return size_t{4};
      };
      return job;
    });
  }
  CHECK(job->wait().code() == StatusCode::kNonFinite);
  CHECK(job->slices == expected_slices);
  CHECK(job->finished == 1);
}

TEST_CASE("an ok status is no failure") {
  const TestJobPtr job = make_job();
  job->on_slice = [self = job.get()](size_t) {
    self->fail({});
    return true;
  };
  CHECK(Pool::instance().run(job).ok());
}

TEST_CASE("exceptions become failures") {
  struct Case {
    std::function<void()> raise;
    StatusCode code;
    int system_error;
  };
  const std::vector<Case> cases = {
      {[] { throw std::bad_alloc(); }, StatusCode::kOutOfMemory, 0},
      {[] { throw std::length_error("too long"); }, StatusCode::kOutOfMemory, 0},
      {[] { throw std::system_error(ENOSPC, std::generic_category(), "write"); }, StatusCode::kIo, ENOSPC},
      {[] { throw std::runtime_error("odd"); }, StatusCode::kDevice, 0},
      {[] { throw 7; }, StatusCode::kDevice, 0},
  };
  for (const Case& c : cases) {
    for (const char* const where : {"begin", "slice", "next_phase"}) {
      for (const bool submitted : {true, false}) {
        CAPTURE(where);
        CAPTURE(submitted);
        const TestJobPtr job = make_job();
        const std::string method = where;
        if (method == "begin") job->on_begin = [&c] { return c.raise(), size_t{1}; };
        if (method == "slice") job->on_slice = [&c](size_t) { return c.raise(), false; };
        if (method == "next_phase") job->on_next = [&c] { return c.raise(), size_t{1}; };
        if (submitted) Pool::instance().submit(job);
        const Status status = submitted ? job->wait() : Pool::instance().run(job);
        CHECK(status.code() == c.code);
        CHECK(status.system_error() == c.system_error);
        CHECK_FALSE(status.message().empty());
        CHECK(job->finished == 1);
      }
    }
  }
}

TEST_CASE("an exception from finish is dropped") {
  const TestJobPtr job = make_job();
  job->on_finish = [](const Status&) { throw std::runtime_error("too late"); };
  CHECK(Pool::instance().run(job).ok());
  CHECK(job->finished == 1);
}

TEST_CASE("a job cancelled before it starts never begins") {
  TestJobPtr job;
  for_submit_and_run([&job] {
    job = make_job();
    job->cancel();
    return job;
  });
  CHECK(job->wait().code() == StatusCode::kAborted);
  CHECK(job->begun == 0);
  CHECK(job->finished == 1);
}

TEST_CASE("a job may be cancelled at any point") {
  TestJobPtr job;
  int expected_slices = 0;
  SUBCASE("in begin") {
    for_submit_and_run([&] {
      job = make_job();
      job->on_begin = [self = job.get()] { return self->cancel(), size_t{3}; };
      return job;
    });
  }
  SUBCASE("in a slice") {
    expected_slices = 1;
    for_submit_and_run([&] {
      job = make_job();
      job->on_slice = [self = job.get()](size_t) { return self->cancel(), false; };
      return job;
    });
  }
  SUBCASE("in the last slice") {
    expected_slices = 1;
    for_submit_and_run([&] {
      job = make_job();
      job->on_slice = [self = job.get()](size_t) { return self->cancel(), true; };
      return job;
    });
  }
  SUBCASE("between phases") {
    expected_slices = 1;
    for_submit_and_run([&] {
      job = make_job();
      job->on_next = [self = job.get()] { return self->cancel(), size_t{3}; };
      return job;
    });
  }
  CHECK(job->wait().code() == StatusCode::kAborted);
  CHECK(job->slices == expected_slices);
  CHECK(job->finished == 1);
  CHECK(job->status().ok());  // a cancellation is no failure of the job's own
}

TEST_CASE("a failure is told rather than the cancellation that followed it") {
  const TestJobPtr job = make_job();
  job->on_slice = [self = job.get()](size_t) {
    self->fail({StatusCode::kRange, "bad"});
    self->cancel();
    return true;
  };
  CHECK(Pool::instance().run(job).code() == StatusCode::kRange);
}

TEST_CASE("cancelling a finished job changes nothing") {
  const TestJobPtr job = make_job();
  CHECK(Pool::instance().run(job).ok());
  job->cancel();
  CHECK(job->finished == 1);
  CHECK(job->wait().ok());
}

// Records what on_progress is told and whether two calls ever overlapped.
struct Progress {
  std::vector<std::pair<uint64_t, uint64_t>> reports;
  std::atomic<int> inside{0};
  std::atomic<bool> overlapped{false};

  void operator()(uint64_t done, uint64_t total) {
    if (++inside != 1) overlapped = true;
    reports.emplace_back(done, total);
    --inside;
  }
};

CallOptions reporting_to(Progress& progress) {
  CallOptions options;
  options.on_progress = [&progress](uint64_t done, uint64_t total) { progress(done, total); };
  return options;
}

TEST_CASE("progress is reported at most ten times a second, and at the end") {
  const PoolOf pool(4);
  constexpr uint64_t kStrands = 8;
  constexpr uint64_t kUnits = 20'000;
  Progress progress;
  const TestJobPtr job = make_job(reporting_to(progress));
  job->on_begin = [self = job.get()] { return self->set_total(kStrands * kUnits), size_t{kStrands}; };
  std::atomic<bool> slow{true};
  job->on_slice = [self = job.get(), &slow](size_t) {
    for (uint64_t i = 0; i < kUnits; ++i) self->add_done(1);
    // Once, so that there is at least one report on the way.
    if (slow.exchange(false)) std::this_thread::sleep_for(std::chrono::milliseconds(250));
    return true;
  };
  const auto start = std::chrono::steady_clock::now();
  pool->submit(job);
  REQUIRE(job->wait().ok());
  const auto elapsed = std::chrono::steady_clock::now() - start;

  CHECK_FALSE(progress.overlapped);
  CHECK(progress.reports.size() <= 1 + static_cast<size_t>(elapsed / std::chrono::milliseconds(100)));
  REQUIRE_FALSE(progress.reports.empty());
  CHECK(progress.reports.back() == std::pair{kStrands * kUnits, kStrands * kUnits});
  for (const auto& [done, total] : progress.reports) {
    CHECK(done <= total);
    CHECK(total == kStrands * kUnits);
  }
}

TEST_CASE("progress is reported on the way") {
  constexpr uint64_t kTotal = uint64_t{1} << 60;
  Progress progress;
  const TestJobPtr job = make_job(reporting_to(progress));
  job->on_slice = [self = job.get(), &progress](size_t) {
    self->set_total(kTotal);
    self->add_done(1);
    return progress.reports.size() == 2;  // ends only if reports come
  };
  CHECK(Pool::instance().run(job).ok());
  REQUIRE(progress.reports.size() == 3);
  CHECK(progress.reports[0].first >= 2);
  CHECK(progress.reports[0].first < progress.reports[1].first);
  CHECK(progress.reports[2] == std::pair{kTotal, kTotal});
}

TEST_CASE("a job that did not succeed makes no last report") {
  Progress progress;
  const TestJobPtr job = make_job(reporting_to(progress));
  SUBCASE("failed") {
    job->on_slice = [self = job.get()](size_t) { return self->fail({StatusCode::kRange, "bad"}), true; };
  }
  SUBCASE("cancelled") { job->cancel(); }
  CHECK_FALSE(Pool::instance().run(job).ok());
  CHECK(progress.reports.empty());
}

TEST_CASE("an exception from on_progress fails the job") {
  CallOptions options;
  options.on_progress = [](uint64_t, uint64_t) { throw std::bad_alloc(); };
  CHECK(Pool::instance().run(make_job(options)).code() == StatusCode::kOutOfMemory);
}

}  // namespace
}  // namespace engram::runtime
