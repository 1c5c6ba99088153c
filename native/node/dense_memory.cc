#include "node/dense_memory.h"

#include <memory>
#include <utility>

#include "node/errors.h"
#include "node/values.h"

namespace engram::node {
namespace {

// new DenseMemory(dim, valueDim): an empty memory; valueDim 0 makes it auto-associative.
// new DenseMemory(): none yet, see open().
napi_value construct(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  if (arguments.size() == 0) return DenseMemory::wrap(arguments, nullptr);
  const auto dim = arguments.integer<size_t>(0);
  const auto value_dim = arguments.integer<size_t>(1);
  if (!arguments.ok()) return nullptr;
  Result<std::shared_ptr<dense::Memory>> memory = dense::Memory::create(dim, value_dim);
  if (!memory.ok()) return throw_status(env, memory.status());
  return DenseMemory::wrap(arguments, std::move(memory).value());
}

}  // namespace

void define_dense_memory(Environment& environment, napi_value exports) {
  define_memory<dense::Memory>(environment, exports, "DenseMemory", &construct,
                               {dense_store_methods(), dense_request_methods(), dense_file_methods()});
}

napi_value calibration_facts(napi_env env, const dense::Calibration& calibration) {
  return array(env, {number(env, calibration.beta), number(env, static_cast<double>(calibration.similarity)),
                     number(env, calibration.recall), number(env, calibration.sample),
                     number(env, calibration.unreachable), number(env, calibration.gap_min),
                     number(env, calibration.gap_median), number(env, calibration.gap_max)});
}

}  // namespace engram::node
