#include "node/hebbian_operators.h"

#include <memory>
#include <span>
#include <utility>

#include "node/arguments.h"
#include "node/buffer_owner.h"
#include "node/errors.h"
#include "node/operator_terms.h"
#include "node/pending_call.h"
#include "node/submit.h"
#include "node/values.h"
#include "runtime/algorithm.h"
#include "spectral/message_bytes.h"
#include "spectral/tracy_widom.h"

namespace engram::node {
namespace {

using runtime::Parallel;
using spectral::HebbianOperator;

// Appends the parts of a message, see message_of.
Status add_message(napi_env env, const HebbianOperator& message, std::vector<napi_value>& values) {
  napi_value eigenvalues = float64_array(env, message.eigenvalues);
  napi_value factor = float32_array(env, message.factor);
  if (eigenvalues == nullptr || factor == nullptr) {
    return {StatusCode::kOutOfMemory,
            "there is no memory for a message of " + std::to_string(message.rank()) + " eigenvectors"};
  }
  const std::vector<napi_value> parts{number(env, static_cast<double>(message.dim)),
                                      number(env, static_cast<double>(message.sample_count)),
                                      number(env, message.trace),
                                      number(env, message.noise_variance),
                                      number(env, message.quality),
                                      text(env, message.client),
                                      eigenvalues,
                                      factor};
  values.insert(values.end(), parts.begin(), parts.end());
  return {};
}

// rows, dim, rank (0: default), allowLeak, falseAlarm, client
struct EncodeRequest {
  std::shared_ptr<const void> owner;
  engine::Rows examples;
  spectral::EncodeOptions options;
  double false_alarm = 0;

  static Result<EncodeRequest> of(Arguments& arguments) {
    EncodeRequest request;
    const auto dim = arguments.integer<size_t>(1);
    request.options.rank = arguments.integer<size_t>(2);
    request.options.allow_leak = arguments.boolean(3);
    request.false_alarm = arguments.number(4);
    request.options.client = arguments.text(5);
    if (!arguments.ok()) return Status(StatusCode::kType, "an argument");
    const Result<engine::Rows> rows = rows_of(arguments.env(), arguments[0], dim);
    if (!rows.ok()) return rows.status();
    request.examples = rows.value();
    request.owner = keep_alive(arguments.environment(), {arguments[0]});
    return request;
  }

  Status encode(const Parallel& parallel, HebbianOperator& out) {
    options.quantile = spectral::tracy_widom_quantile(false_alarm);
    Result<HebbianOperator> message = spectral::encode(examples, options, parallel);
    if (message.ok()) out = std::move(message).value();
    return message.status();
  }
};
constexpr size_t kEncodeArguments = 6;

class EncodeCall final : public PendingCall {
 public:
  Status add_results(napi_env env, std::vector<napi_value>& arguments) override {
    return add_message(env, *message, arguments);
  }
  const std::shared_ptr<HebbianOperator> message = std::make_shared<HebbianOperator>();
};

// encode(...request, ...): settles with the parts of the message.
napi_value encode(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Result<EncodeRequest> request = EncodeRequest::of(arguments);
  if (!arguments.ok()) return nullptr;
  if (!request.ok()) return throw_status(env, request.status());
  auto pending = std::make_unique<EncodeCall>();
  const auto message = pending->message;
  return submit(arguments, kEncodeArguments, std::move(pending),
                [&](runtime::CallOptions options, runtime::Done done) {
                  return runtime::run_algorithm(
                      [request = std::move(request).value(), message](const Parallel& parallel) mutable {
                        return request.encode(parallel, *message);
                      },
                      std::move(options), std::move(done));
                });
}

// encodeSync(...request, maxThreads): the parts of the message.
napi_value encode_sync(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Result<EncodeRequest> request = EncodeRequest::of(arguments);
  const auto threads = arguments.integer<unsigned>(kEncodeArguments);
  if (!arguments.ok()) return nullptr;
  if (!request.ok()) return throw_status(env, request.status());
  HebbianOperator message;
  Status status = runtime::run_algorithm_sync(
      [&](const Parallel& parallel) { return request.value().encode(parallel, message); }, threads);
  std::vector<napi_value> values;
  if (status.ok()) status = add_message(env, message, values);
  return status.ok() ? array(env, values) : throw_status(env, status);
}

// messageFromBytes(bytes): the parts of the message.
napi_value message_from_bytes(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::span<const uint8_t> bytes = arguments.bytes(0);
  if (!arguments.ok()) return nullptr;
  const Result<HebbianOperator> message = spectral::from_bytes(std::as_bytes(bytes));
  std::vector<napi_value> values;
  Status status = message.status();
  if (status.ok()) status = add_message(env, message.value(), values);
  return status.ok() ? array(env, values) : throw_status(env, status);
}

// messageToBytes(message): a Uint8Array.
napi_value message_to_bytes(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const Result<HebbianOperator> message = message_of(env, arguments[0]);
  if (!message.ok()) return throw_status(env, message.status());
  const Result<std::vector<std::byte>> bytes = spectral::to_bytes(message.value());
  if (!bytes.ok()) return throw_status(env, bytes.status());
  napi_value result = uint8_array(env, bytes.value());
  if (result != nullptr) return result;
  return throw_status(env, {StatusCode::kOutOfMemory, "there is no memory for the bytes of a message"});
}

Status not_a_message() { return {StatusCode::kType, "engram: native argument must be a message"}; }

napi_value part(napi_env env, napi_value array, uint32_t index) {
  napi_value value = nullptr;
  napi_get_element(env, array, index, &value);
  return value;
}

// False where the part is not a typed array of this type.
template <typename T>
bool read_array(napi_env env, napi_value value, napi_typedarray_type expected, std::vector<T>& out) {
  napi_typedarray_type type = expected;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != expected) {
    return false;
  }
  const auto* const first = static_cast<const T*>(data);
  out.assign(first, first + length);
  return true;
}

bool read_text(napi_env env, napi_value value, std::string& out) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return false;
  out.resize(length);
  return napi_get_value_string_utf8(env, value, out.data(), length + 1, &length) == napi_ok;
}

}  // namespace

Result<HebbianOperator> message_of(napi_env env, napi_value array) {
  bool is_array = false;
  if (napi_is_array(env, array, &is_array) != napi_ok || !is_array) return not_a_message();
  HebbianOperator message;
  double numbers[5] = {};
  for (uint32_t i = 0; i < 5; ++i) {
    if (napi_get_value_double(env, part(env, array, i), &numbers[i]) != napi_ok) return not_a_message();
  }
  message.dim = static_cast<size_t>(numbers[0]);
  message.sample_count = static_cast<uint64_t>(numbers[1]);
  message.trace = numbers[2];
  message.noise_variance = numbers[3];
  message.quality = numbers[4];
  if (!read_text(env, part(env, array, 5), message.client) ||
      !read_array(env, part(env, array, 6), napi_float64_array, message.eigenvalues) ||
      !read_array(env, part(env, array, 7), napi_float32_array, message.factor)) {
    return not_a_message();
  }
  return message;
}

std::vector<napi_property_descriptor> hebbian_operator_functions() {
  return {method("encode", &encode), method("encodeSync", &encode_sync),
          method("messageFromBytes", &message_from_bytes), method("messageToBytes", &message_to_bytes)};
}

}  // namespace engram::node
