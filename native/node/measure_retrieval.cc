// Retrieval from a memory of measures, see submit.h.
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "node/errors.h"
#include "node/measure_requests.h"
#include "node/submit.h"
#include "node/values.h"

namespace engram::node {
namespace {

using transport::FlowTrace;
using transport::RetrievalOutputs;

// retrieve(...queries, ...solve, beta, steps, stepRule, stepPoints, stepWeights, flowTolerance, prune,
//          snap, trace, ...)
constexpr size_t kArguments = kCloudsArguments + kSolveArguments + 9;

transport::FlowOptions flow_options(Arguments& arguments) {
  constexpr size_t kAt = kCloudsArguments + kSolveArguments;
  transport::FlowOptions options;
  options.solve = solve_options(arguments, kCloudsArguments);
  options.beta = arguments.number(kAt);
  options.steps = arguments.integer<uint32_t>(kAt + 1);
  options.step_rule = arguments.integer<transport::StepRule>(kAt + 2);
  options.step_points = arguments.number(kAt + 3);
  options.step_weights = arguments.number(kAt + 4);
  options.tolerance = arguments.number(kAt + 5);
  options.prune = arguments.number(kAt + 6);
  options.snap = arguments.boolean(kAt + 7);
  options.trace = arguments.boolean(kAt + 8);
  return options;
}

// Appends the arrays; kOutOfMemory when JavaScript has no memory for one of them (it is null then).
Status append_arrays(std::vector<napi_value>& values, std::initializer_list<napi_value> arrays) {
  for (napi_value array : arrays) {
    if (array == nullptr) {
      return {StatusCode::kOutOfMemory,
              "there is no memory for the result of the retrieval; ask for fewer clouds at a time, or "
              "without `trace`"};
    }
    values.push_back(array);
  }
  return {};
}

// [energy, gradient, stepPoints, stepWeights, nearest, evaluated, points, weights]
Status add_trace(napi_env env, const FlowTrace& trace, std::vector<napi_value>& traces) {
  std::vector<napi_value> fields;
  Status status =
      append_arrays(fields, {float64_array(env, trace.energy), float64_array(env, trace.gradient),
                             float64_array(env, trace.step_points), float64_array(env, trace.step_weights),
                             uint32_array(env, trace.nearest), uint32_array(env, trace.evaluated),
                             float32_array(env, trace.points), float32_array(env, trace.weights)});
  if (status.ok()) traces.push_back(array(env, fields));
  return status;
}

// points, weights, offsets, index, divergence, energy, gibbs, steps, converged, traces,
// [pairsEvaluated, pairsPruned, iterations]
Status add_retrieval(napi_env env, const RetrievalOutputs& out, std::vector<napi_value>& values) {
  Status status = append_arrays(values, {float32_array(env, out.points), float32_array(env, out.weights),
                                         uint32_array(env, out.offsets), uint32_array(env, out.index),
                                         float64_array(env, out.divergence), float64_array(env, out.energy),
                                         float64_array(env, out.gibbs), uint32_array(env, out.steps),
                                         uint8_array(env, std::as_bytes(std::span(out.converged)))});
  std::vector<napi_value> traces;
  for (const FlowTrace& trace : out.traces) {
    if (!status.ok()) break;
    status = add_trace(env, trace, traces);
  }
  values.push_back(array(env, traces));
  values.push_back(array(env, {number(env, static_cast<double>(out.pairs_evaluated)),
                               number(env, static_cast<double>(out.pairs_pruned)),
                               number(env, static_cast<double>(out.iterations))}));
  return status;
}

class RetrievalCall final : public PendingCall {
 public:
  Status add_results(napi_env env, std::vector<napi_value>& arguments) override {
    return add_retrieval(env, *out, arguments);
  }
  const std::shared_ptr<RetrievalOutputs> out = std::make_shared<RetrievalOutputs>();
};

napi_value retrieve(napi_env env, napi_callback_info info) {
  QueryCall call(env, info);
  if (!call.ok()) return nullptr;
  const transport::FlowOptions asked = flow_options(call.arguments);
  auto pending = std::make_unique<RetrievalCall>();
  const auto out = pending->out;  // taken before the move: arguments are evaluated in any order
  return submit(call.arguments, kArguments, std::move(pending),
                [&](runtime::CallOptions options, runtime::Done done) {
                  return transport::retrieve(call.handle->memory(), call.queries, asked, out,
                                             std::move(options), std::move(done));
                });
}

napi_value retrieve_sync(napi_env env, napi_callback_info info) {
  QueryCall call(env, info);
  if (!call.ok()) return nullptr;
  const transport::FlowOptions asked = flow_options(call.arguments);
  const auto threads = call.arguments.integer<unsigned>(kArguments);
  if (!call.arguments.ok()) return nullptr;
  RetrievalOutputs out;
  Status status = transport::retrieve_sync(call.handle->memory(), call.queries, asked, out, threads);
  std::vector<napi_value> values;
  if (status.ok()) status = add_retrieval(env, out, values);
  return status.ok() ? array(env, values) : throw_status(env, status);
}

}  // namespace

Methods measure_retrieval_methods() {
  return {method("retrieve", &retrieve), method("retrieveSync", &retrieve_sync)};
}

}  // namespace engram::node
