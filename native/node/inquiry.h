// A thread of the core that asks JavaScript something, and waits for the answer.
#pragma once

#include <mutex>

#include "base/status.h"
#include "runtime/wake_signal.h"

namespace engram::node {

class PendingCall;

// One for each call that asks; one question at a time.
class Inquiry {
 public:
  // The algorithm's thread: has `call` pose its question (PendingCall::pose) and waits. The status that the
  // answer came with; kAborted once cancelled.
  Status ask(PendingCall& call);

  // The JavaScript thread: the question is answered.
  void answer(Status status);

  // Any thread: whoever waits, or asks from now on, gets kAborted.
  void cancel();

 private:
  std::mutex mutex_;
  runtime::WakeSignal changed_;
  bool answered_ = false;
  bool cancelled_ = false;
  Status answer_;
};

}  // namespace engram::node
