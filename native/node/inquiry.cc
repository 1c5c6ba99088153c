#include "node/inquiry.h"

#include <utility>

#include "node/pending_call.h"

namespace engram::node {

Status Inquiry::ask(PendingCall& call) {
  std::unique_lock<std::mutex> lock(mutex_);
  answered_ = false;
  if (!cancelled_) call.mailbox->post_question(call);
  while (!answered_ && !cancelled_) {
    lock.unlock();
    changed_.wait();
    lock.lock();
  }
  if (cancelled_) return {StatusCode::kAborted, "cancelled by the caller"};
  return std::move(answer_);
}

void Inquiry::answer(Status status) {
  const std::lock_guard<std::mutex> lock(mutex_);
  answer_ = std::move(status);
  answered_ = true;
  changed_.raise();
}

void Inquiry::cancel() {
  const std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = true;
  changed_.raise();
}

}  // namespace engram::node
