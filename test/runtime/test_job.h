// A job made of functions, for tests of the pool.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "runtime/job.h"
#include "runtime/pool.h"

namespace engram::runtime {

class TestJob : public Job {
 public:
  using Job::add_done;
  using Job::fail;
  using Job::set_total;

  explicit TestJob(CallOptions options = {}) : Job(std::move(options)) {}

  // What the job does; each may be replaced before it is submitted.
  std::function<size_t()> on_begin = [] { return size_t{1}; };
  std::function<bool(size_t)> on_slice = [](size_t) { return true; };
  std::function<size_t()> on_next = [] { return size_t{0}; };
  std::function<void(const Status&)> on_finish = [](const Status&) {};

  std::atomic<int> begun{0};
  std::atomic<int> slices{0};
  std::atomic<int> finished{0};

  size_t begin() override {
    ++begun;
    return on_begin();
  }
  bool run_slice(size_t strand) override {
    ++slices;
    return on_slice(strand);
  }
  size_t next_phase() override { return on_next(); }
  void finish(const Status& status) override {
    ++finished;
    on_finish(status);  // before the test hears of the end, which may take away what this refers to
    const std::lock_guard<std::mutex> lock(mutex_);
    outcome_ = status;
    done_ = true;
    changed_.notify_all();
  }

  bool done() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return done_;
  }
  // What finish() was told; waits for it.
  Status wait() const {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
    return outcome_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool done_ = false;
  Status outcome_;
};

using TestJobPtr = std::shared_ptr<TestJob>;

inline TestJobPtr make_job(CallOptions options = {}) { return std::make_shared<TestJob>(std::move(options)); }
inline CallOptions batch() { return {.priority = Priority::kBatch, .max_threads = 0, .on_progress = {}}; }
inline CallOptions at_most(unsigned threads) {
  return {.priority = Priority::kInteractive, .max_threads = threads, .on_progress = {}};
}

// Waits for what must come. The limit only keeps a broken build from hanging.
inline bool eventually(const std::function<bool()>& condition) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return true;
}

// Holds back whoever passes until it is opened.
class Gate {
 public:
  void open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock<std::mutex> lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void await_arrivals(int count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  bool open_ = false;
};

// A pool of that size for the length of a scope.
class PoolOf {
 public:
  explicit PoolOf(unsigned threads) : before_(Pool::instance().threads()) {
    REQUIRE(Pool::instance().configure(threads).ok());
  }
  ~PoolOf() { (void)Pool::instance().configure(before_); }
  PoolOf(const PoolOf&) = delete;
  PoolOf& operator=(const PoolOf&) = delete;
  Pool* operator->() const { return &Pool::instance(); }

 private:
  unsigned before_;
};

// Keeps one pool thread busy until the gate opens.
inline TestJobPtr blocker(Gate& gate) {
  TestJobPtr job = make_job();
  job->on_slice = [&gate](size_t) {
    gate.pass();
    return true;
  };
  Pool::instance().submit(job);
  gate.await_arrivals(1);
  return job;
}

}  // namespace engram::runtime
