#include "runtime/job.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <stdexcept>
#include <system_error>

namespace engram::runtime {
namespace {

constexpr int64_t kReportEveryNs = 100'000'000;

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::atomic<uint64_t> Job::cancellations_{0};

void Job::cancel() noexcept {
  if (cancelled_.exchange(true)) return;
  cancellations_.fetch_add(1);
  if (JobHolder* const holder = holder_.load()) holder->let_go(*this);
}

Status Job::status() const {
  if (!failed_.load(std::memory_order_acquire)) return {};
  const std::lock_guard<std::mutex> lock(mutex_);
  return status_;
}

void Job::fail(Status status) {
  if (status.ok()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (failed_.load(std::memory_order_relaxed)) return;
  status_ = std::move(status);
  failed_.store(true, std::memory_order_release);
}

void Job::add_done(uint64_t units) {
  const uint64_t done = done_.fetch_add(units, std::memory_order_relaxed) + units;
  if (!options_.on_progress) return;
  const int64_t now = now_ns();
  int64_t last = last_report_ns_.load(std::memory_order_relaxed);
  if (last == 0) {  // the first 100 ms begin with the first work done
    last_report_ns_.compare_exchange_strong(last, now, std::memory_order_relaxed);
    return;
  }
  if (now - last < kReportEveryNs) return;
  if (reporting_.exchange(true, std::memory_order_acquire)) return;
  // Another thread may have reported between the look at the clock and now.
  if (now - last_report_ns_.load(std::memory_order_relaxed) >= kReportEveryNs) {
    struct Release {
      Job& job;
      ~Release() {
        job.last_report_ns_.store(now_ns(), std::memory_order_relaxed);
        job.reporting_.store(false, std::memory_order_release);
      }
    } const release{*this};
    const uint64_t total = total_.load(std::memory_order_relaxed);
    options_.on_progress(std::min(done, total), total);
  } else {
    reporting_.store(false, std::memory_order_release);
  }
}

size_t Job::begin_guarded() noexcept {
  try {
    return begin();
  } catch (...) {
    fail_with_current_exception();
    return 0;
  }
}

bool Job::run_slice_guarded(size_t strand) noexcept {
  try {
    return run_slice(strand);
  } catch (...) {
    fail_with_current_exception();
    return true;
  }
}

size_t Job::next_phase_guarded() noexcept {
  try {
    return next_phase();
  } catch (...) {
    fail_with_current_exception();
    return 0;
  }
}

Status Job::conclude() noexcept {
  if (!stopped() && options_.on_progress) {
    const uint64_t total = std::max(total_.load(), done_.load());
    try {
      options_.on_progress(total, total);
    } catch (...) {
      fail_with_current_exception();
    }
  }
  Status outcome = status();
  if (outcome.ok() && cancelled()) outcome = Status(StatusCode::kAborted, "cancelled by the caller");
  try {
    finish(outcome);
  } catch (...) {  // see job.h
  }
  return outcome;
}

Status status_of_current_exception() noexcept {
  // Texts here are short enough to need no memory: the reason may be that there is none.
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return {StatusCode::kOutOfMemory, "out of memory"};
  } catch (const std::length_error&) {
    return {StatusCode::kOutOfMemory, "out of memory"};
  } catch (const std::system_error& error) {
    return io_error(error.what(), error.code().value());
  } catch (const std::exception& error) {
    return {StatusCode::kDevice, std::string("unexpected failure: ") + error.what()};
  } catch (...) {
    return {StatusCode::kDevice, "unexpected"};
  }
}

}  // namespace engram::runtime
