#include "node/dense_memory.h"

#include <utility>

#include "node/errors.h"
#include "node/values.h"

namespace engram::node {
namespace {

// new DenseMemory(dim, valueDim): an empty memory; valueDim 0 makes it auto-associative.
// new DenseMemory(): none yet, see open().
napi_value construct(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  auto handle = std::make_unique<DenseMemory>();
  if (arguments.size() > 0) {
    const auto dim = arguments.integer<size_t>(0);
    const auto value_dim = arguments.integer<size_t>(1);
    if (!arguments.ok()) return nullptr;
    Result<std::shared_ptr<dense::Memory>> memory = dense::Memory::create(dim, value_dim);
    if (!memory.ok()) return throw_status(env, memory.status());
    handle->set_memory(env, std::move(memory).value());
  }
  const napi_status wrapped = napi_wrap(
      env, arguments.self(), handle.get(),
      [](napi_env finalizing, void* data, void*) {
        const std::unique_ptr<DenseMemory> forgotten(static_cast<DenseMemory*>(data));
        forgotten->set_memory(finalizing, nullptr);
      },
      nullptr, nullptr);
  if (wrapped != napi_ok) {
    throw_last_napi_error(env);
    return nullptr;
  }
  static_cast<void>(handle.release());  // the wrapper owns it now
  return arguments.self();
}

}  // namespace

void DenseMemory::define(Environment& environment, napi_value exports) {
  std::vector<napi_property_descriptor> methods;
  for (const auto& list : {dense_store_methods(), dense_request_methods(), dense_file_methods()}) {
    methods.insert(methods.end(), list.begin(), list.end());
  }
  for (napi_property_descriptor& method : methods) method.data = &environment;
  napi_value constructor = nullptr;
  napi_define_class(environment.env(), "DenseMemory", NAPI_AUTO_LENGTH, &construct, &environment,
                    methods.size(), methods.data(), &constructor);
  napi_set_named_property(environment.env(), exports, "DenseMemory", constructor);
}

DenseMemory* DenseMemory::of(const Arguments& arguments) {
  void* data = nullptr;
  if (napi_unwrap(arguments.env(), arguments.self(), &data) != napi_ok)
    throw_last_napi_error(arguments.env());
  return static_cast<DenseMemory*>(data);
}

void DenseMemory::set_memory(napi_env env, std::shared_ptr<dense::Memory> memory) {
  memory_ = std::move(memory);
  report_bytes(env);
}

void DenseMemory::report_bytes(napi_env env) {
  const int64_t bytes = memory_ == nullptr ? 0 : static_cast<int64_t>(memory_->native_bytes());
  if (bytes == reported_bytes_) return;
  int64_t total = 0;
  napi_adjust_external_memory(env, bytes - reported_bytes_, &total);
  reported_bytes_ = bytes;
}

DenseCall::DenseCall(napi_env env, napi_callback_info info)
    : arguments(env, info), handle(DenseMemory::of(arguments)) {
  if (handle == nullptr || handle->memory() != nullptr) return;
  throw_status(env, {StatusCode::kDisposed, "the memory was disposed"});
  handle = nullptr;
}

napi_value calibration_facts(napi_env env, const dense::Calibration& calibration) {
  return array(env, {number(env, calibration.beta), number(env, static_cast<double>(calibration.similarity)),
                     number(env, calibration.recall), number(env, calibration.sample),
                     number(env, calibration.unreachable), number(env, calibration.gap_min),
                     number(env, calibration.gap_median), number(env, calibration.gap_max)});
}

}  // namespace engram::node
