#include "node/machine_limits.h"

#include <memory>
#include <utility>

#include "kernels/machine_limits.h"
#include "node/arguments.h"
#include "node/errors.h"
#include "node/values.h"

namespace engram::node {
namespace {

napi_value limits_array(napi_env env, double fma_gflops, double read_gbps) {
  return array(env, {number(env, fma_gflops), number(env, read_gbps)});
}

// machineLimits(threads): [fmaGflops, readGbps], the best of several rounds. Takes about a second, on
// the calling thread and others of its own.
napi_value machine_limits(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto threads = arguments.integer<unsigned>(0);
  if (!arguments.ok()) return nullptr;
  const kernels::MachineLimits limits = kernels::measure_machine_limits(threads);
  return limits_array(env, limits.fma_gflops, limits.read_gbps);
}

// The function that limitsProbe returns: () => [fmaGflops, readGbps], one round of each.
napi_value measure(napi_env env, napi_callback_info info) {
  void* probe = nullptr;
  napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &probe);
  const auto& limits = *static_cast<kernels::LimitsProbe*>(probe);
  return limits_array(env, limits.fma_gflops(), limits.read_gbps());
}

void free_probe(napi_env /*env*/, void* probe, void* /*hint*/) {
  delete static_cast<kernels::LimitsProbe*>(probe);
}

// limitsProbe(threads): a function that measures. It keeps a large buffer until it is forgotten.
napi_value limits_probe(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto threads = arguments.integer<unsigned>(0);
  if (!arguments.ok()) return nullptr;
  Result<kernels::LimitsProbe> created = kernels::LimitsProbe::create(threads);
  if (!created.ok()) return throw_status(env, created.status());
  auto probe = std::make_unique<kernels::LimitsProbe>(std::move(created).value());
  napi_value function = nullptr;
  if (napi_create_function(env, "measure", NAPI_AUTO_LENGTH, &measure, probe.get(), &function) != napi_ok ||
      napi_add_finalizer(env, function, probe.get(), &free_probe, nullptr, nullptr) != napi_ok) {
    throw_last_napi_error(env);
    return nullptr;
  }
  static_cast<void>(probe.release());  // the finalizer owns it now
  return function;
}

}  // namespace

std::vector<napi_property_descriptor> machine_limit_functions() {
  return {method("machineLimits", &machine_limits), method("limitsProbe", &limits_probe)};
}

}  // namespace engram::node
