#include "runtime/thread_start.h"

#include <doctest/doctest.h>
#include <sys/prctl.h>

#include <csignal>
#include <future>
#include <string>

namespace engram::runtime {
namespace {

struct Seen {
  std::string name;
  sigset_t blocked;
};

Seen look_inside(unsigned number) {
  std::promise<Seen> promise;
  REQUIRE(start_thread(number, [&promise] {
    Seen seen;
    char name[16];
    ::prctl(PR_GET_NAME, name, 0, 0, 0);
    seen.name = name;
    ::sigprocmask(SIG_BLOCK, nullptr, &seen.blocked);
    promise.set_value(seen);
  }));
  return promise.get_future().get();
}

TEST_CASE("threads are named") {
  CHECK(look_inside(0).name == "engram-0");
  CHECK(look_inside(1023).name == "engram-1023");
}

TEST_CASE("threads leave the host's signals alone, and faults to its crash handler") {
  const Seen seen = look_inside(1);
  for (const int signal : {SIGTERM, SIGINT, SIGCHLD, SIGUSR1, SIGALRM, SIGPROF, SIGHUP}) {
    CHECK(sigismember(&seen.blocked, signal) == 1);
  }
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    CHECK(sigismember(&seen.blocked, fault) == 0);
  }
}

TEST_CASE("the caller's own mask stays as it was") {
  sigset_t before, after;
  ::sigprocmask(SIG_BLOCK, nullptr, &before);
  (void)look_inside(2);
  ::sigprocmask(SIG_BLOCK, nullptr, &after);
  for (int signal = 1; signal < 32; ++signal) {
    CHECK(sigismember(&before, signal) == sigismember(&after, signal));
  }
}

}  // namespace
}  // namespace engram::runtime
