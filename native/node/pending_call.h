// One asynchronous call, from its submission until its JavaScript callback has been called.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/status.h"
#include "node/mailbox.h"
#include "runtime/ticket.h"

namespace engram::node {

class PendingCall {
 public:
  static constexpr size_t kNoEntry = static_cast<size_t>(-1);

  virtual ~PendingCall() = default;

  // Appends what the callback receives after its first argument (the error) when the call succeeded. Runs
  // on the JavaScript thread.
  virtual Status add_results(napi_env /*env*/, std::vector<napi_value>& /*arguments*/) { return {}; }

  // Calls that ask JavaScript things on the way (inquiry.h). Appends the arguments of the callback
  // `question`.
  virtual void pose(napi_env /*env*/, std::vector<napi_value>& /*arguments*/) {}
  // JavaScript's answer; undefined where it has none, which ends the call.
  virtual void answer(napi_env /*env*/, napi_value /*answer*/) {}

  // For the core: pass these on as its callbacks. Valid until the end was posted.
  std::function<void(const Status&)> on_end() {
    return [this](const Status& status) { mailbox->post_end(*this, status); };
  }
  std::function<void(uint64_t, uint64_t)> on_progress() {
    if (progress == nullptr) return {};
    return [this](uint64_t done, uint64_t total) { mailbox->post_progress(*this, done, total); };
  }

  uint64_t id = 0;
  Mailbox* mailbox = nullptr;
  // The JavaScript callback (error, ...results) => void. It holds on to the arrays that the call writes:
  // as long as this reference lives, so do they.
  napi_ref settle = nullptr;
  napi_ref progress = nullptr;  // (done, total) => void; null when nobody asked
  napi_ref question = nullptr;  // (...question) => void; null when the call asks nothing
  std::shared_ptr<runtime::Ticket> ticket;
  // Where this call's news lie in the mailbox; guarded by the mailbox.
  size_t mail_entry = kNoEntry;
};

}  // namespace engram::node
