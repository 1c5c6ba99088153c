// The way back: what pool threads have to tell one JavaScript thread.
//
// Any thread posts; the JavaScript thread is woken once, however much is posted before it comes, and
// takes everything at once. A mailbox is closed before its environment ends; from then on nothing is
// accepted and nobody is woken.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/status.h"
#include "runtime/wake_signal.h"

namespace engram::node {

class PendingCall;

// What happened to one call since the mailbox was last emptied.
struct News {
  bool asked = false;  // it has a question, see inquiry.h
  bool progressed = false;
  uint64_t done = 0;
  uint64_t total = 0;
  bool finished = false;
  Status status;  // how it ended, once finished
};

struct Mail {
  struct Entry {
    PendingCall* call;
    News news;
  };
  std::vector<Entry> entries;          // one for each call, in the order of their first news
  std::vector<napi_ref> unreferenced;  // references nobody needs any more
};

class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  // ---- the JavaScript thread ----

  // `wake` makes the JavaScript thread empty the mailbox soon; called with the mailbox locked.
  explicit Mailbox(napi_threadsafe_function wake) : wake_(wake) {}
  // A call that will post its end was submitted, or could not be submitted after all.
  void expect();
  void expect_no_more();
  Mail take();
  // Waits until every expected call has posted its end, then closes.
  void close();

  // ---- any thread ----

  void post_progress(PendingCall& call, uint64_t done, uint64_t total);
  void post_question(PendingCall& call);
  // The call's last news: the poster must not touch the call afterwards.
  void post_end(PendingCall& call, const Status& status);
  // Hands a reference back to be deleted on the JavaScript thread. After closing nothing is done: the
  // environment deletes what it still holds when it ends.
  void post_unreferenced(napi_ref reference);

 private:
  News& news_of(PendingCall& call);
  void wake();

  std::mutex mutex_;
  runtime::WakeSignal ended_;  // raised for a thread in close()
  bool closing_ = false;
  napi_threadsafe_function wake_;  // null once closed
  bool woken_ = false;             // the JavaScript thread was woken and has not come yet
  uint64_t expected_ = 0;          // calls that have not posted their end
  Mail mail_;
};

}  // namespace engram::node
