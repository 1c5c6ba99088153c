#include "runtime/pool.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "runtime/test_job.h"

#if defined(__SANITIZE_THREAD__)
#define ENGRAM_MAY_FORK 0  // ThreadSanitizer refuses threads in the child of a threaded process
#else
#define ENGRAM_MAY_FORK 1
#endif

namespace engram::runtime {
namespace {

TEST_CASE("a thread count is a whole number from 1 to 1024") {
  CHECK(parse_thread_count("1") == 1);
  CHECK(parse_thread_count("1024") == 1024);
  for (const char* text : {"0", "1025", "-1", "", " 4", "4 ", "4x", "four", "4.0", "99999999999999"}) {
    CAPTURE(text);
    CHECK(parse_thread_count(text) == 0);
  }
  CHECK(parse_thread_count(nullptr) == 0);
}

TEST_CASE("a submitted job goes through its phases in order and is let go") {
  const PoolOf pool(3);
  TestJobPtr job = make_job();
  std::vector<int> ended(3, 0);
  int phase = 0;
  std::atomic<bool> out_of_order{false};
  job->on_begin = [] { return size_t{5}; };
  job->on_slice = [&](size_t strand) {
    if (phase == 1 && strand != 0) out_of_order = true;
    return true;
  };
  job->on_next = [&] {
    ended[phase] = job->slices;
    ++phase;
    return size_t{phase == 1 ? 1u : phase == 2 ? 7u : 0u};
  };
  pool->submit(job);
  CHECK(job->wait().ok());
  CHECK(ended == std::vector<int>{5, 6, 13});
  CHECK_FALSE(out_of_order);
  CHECK(job->begun == 1);
  CHECK(job->finished == 1);
  const std::weak_ptr<TestJob> watched = job;
  job.reset();
  CHECK(eventually([&] { return watched.expired(); }));
}

TEST_CASE("a job without strands is finished") {
  for (const bool submitted : {true, false}) {
    const TestJobPtr job = make_job();
    job->on_begin = [] { return size_t{0}; };
    if (submitted) Pool::instance().submit(job);
    CHECK((submitted ? job->wait() : Pool::instance().run(job)).ok());
    CHECK(job->slices == 0);
    CHECK(job->finished == 1);
  }
}

TEST_CASE("a job of one strand runs on the calling thread") {
  const PoolOf pool(4);
  const TestJobPtr job = make_job();
  const auto me = std::this_thread::get_id();
  bool elsewhere = false;  // not atomic: there is one thread
  int ran = 0, phases = 0;
  job->on_slice = [&](size_t) {
    elsewhere = elsewhere || std::this_thread::get_id() != me;
    return ++ran % 10 == 0;
  };
  job->on_next = [&] { return size_t{++phases < 3 ? 1u : 0u}; };
  job->on_finish = [&](const Status&) { elsewhere = elsewhere || std::this_thread::get_id() != me; };
  CHECK(pool->run(job).ok());
  CHECK(ran == 30);
  CHECK_FALSE(elsewhere);
}

TEST_CASE("with a pool of one, all of a job runs on the calling thread") {
  const PoolOf pool(1);
  const TestJobPtr job = make_job();
  std::vector<std::thread::id> seen;
  job->on_begin = [] { return size_t{4}; };
  job->on_slice = [&](size_t) { return seen.push_back(std::this_thread::get_id()), true; };
  CHECK(pool->run(job).ok());
  CHECK(seen == std::vector<std::thread::id>(4, std::this_thread::get_id()));
}

TEST_CASE("as many threads as the pool has work together on a job that is waited for") {
  const PoolOf pool(3);
  const TestJobPtr job = make_job();
  Gate gate;
  std::mutex mutex;
  std::set<std::thread::id> seen;
  job->on_begin = [] { return size_t{3}; };
  job->on_slice = [&](size_t) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      seen.insert(std::this_thread::get_id());
      if (seen.size() == 3) gate.open();
    }
    gate.pass();
    return true;
  };
  CHECK(pool->run(job).ok());
  // Whether the calling thread is one of them depends on who comes first.
  CHECK(seen.size() == 3);
}

TEST_CASE("several threads run jobs at once, also from inside slices") {
  const PoolOf pool(3);
  std::atomic<int> sum{0};
  std::vector<std::thread> users;
  for (int u = 0; u < 6; ++u) {
    users.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        const TestJobPtr outer = make_job();
        outer->on_begin = [] { return size_t{4}; };
        outer->on_slice = [&](size_t) {
          const TestJobPtr inner = make_job();
          inner->on_begin = [] { return size_t{3}; };
          inner->on_slice = [&](size_t) { return ++sum, true; };
          return Pool::instance().run(inner).ok();
        };
        if (!Pool::instance().run(outer).ok()) return;
      }
    });
  }
  for (std::thread& user : users) user.join();
  CHECK(sum == 6 * 20 * 4 * 3);
}

TEST_CASE("a job may be submitted from inside finish") {
  const PoolOf pool(1);
  const TestJobPtr second = make_job();
  const TestJobPtr first = make_job();
  first->on_finish = [&](const Status&) { Pool::instance().submit(second); };
  pool->submit(first);
  CHECK(second->wait().ok());
}

TEST_CASE("ten thousand tiny jobs") {
  const PoolOf pool(4);
  std::atomic<int> finished{0};
  std::vector<std::thread> users;
  for (int u = 0; u < 4; ++u) {
    users.emplace_back([&] {
      for (int i = 0; i < 2500; ++i) {
        const TestJobPtr job = make_job(i % 2 == 0 ? batch() : CallOptions{});
        job->on_finish = [&](const Status& status) { finished += status.ok() ? 1 : 0; };
        Pool::instance().submit(job);
      }
    });
  }
  for (std::thread& user : users) user.join();
  CHECK(eventually([&] { return finished == 10'000; }));
}

// A sum whose rounding depends on the order of its parts, and therefore on nothing but the input when each
// strand has its own part and the parts are added in order.
class SumJob final : public Job {
 public:
  double total = 0;

  size_t begin() override { return kStrands; }
  bool run_slice(size_t strand) override {
    Part& part = parts_[strand];
    for (int i = 0; i < 50; ++i, ++part.next)
      part.sum += std::sin(1e3 * strand + part.next) / (part.next + 1);
    return part.next == 500;
  }
  size_t next_phase() override {
    for (const Part& part : parts_) total += part.sum;
    return 0;
  }
  void finish(const Status&) override { done_ = true; }
  bool done() const { return done_; }

 private:
  static constexpr size_t kStrands = 37;
  struct Part {
    float sum = 0;
    int next = 0;
  };
  std::vector<Part> parts_{kStrands};
  std::atomic<bool> done_{false};
};

TEST_CASE("the same bits for any number of threads") {
  std::set<double> totals;
  for (unsigned threads = 1; threads <= 8; ++threads) {
    const PoolOf pool(threads);
    for (int round = 0; round < 5; ++round) {
      const auto run = std::make_shared<SumJob>();
      REQUIRE(pool->run(run).ok());
      const auto submitted = std::make_shared<SumJob>();
      pool->submit(submitted);
      REQUIRE(eventually([&] { return submitted->done(); }));
      totals.insert(run->total);
      totals.insert(submitted->total);
    }
  }
  CHECK(totals.size() == 1);
}

TEST_CASE("the number of threads is 1 to 1024") {
  const PoolOf pool(2);
  for (const unsigned threads : {0u, 1025u, ~0u}) {
    const Status status = pool->configure(threads);
    CHECK(status.code() == StatusCode::kRange);
    CHECK(status.message().find(std::to_string(threads)) != std::string::npos);
  }
  CHECK(pool->threads() == 2);
}

unsigned pool_threads_alive() {
  unsigned alive = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(thread.path() / "comm");  // a thread may end meanwhile: then there is no name
    std::string name;
    std::getline(file, name);
    // File threads are numbered from 1000.
    if (name.rfind("engram-", 0) == 0 && name.size() < std::strlen("engram-1000")) ++alive;
  }
  return alive;
}

TEST_CASE("threads come when work wants them and retire when there are too many") {
  const PoolOf pool(6);
  {
    Gate gate;
    const TestJobPtr job = make_job();
    job->on_begin = [] { return size_t{6}; };
    job->on_slice = [&](size_t) { return gate.pass(), true; };
    pool->submit(job);
    gate.await_arrivals(6);
    CHECK(pool_threads_alive() == 6);
    REQUIRE(pool->configure(2).ok());
    CHECK(pool->threads() == 2);
    gate.open();
    CHECK(job->wait().ok());
  }
  CHECK(eventually([] { return pool_threads_alive() == 2; }));
  REQUIRE(pool->configure(1).ok());  // those that sleep retire, too
  CHECK(eventually([] { return pool_threads_alive() == 1; }));
}

TEST_CASE("the pool may be resized under load") {
  const PoolOf pool(4);
  std::vector<TestJobPtr> jobs;
  std::vector<std::vector<int>> ran(40, std::vector<int>(8, 0));
  for (int j = 0; j < 40; ++j) {
    jobs.push_back(make_job(j % 2 == 0 ? batch() : CallOptions{}));
    jobs.back()->on_begin = [] { return size_t{8}; };
    jobs.back()->on_slice = [&mine = ran[j]](size_t strand) { return ++mine[strand] == 200; };
    pool->submit(jobs.back());
    REQUIRE(pool->configure(1 + (j * 7) % 9).ok());
  }
  std::thread caller([] {
    for (int i = 0; i < 50; ++i) (void)Pool::instance().run(std::make_shared<SumJob>());
  });
  for (int i = 0; i < 200; ++i) REQUIRE(pool->configure(1 + i % 5).ok());
  for (const TestJobPtr& job : jobs) {
    CHECK(job->wait().ok());
    CHECK(job->slices == 8 * 200);
  }
  caller.join();
}

TEST_CASE("the pool is busy while all its threads work or work waits") {
  const PoolOf pool(2);
  REQUIRE(eventually([&] { return !pool->busy(); }));
  Gate gate;
  const TestJobPtr first = blocker(gate);
  CHECK_FALSE(pool->busy());
  Gate second_gate;
  const TestJobPtr second = blocker(second_gate);
  CHECK(pool->busy());
  const TestJobPtr waiting = make_job();
  pool->submit(waiting);
  CHECK(pool->busy());
  gate.open();
  CHECK(waiting->wait().ok());
  CHECK(eventually([&] { return !pool->busy(); }));
  second_gate.open();
  CHECK(second->wait().ok());
}

#if ENGRAM_MAY_FORK

// Runs `body` in a child process and returns its exit status.
template <typename Body>
int in_child(Body body) {
  std::cout.flush();  // else the child would print what is buffered a second time
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) body();
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_CASE("the child of a fork has a pool that works, without the parent's jobs") {
  const PoolOf pool(2);
  Gate gate;
  const TestJobPtr of_parent = blocker(gate);  // so that a thread exists, and works
  const int status = in_child([] {
    const TestJobPtr submitted = make_job();
    Pool::instance().submit(submitted);
    const auto run = std::make_shared<SumJob>();
    const bool works =
        submitted->wait().ok() && Pool::instance().run(run).ok() && Pool::instance().threads() == 2;
    ::_exit(works ? 0 : 1);
  });
  CHECK(status == 0);
  gate.open();
  CHECK(of_parent->wait().ok());
}

TEST_CASE("the process may exit while slices run") {
  for (int round = 0; round < 5; ++round) {
    const int status = in_child([] {
      Gate* const gate = new Gate();  // outlives this function
      gate->open();
      const TestJobPtr job = make_job();
      job->on_begin = [] { return size_t{8}; };
      job->on_slice = [gate](size_t) { return gate->pass(), false; };
      Pool::instance().submit(job);
      gate->await_arrivals(100);
      std::exit(42);
    });
    CHECK(status == 42);
  }
}

TEST_CASE("a job is finished with kOutOfMemory when no thread can be started") {
  const int status = in_child([] {
    constexpr int kNotPossibleHere = 2;
    // The limit does not bind a privileged user.
    if (::geteuid() == 0 && ::setuid(65'534) != 0) ::_exit(kNotPossibleHere);
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_NPROC, &none) != 0) ::_exit(kNotPossibleHere);
    const TestJobPtr job = make_job();
    Pool::instance().submit(job);
    const bool told = job->finished == 1 && job->wait().code() == StatusCode::kOutOfMemory;
    const bool runs = Pool::instance().run(make_job()).ok();
    ::_exit(told && runs && job->begun == 0 ? 0 : 1);
  });
  if (status == 2) {
    MESSAGE("not possible for this user");
  } else {
    CHECK(status == 0);
  }
}

#endif  // ENGRAM_MAY_FORK

}  // namespace
}  // namespace engram::runtime
