#include "node/federated_memory.h"

#include <span>
#include <utility>
#include <vector>

#include "node/errors.h"
#include "node/values.h"
#include "spectral/blend.h"

namespace engram::node {
namespace {

using spectral::FederatedMemory;
using spectral::FederatedOptions;

// dim, weightRule, weights | undefined, falseAlarm, unmixing, controller, plasticity, smoothing, replicate,
// forgetAfter, maxArchetypes, seed, memoryBudget, sketchRank, sketch
FederatedOptions options_of(Arguments& arguments) {
  FederatedOptions options;
  options.dim = arguments.integer<size_t>(0);
  options.weights = arguments.integer<spectral::WeightRule>(1);
  const std::span<const double> weights = arguments.doubles(2);
  options.given_weights.assign(weights.begin(), weights.end());
  options.false_alarm = arguments.number(3);
  options.unmixing = arguments.integer<spectral::UnmixingMethod>(4);
  options.controller.rule = arguments.integer<spectral::Controller>(5);
  options.controller.plasticity = arguments.number(6);
  options.controller.smoothing = arguments.number(7);
  options.replicate = arguments.boolean(8);
  options.forget_after = arguments.integer<uint32_t>(9);
  options.most_archetypes = arguments.integer<size_t>(10);
  options.seed = arguments.integer<uint64_t>(11);
  options.gathering.budget = arguments.integer<size_t>(12);
  options.gathering.sketch_rank = arguments.integer<size_t>(13);
  options.gathering.sketch = arguments.integer<spectral::SketchRule>(14);
  return options;
}

// new FederatedMemory(...options). new FederatedMemory(): none yet, see open().
napi_value construct(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  if (arguments.size() == 0) return FederatedHandle::wrap(arguments, nullptr);
  FederatedOptions options = options_of(arguments);
  if (!arguments.ok()) return nullptr;
  Result<std::shared_ptr<FederatedMemory>> memory = FederatedMemory::create(std::move(options));
  if (!memory.ok()) return throw_status(env, memory.status());
  return FederatedHandle::wrap(arguments, std::move(memory).value());
}

// counts(): [dim, count, rounds]
napi_value counts(napi_env env, napi_callback_info info) {
  const FederatedCall call(env, info);
  if (!call.ok()) return nullptr;
  const auto state = call.memory().state();
  return array(env, {number(env, static_cast<double>(state->dim)),
                     number(env, static_cast<double>(state->count())), number(env, state->rounds)});
}

// archetypes(): [signs: Int8Array (count x dim), overlaps: Float64Array], copies.
napi_value archetypes(napi_env env, napi_callback_info info) {
  const FederatedCall call(env, info);
  if (!call.ok()) return nullptr;
  const auto state = call.memory().state();
  napi_value signs = int8_array(env, state->archetypes);
  napi_value overlaps = float64_array(env, state->overlaps);
  if (signs != nullptr && overlaps != nullptr) return array(env, {signs, overlaps});
  return throw_status(
      env, {StatusCode::kOutOfMemory, "there is no memory for " + std::to_string(state->count()) +
                                          " archetypes of " + std::to_string(state->dim) + " signs"});
}

// packedArchetypes(): a Uint8Array of one bit for each sign, rows at whole bytes.
napi_value packed_archetypes(napi_env env, napi_callback_info info) {
  const FederatedCall call(env, info);
  if (!call.ok()) return nullptr;
  const std::vector<uint8_t> packed = spectral::pack_signs(call.memory().state()->view());
  napi_value bytes = uint8_array(env, std::as_bytes(std::span(packed)));
  if (bytes != nullptr) return bytes;
  return throw_status(env, {StatusCode::kOutOfMemory, "there is no memory for the archetypes in bits"});
}

}  // namespace

void define_federated_memory(Environment& environment, napi_value exports) {
  define_memory<FederatedMemory>(environment, exports, "FederatedMemory", &construct,
                                 {{method("counts", &counts), method("archetypes", &archetypes),
                                   method("packedArchetypes", &packed_archetypes)},
                                  federated_round_methods(),
                                  federated_recall_methods(),
                                  federated_file_methods()});
}

}  // namespace engram::node
