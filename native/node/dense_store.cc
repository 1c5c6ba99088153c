// What a dense memory holds: reserve, adopt, append, remove; and where.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "node/buffer_owner.h"
#include "node/dense_memory.h"
#include "node/errors.h"
#include "node/values.h"

namespace engram::node {
namespace {

// The rows of adopt and append: patterns, and values or null.
struct Rows {
  Rows(Arguments& arguments, const dense::Memory& memory)
      : patterns(arguments.floats(0)), values(arguments.floats(1)), count(patterns.size() / memory.dim()) {}
  const float* values_or_null() const { return values.empty() ? nullptr : values.data(); }

  std::span<float> patterns;
  std::span<float> values;
  uint64_t count;
};

// adopt(patterns, values | undefined): takes the arrays over, where they lie.
napi_value adopt(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const Rows rows(call.arguments, call.memory());
  if (!call.arguments.ok()) return nullptr;
  std::vector<napi_value> arrays{call.arguments[0]};
  if (!rows.values.empty()) arrays.push_back(call.arguments[1]);
  const Status status = call.memory().adopt(rows.patterns.data(), rows.values_or_null(), rows.count,
                                            keep_alive(call.arguments.environment(), arrays));
  call.handle->report_bytes(env);
  return undefined_or_throw(env, status);
}

// reserve(rows): takes room on the device for the next adopt, of so many rows; 0: gives it back.
napi_value reserve(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const auto rows = call.arguments.integer<uint64_t>(0);
  if (!call.arguments.ok()) return nullptr;
  return undefined_or_throw(env, call.memory().reserve(rows));
}

// append(patterns, values | undefined): copies; the index of the first new item.
napi_value append(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const Rows rows(call.arguments, call.memory());
  if (!call.arguments.ok()) return nullptr;
  const Result<uint64_t> first =
      call.memory().append(rows.patterns.data(), rows.values_or_null(), rows.count);
  call.handle->report_bytes(env);
  return first.ok() ? number(env, static_cast<double>(first.value())) : throw_status(env, first.status());
}

// remove(indices: Float64Array): how many were newly removed.
napi_value remove(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const std::span<const double> numbers = call.arguments.doubles(0);
  if (!call.arguments.ok()) return nullptr;
  const std::vector<uint64_t> indices(numbers.begin(), numbers.end());
  const Result<uint64_t> removed = call.memory().remove(indices);
  call.handle->report_bytes(env);
  return removed.ok() ? number(env, static_cast<double>(removed.value()))
                      : throw_status(env, removed.status());
}

// place(device, storage, arithmetic): what follows is computed there.
napi_value place(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const std::string device = call.arguments.text(0);
  const auto storage = call.arguments.integer<uint8_t>(1);
  const auto arithmetic = call.arguments.integer<uint8_t>(2);
  if (!call.arguments.ok()) return nullptr;
  const Result<const engine::Backend*> backend = engine::find_backend(device);
  if (!backend.ok()) return throw_status(env, backend.status());
  const Status status =
      call.memory().place({.backend = backend.value(),
                           .options = {.storage = static_cast<engine::Storage>(storage),
                                       .arithmetic = static_cast<engine::Arithmetic>(arithmetic)}});
  call.handle->report_bytes(env);
  return undefined_or_throw(env, status);
}

}  // namespace

Methods dense_store_methods() {
  return {method("reserve", &reserve), method("adopt", &adopt), method("append", &append),
          method("remove", &remove), method("place", &place)};
}

}  // namespace engram::node
