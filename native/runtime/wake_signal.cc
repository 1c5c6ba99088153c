#include "runtime/wake_signal.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace engram::runtime {
namespace {

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t) &&
              std::atomic<uint32_t>::is_always_lock_free);

void futex_wait(std::atomic<uint32_t>& word, uint32_t expected) noexcept {
  ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

void futex_wake(std::atomic<uint32_t>& word) noexcept {
  ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

// Tells the processor that this is a spinning loop.
void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void WakeSignal::raise() noexcept {
  if (state_.exchange(kRaised) == kSleeping) futex_wake(state_);
}

void WakeSignal::spin(std::chrono::nanoseconds longest) const noexcept {
  using Clock = std::chrono::steady_clock;
  constexpr int kLooksPerClockRead = 16;
  const Clock::time_point deadline = Clock::now() + longest;
  do {
    for (int i = 0; i < kLooksPerClockRead; ++i) {
      if (state_.load(std::memory_order_relaxed) == kRaised) return;
      relax();
    }
  } while (Clock::now() < deadline);
}

void WakeSignal::wait() noexcept {
  uint32_t expected = kLowered;
  if (state_.compare_exchange_strong(expected, kSleeping)) {
    while (state_.load() == kSleeping) futex_wait(state_, kSleeping);  // may return for no reason
  }
  state_.exchange(kLowered);  // acquires what the raiser wrote before
}

}  // namespace engram::runtime
