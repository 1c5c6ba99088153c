#include "node/mailbox.h"

#include <utility>

#include "node/pending_call.h"

namespace engram::node {

void Mailbox::expect() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++expected_;
}

void Mailbox::expect_no_more() {
  const std::lock_guard<std::mutex> lock(mutex_);
  --expected_;
}

Mail Mailbox::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  woken_ = false;
  for (const Mail::Entry& entry : mail_.entries) entry.call->mail_entry = PendingCall::kNoEntry;
  return std::exchange(mail_, Mail{});
}

void Mailbox::close() {
  std::unique_lock<std::mutex> lock(mutex_);
  closing_ = true;
  while (expected_ > 0) {
    lock.unlock();
    ended_.wait();
    lock.lock();
  }
  wake_ = nullptr;
}

void Mailbox::post_progress(PendingCall& call, uint64_t done, uint64_t total) {
  const std::lock_guard<std::mutex> lock(mutex_);
  News& news = news_of(call);
  news.progressed = true;
  news.done = done;
  news.total = total;
  wake();
}

void Mailbox::post_question(PendingCall& call) {
  const std::lock_guard<std::mutex> lock(mutex_);
  news_of(call).asked = true;
  wake();
}

void Mailbox::post_end(PendingCall& call, const Status& status) {
  // Once unlocked, the environment may end and drop its share of this mailbox.
  const std::shared_ptr<Mailbox> self = shared_from_this();
  const std::lock_guard<std::mutex> lock(mutex_);
  News& news = news_of(call);
  news.finished = true;
  news.status = status;
  --expected_;
  if (closing_ && expected_ == 0) ended_.raise();
  wake();
}

void Mailbox::post_unreferenced(napi_ref reference) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (wake_ == nullptr) return;
  mail_.unreferenced.push_back(reference);
  wake();
}

News& Mailbox::news_of(PendingCall& call) {
  if (call.mail_entry == PendingCall::kNoEntry) {
    call.mail_entry = mail_.entries.size();
    mail_.entries.push_back({&call, {}});
  }
  return mail_.entries[call.mail_entry].news;
}

void Mailbox::wake() {
  if (woken_ || wake_ == nullptr) return;
  woken_ = true;
  // Nothing can be done about a failure: it means that the environment is ending, and then nobody waits.
  napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

}  // namespace engram::node
