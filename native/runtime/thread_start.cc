#include "runtime/thread_start.h"

#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <thread>
#include <utility>

namespace engram::runtime {
namespace {

// Every signal but those that a fault of the thread itself raises: these must reach the host's crash
// handler.
sigset_t foreign_signals() noexcept {
  sigset_t signals;
  sigfillset(&signals);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) {
    sigdelset(&signals, fault);
  }
  return signals;
}

// prctl rather than pthread_setname_np, which would raise the oldest glibc the addon loads on.
void name_this_thread(unsigned number) noexcept {
  char name[16];  // the kernel's limit
  std::snprintf(name, sizeof name, "engram-%u", number);
  ::prctl(PR_SET_NAME, name, 0, 0, 0);
}

}  // namespace

bool start_thread(unsigned number, std::function<void()> body) noexcept {
  // A thread inherits the mask of its creator: blocked before, so that no signal ever slips in. On Linux
  // sigprocmask acts on the calling thread, like pthread_sigmask, which asks for a newer glibc.
  const sigset_t blocked = foreign_signals();
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  bool started = true;
  try {
    std::thread([number, body = std::move(body)] {
      name_this_thread(number);
      body();
    }).detach();
  } catch (const std::exception&) {  // no thread, or no memory for its state
    started = false;
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return started;
}

}  // namespace engram::runtime
