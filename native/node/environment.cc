#include "node/environment.h"

#include <utility>
#include <vector>

#include "node/errors.h"
#include "node/values.h"

namespace engram::node {

Environment* Environment::create(napi_env env) {
  std::unique_ptr<Environment> environment(new Environment(env));
  napi_value name = nullptr;
  napi_create_string_utf8(env, "engram", NAPI_AUTO_LENGTH, &name);
  napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, name, /*max_queue_size=*/0, /*initial_thread_count=*/1, nullptr, nullptr,
      environment.get(), &Environment::on_woken, &environment->wake_);
  // Only calls under way keep the process alive, see begin().
  if (status == napi_ok) status = napi_unref_threadsafe_function(env, environment->wake_);
  environment->mailbox_ = std::make_shared<Mailbox>(environment->wake_);
  // Hooks run last come first: after the wake-up function's own, hence before it is torn down.
  if (status == napi_ok) status = napi_add_env_cleanup_hook(env, &on_cleanup, environment.get());
  if (status == napi_ok) {
    status = napi_set_instance_data(
        env, environment.get(), [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); },
        nullptr);
  }
  if (status == napi_ok) return environment.release();
  throw_last_napi_error(env);
  return nullptr;
}

PendingCall& Environment::begin(std::unique_ptr<PendingCall> call, napi_value settle, napi_value progress) {
  PendingCall& begun = *call;
  begun.id = ++last_id_;
  begun.mailbox = mailbox_.get();
  napi_create_reference(env_, settle, 1, &begun.settle);
  napi_valuetype type = napi_undefined;
  napi_typeof(env_, progress, &type);
  if (type == napi_function) napi_create_reference(env_, progress, 1, &begun.progress);
  if (pending_.empty()) napi_ref_threadsafe_function(env_, wake_);
  pending_.emplace(begun.id, std::move(call));
  mailbox_->expect();
  return begun;
}

void Environment::let_ask(PendingCall& call, napi_value question) {
  napi_create_reference(env_, question, 1, &call.question);
}

void Environment::answer(uint64_t id, napi_value answer) {
  const auto found = pending_.find(id);
  if (found != pending_.end()) found->second->answer(env_, answer);
}

void Environment::discard(PendingCall& call) {
  mailbox_->expect_no_more();
  forget(call);
}

void Environment::cancel(uint64_t id) {
  const auto found = pending_.find(id);
  if (found != pending_.end() && found->second->ticket != nullptr) found->second->ticket->cancel();
}

void Environment::on_woken(napi_env env, napi_value /*callback*/, void* context, void* /*data*/) {
  // Without `env` this is the emptying of the queue at the environment's end.
  if (env != nullptr) static_cast<Environment*>(context)->empty_mailbox();
}

void Environment::on_cleanup(void* self) {
  auto* environment = static_cast<Environment*>(self);
  for (const auto& [id, call] : environment->pending_) {
    if (call->ticket != nullptr) call->ticket->cancel();
  }
  environment->mailbox_->close();
  environment->pending_.clear();
  napi_release_threadsafe_function(environment->wake_, napi_tsfn_abort);
}

void Environment::empty_mailbox() {
  const Mail mail = mailbox_->take();
  for (const Mail::Entry& entry : mail.entries) {
    if (entry.news.asked && !entry.news.finished) ask(*entry.call);
    if (entry.news.progressed) report(*entry.call, entry.news);
    if (entry.news.finished) settle(*entry.call, entry.news.status);
  }
  for (napi_ref reference : mail.unreferenced) napi_delete_reference(env_, reference);
}

void Environment::ask(PendingCall& call) {
  std::vector<napi_value> arguments;
  call.pose(env_, arguments);
  if (arguments.empty()) return;  // it could not be posed, and has been answered
  call_back(call.question, arguments.size(), arguments.data());
}

void Environment::report(PendingCall& call, const News& news) {
  const napi_value arguments[2] = {number(env_, static_cast<double>(news.done)),
                                   number(env_, static_cast<double>(news.total))};
  call_back(call.progress, 2, arguments);
}

void Environment::settle(PendingCall& call, const Status& status) {
  std::vector<napi_value> arguments;
  if (status.ok()) {
    arguments.push_back(undefined(env_));
    const Status added = call.add_results(env_, arguments);
    if (!added.ok()) arguments.assign(1, to_error(env_, added));
  } else {
    arguments.push_back(to_error(env_, status));
  }
  call_back(call.settle, arguments.size(), arguments.data());
  forget(call);
}

void Environment::call_back(napi_ref callback, size_t count, const napi_value* arguments) {
  napi_value function = nullptr;
  napi_get_reference_value(env_, callback, &function);
  const napi_value receiver = undefined(env_);
  if (napi_call_function(env_, receiver, function, count, arguments, nullptr) == napi_ok) return;
  // lib/ lets neither kind of callback throw. What is left is an environment that is being terminated: its
  // other calls are still to be taken down.
  napi_value exception = nullptr;
  napi_get_and_clear_last_exception(env_, &exception);
}

void Environment::forget(PendingCall& call) {
  napi_delete_reference(env_, call.settle);
  if (call.progress != nullptr) napi_delete_reference(env_, call.progress);
  if (call.question != nullptr) napi_delete_reference(env_, call.question);
  pending_.erase(call.id);
  if (pending_.empty()) napi_unref_threadsafe_function(env_, wake_);
}

}  // namespace engram::node
