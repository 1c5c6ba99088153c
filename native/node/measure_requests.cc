// Divergences and energies of a memory of measures, see submit.h.
#include "node/measure_requests.h"

#include <cstdint>
#include <utility>

#include "node/errors.h"
#include "node/submit.h"

namespace engram::node {
namespace {

// What is wrong with the contents of a cloud begins with its name, "cloud 2".
Status of_query(const Status& failure) {
  const bool names_cloud = failure.code() == StatusCode::kNonFinite || failure.code() == StatusCode::kRange;
  return names_cloud ? Status(failure.code(), "query " + failure.message()) : failure;
}

}  // namespace

QueryCall::QueryCall(napi_env env, napi_callback_info info) : MeasureCall(env, info) {
  if (!MeasureCall::ok()) return;
  const Result<transport::CloudsView> view = clouds_view(arguments, 0, memory().clouds().dim());
  if (!arguments.ok()) return;
  Result<std::shared_ptr<const transport::Clouds>> copied =
      view.ok() ? transport::Clouds::create(view.value()) : view.status();
  if (copied.ok()) {
    queries = std::move(copied).value();
  } else {
    throw_status(env, of_query(copied.status()));
  }
}

transport::SolveOptions solve_options(Arguments& arguments, size_t at) {
  transport::SolveOptions options;
  options.tolerance = arguments.number(at);
  options.max_iterations = arguments.integer<uint32_t>(at + 1);
  options.solver = arguments.integer<transport::Solver>(at + 2);
  options.precision = arguments.integer<transport::Precision>(at + 3);
  options.strict = arguments.boolean(at + 4);
  return options;
}

namespace {

// divergence(...queries, values, errorBound, iterations, residual, converged, ...solve, ...)
struct Divergence {
  static constexpr size_t kArguments = kCloudsArguments + 5 + kSolveArguments;
  explicit Divergence(Arguments& arguments) {
    out.values = arguments.doubles(3).data();
    out.error_bound = arguments.doubles(4).data();
    out.iterations = arguments.words(5).data();
    out.residual = arguments.floats(6).data();
    out.converged = arguments.bytes(7).data();
    options = solve_options(arguments, 8);
  }

  transport::DivergenceOutputs out;
  transport::SolveOptions options;
};

napi_value divergence(napi_env env, napi_callback_info info) {
  QueryCall call(env, info);
  if (!call.ok()) return nullptr;
  const Divergence asked(call.arguments);
  return submit(call.arguments, Divergence::kArguments, std::make_unique<PendingCall>(),
                [&](runtime::CallOptions options, runtime::Done done) {
                  return transport::divergence(call.handle->memory(), call.queries, asked.options, asked.out,
                                               std::move(options), std::move(done));
                });
}

napi_value divergence_sync(napi_env env, napi_callback_info info) {
  QueryCall call(env, info);
  if (!call.ok()) return nullptr;
  const Divergence asked(call.arguments);
  const auto threads = call.arguments.integer<unsigned>(Divergence::kArguments);
  if (!call.arguments.ok()) return nullptr;
  return undefined_or_throw(env, transport::divergence_sync(call.handle->memory(), call.queries,
                                                            asked.options, asked.out, threads));
}

// energy(...queries, energy, beta, ...solve, ...)
struct Energy {
  static constexpr size_t kArguments = kCloudsArguments + 2 + kSolveArguments;
  explicit Energy(Arguments& arguments)
      : out(arguments.doubles(3).data()), beta(arguments.number(4)), options(solve_options(arguments, 5)) {}

  double* out;
  double beta;
  transport::SolveOptions options;
};

napi_value energy(napi_env env, napi_callback_info info) {
  QueryCall call(env, info);
  if (!call.ok()) return nullptr;
  const Energy asked(call.arguments);
  return submit(call.arguments, Energy::kArguments, std::make_unique<PendingCall>(),
                [&](runtime::CallOptions options, runtime::Done done) {
                  return transport::energy(call.handle->memory(), call.queries, asked.beta, asked.options,
                                           asked.out, std::move(options), std::move(done));
                });
}

napi_value energy_sync(napi_env env, napi_callback_info info) {
  QueryCall call(env, info);
  if (!call.ok()) return nullptr;
  const Energy asked(call.arguments);
  const auto threads = call.arguments.integer<unsigned>(Energy::kArguments);
  if (!call.arguments.ok()) return nullptr;
  return undefined_or_throw(env, transport::energy_sync(call.handle->memory(), call.queries, asked.beta,
                                                        asked.options, asked.out, threads));
}

}  // namespace

Methods measure_request_methods() {
  return {method("divergence", &divergence), method("divergenceSync", &divergence_sync),
          method("energy", &energy), method("energySync", &energy_sync)};
}

}  // namespace engram::node
