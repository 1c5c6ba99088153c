// What the addon keeps for each JavaScript environment (the main thread, each worker thread).
//
// Threads may be terminated, and the addon unloaded from them, at any moment. Before an environment
// ends it cancels its calls and waits for the core to be done with them (slices are about 1 ms), so that
// no pool thread touches an array that the ending environment frees.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "node/mailbox.h"
#include "node/pending_call.h"

namespace engram::node {

class Environment {
 public:
  // Creates the environment's state and ties its life to `env`. nullptr with a JavaScript exception
  // pending when that fails.
  static Environment* create(napi_env env);

  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  napi_env env() const { return env_; }
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

  // Takes the call in, before it is submitted to the core; from then on the process stays alive until it
  // is settled. `settle` and `progress` (may be undefined) are its JavaScript callbacks.
  PendingCall& begin(std::unique_ptr<PendingCall> call, napi_value settle, napi_value progress);
  // Lets a call that was taken in ask questions by this JavaScript callback.
  void let_ask(PendingCall& call, napi_value question);
  // JavaScript answers the question of a call; nothing where it has ended.
  void answer(uint64_t id, napi_value answer);
  // The core refused the call: it will never end.
  void discard(PendingCall& call);
  // Cancels a call by its id; one that has been settled is left alone.
  void cancel(uint64_t id);

 private:
  explicit Environment(napi_env env) : env_(env) {}

  static void on_woken(napi_env env, napi_value callback, void* context, void* data);
  static void on_cleanup(void* self);
  void empty_mailbox();
  void ask(PendingCall& call);
  void report(PendingCall& call, const News& news);
  void settle(PendingCall& call, const Status& status);
  void call_back(napi_ref callback, size_t count, const napi_value* arguments);
  void forget(PendingCall& call);

  const napi_env env_;
  napi_threadsafe_function wake_ = nullptr;
  std::shared_ptr<Mailbox> mailbox_;
  std::unordered_map<uint64_t, std::unique_ptr<PendingCall>> pending_;
  uint64_t last_id_ = 0;
};

}  // namespace engram::node
