// Rounds of a federation, see submit.h. JavaScript is asked for the messages, one after another, or for the
// products of the clients' sum.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "node/called_operator.h"
#include "node/errors.h"
#include "node/federated_memory.h"
#include "node/hebbian_operators.h"
#include "node/inquiry.h"
#include "node/submit.h"
#include "node/values.h"
#include "runtime/algorithm.h"

namespace engram::node {
namespace {

using runtime::Parallel;
using spectral::ClientMessage;
using spectral::FederatedMemory;
using spectral::RoundReport;

// ---- reports ----

// [position, client, code, reason]
napi_value rejected_client(napi_env env, const spectral::RejectedClient& rejected) {
  return array(env, {number(env, static_cast<double>(rejected.position)), text(env, rejected.client),
                     text(env, std::string("ERR_ENGRAM_") + status_code_name(rejected.code)),
                     text(env, rejected.reason)});
}

// round, eigenvalues, edge, cut, detected, overlaps, discardedTrace, novelty, clientWeights, plasticity,
// accepted, rejected, added, forgotten, rejectedClients
Status add_report(napi_env env, const RoundReport& report, std::vector<napi_value>& values) {
  std::vector<napi_value> rejected;
  for (const spectral::RejectedClient& one : report.rejected_clients) {
    rejected.push_back(rejected_client(env, one));
  }
  for (napi_value value :
       {number(env, report.round), float64_array(env, report.eigenvalues), number(env, report.edge),
        number(env, report.cut), number(env, report.detected), float64_array(env, report.overlaps),
        number(env, report.discarded_trace), number(env, report.novelty),
        float64_array(env, report.client_weights), float64_array(env, report.plasticity),
        number(env, report.accepted), number(env, report.rejected), number(env, report.added),
        number(env, report.forgotten), array(env, rejected)}) {
    if (value == nullptr) {
      return {StatusCode::kOutOfMemory, "there is no memory for the report of the round, which is done"};
    }
    values.push_back(value);
  }
  return {};
}

// ---- messages ----

// The content of a message: a Uint8Array, or the parts of an operator (message_of). kType for anything else.
Result<ClientMessage> client_message(napi_env env, napi_value content) {
  ClientMessage message;
  bool is_typed = false;
  napi_is_typedarray(env, content, &is_typed);
  if (!is_typed) {
    Result<spectral::HebbianOperator> parts = message_of(env, content);
    if (!parts.ok()) return parts.status();
    message.content = std::move(parts).value();
    return message;
  }
  napi_typedarray_type type = napi_uint8_array;
  size_t length = 0;
  void* data = nullptr;
  napi_get_typedarray_info(env, content, &type, &length, &data, nullptr, nullptr);
  if (type != napi_uint8_array)
    return Status(StatusCode::kType, "engram: a message in bytes is a Uint8Array");
  const auto* const bytes = static_cast<const std::byte*>(data);
  message.content = std::vector<std::byte>(bytes, bytes + length);
  return message;
}

napi_valuetype type_of(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  return type;
}

// The messages of a round as JavaScript gives them.
class AskedMessages {
 public:
  explicit AskedMessages(PendingCall& call) : call_(call) {}

  // The algorithm's thread: the next one, or none.
  Result<std::optional<ClientMessage>> next() {
    Status status = inquiry_.ask(call_);
    if (!status.ok()) return status;
    std::optional<ClientMessage> message = std::exchange(message_, std::nullopt);
    if (message.has_value()) message->position = position_++;
    return message;
  }

  // The JavaScript thread. The question: [the message's position].
  void pose(napi_env env, std::vector<napi_value>& arguments) const {
    arguments = {number(env, static_cast<double>(position_))};
  }
  // The message's content; null: there are no more; undefined: JavaScript failed to get it.
  void answer(napi_env env, napi_value content) {
    const napi_valuetype type = type_of(env, content);
    if (type == napi_null || type == napi_undefined) {
      inquiry_.answer(type == napi_null ? Status() : Status(StatusCode::kAborted, "there was no message"));
      return;
    }
    Result<ClientMessage> message = client_message(env, content);
    if (message.ok()) message_ = std::move(message).value();
    inquiry_.answer(message.status());
  }

  void cancel() { inquiry_.cancel(); }

 private:
  PendingCall& call_;
  Inquiry inquiry_;
  size_t position_ = 0;
  std::optional<ClientMessage> message_;
};

// ---- calls ----

// `Asked`: AskedMessages or CalledOperator.
template <typename Asked>
class RoundCall final : public PendingCall {
 public:
  explicit RoundCall(FederatedHandle& handle) : handle_(handle) {}

  Status add_results(napi_env env, std::vector<napi_value>& arguments) override {
    handle_.report_bytes(env);
    return add_report(env, *report, arguments);
  }
  void pose(napi_env env, std::vector<napi_value>& arguments) override { asked->pose(env, arguments); }
  void answer(napi_env env, napi_value answer) override { asked->answer(env, answer); }

  const std::shared_ptr<RoundReport> report = std::make_shared<RoundReport>();
  std::shared_ptr<Asked> asked;

 private:
  FederatedHandle& handle_;  // kept alive by the JavaScript callback, whose memory it is
};

Status take(Result<RoundReport> found, RoundReport& out) {
  if (found.ok()) out = std::move(found).value();
  return found.status();
}

// round(question, ...): settles with the report.
napi_value round(napi_env env, napi_callback_info info) {
  FederatedCall call(env, info);
  if (!call.ok()) return nullptr;
  auto pending = std::make_unique<RoundCall<AskedMessages>>(*call.handle);
  PendingCall& begun = *pending;
  const auto asked = pending->asked = std::make_shared<AskedMessages>(begun);
  const auto report = pending->report;
  return submit(call.arguments, 1, std::move(pending), [&](runtime::CallOptions options, runtime::Done done) {
    call.arguments.environment().let_ask(begun, call.arguments[0]);
    return runtime::run_algorithm(
        [memory = call.handle->memory(), asked, report](const Parallel& parallel) {
          return take(memory->round([&] { return asked->next(); }, parallel), *report);
        },
        std::move(options), std::move(done), [asked] { asked->cancel(); });
  });
}

// roundSync(messages, maxThreads): the report.
napi_value round_sync(napi_env env, napi_callback_info info) {
  FederatedCall call(env, info);
  if (!call.ok()) return nullptr;
  const auto threads = call.arguments.integer<unsigned>(1);
  uint32_t length = 0;
  napi_get_array_length(env, call.arguments[0], &length);
  if (!call.arguments.ok()) return nullptr;
  uint32_t at = 0;
  const spectral::MessageStream next = [&]() -> Result<std::optional<ClientMessage>> {
    if (at == length) return std::optional<ClientMessage>();
    napi_value content = nullptr;
    napi_get_element(env, call.arguments[0], at, &content);
    Result<ClientMessage> message = client_message(env, content);
    if (!message.ok()) return message.status();
    message.value().position = at++;
    return std::optional(std::move(message).value());
  };
  RoundReport report;
  Status status = runtime::run_algorithm_sync(
      [&](const Parallel& parallel) { return take(call.memory().round(next, parallel), report); }, threads);
  call.handle->report_bytes(env);
  std::vector<napi_value> values;
  if (status.ok()) status = add_report(env, report, values);
  return status.ok() ? array(env, values) : throw_status(env, status);
}

// names, sampleCounts, noiseVariances, qualities, weights
std::vector<spectral::ProductClient> product_clients(Arguments& arguments, size_t at) {
  const std::vector<std::string> names = arguments.texts(at);
  const std::span<const double> samples = arguments.doubles(at + 1);
  const std::span<const double> noise = arguments.doubles(at + 2);
  const std::span<const double> quality = arguments.doubles(at + 3);
  const std::span<const double> weights = arguments.doubles(at + 4);
  std::vector<spectral::ProductClient> clients;
  for (size_t c = 0;
       c < std::min({names.size(), samples.size(), noise.size(), quality.size(), weights.size()}); ++c) {
    clients.push_back({.client = names[c],
                       .sample_count = static_cast<uint64_t>(samples[c]),
                       .noise_variance = noise[c],
                       .quality = quality[c],
                       .weight = weights[c]});
  }
  return clients;
}

// roundOfProducts(question, ...clients, symmetricNoise, ...): settles with the report.
napi_value round_of_products(napi_env env, napi_callback_info info) {
  FederatedCall call(env, info);
  if (!call.ok()) return nullptr;
  std::vector<spectral::ProductClient> clients = product_clients(call.arguments, 1);
  const double symmetric_noise = call.arguments.number(6);
  if (!call.arguments.ok()) return nullptr;
  auto pending = std::make_unique<RoundCall<CalledOperator>>(*call.handle);
  PendingCall& begun = *pending;
  const auto asked = pending->asked = std::make_shared<CalledOperator>(call.memory().dim(), begun);
  const auto report = pending->report;
  return submit(call.arguments, 7, std::move(pending), [&](runtime::CallOptions options, runtime::Done done) {
    call.arguments.environment().let_ask(begun, call.arguments[0]);
    return runtime::run_algorithm(
        [memory = call.handle->memory(), clients = std::move(clients), symmetric_noise, asked,
         report](const Parallel& parallel) {
          return take(memory->round_of_products(clients, *asked, symmetric_noise, parallel), *report);
        },
        std::move(options), std::move(done), [asked] { asked->cancel(); });
  });
}

}  // namespace

Methods federated_round_methods() {
  return {method("round", &round), method("roundSync", &round_sync),
          method("roundOfProducts", &round_of_products)};
}

}  // namespace engram::node
