// Recall of archetypes, see submit.h.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "node/errors.h"
#include "node/federated_memory.h"
#include "node/submit.h"
#include "node/values.h"
#include "runtime/algorithm.h"

namespace engram::node {
namespace {

struct Recalled {
  std::vector<int8_t> states;
  std::vector<int32_t> index;
  std::vector<double> overlap;
  std::vector<uint8_t> converged;
  std::vector<uint32_t> steps;

  spectral::RecallOutputs room_for(size_t cues, size_t dim) {
    states.resize(cues * dim);
    index.resize(cues);
    overlap.resize(cues);
    converged.resize(cues);
    steps.resize(cues);
    return {states.data(), index.data(), overlap.data(), converged.data(), steps.data()};
  }
};

// state, index, overlap, converged, steps
Status add_recalled(napi_env env, const Recalled& recalled, std::vector<napi_value>& values) {
  for (napi_value array :
       {int8_array(env, recalled.states), int32_array(env, recalled.index),
        float64_array(env, recalled.overlap), uint8_array(env, std::as_bytes(std::span(recalled.converged))),
        uint32_array(env, recalled.steps)}) {
    if (array == nullptr) {
      return {StatusCode::kOutOfMemory,
              "there is no memory for the states of " + std::to_string(recalled.index.size()) + " cues"};
    }
    values.push_back(array);
  }
  return {};
}

// cues, coupling, beta, steps, seed
struct RecallRequest {
  std::shared_ptr<const spectral::FederatedMemory> memory;
  std::vector<float> cues;
  spectral::RecallOptions options;

  explicit RecallRequest(FederatedCall& call) : memory(call.handle->memory()) {
    Arguments& arguments = call.arguments;
    const std::span<const float> given = arguments.floats(0);
    cues.assign(given.begin(), given.end());
    options.coupling = arguments.integer<spectral::Coupling>(1);
    options.beta = arguments.number(2);
    options.steps = arguments.integer<uint32_t>(3);
    options.seed = arguments.integer<uint64_t>(4);
  }

  Status run(const runtime::Parallel& parallel, Recalled& out) const {
    const size_t dim = memory->dim();
    const size_t count = cues.size() / dim;
    const spectral::KeepGoing keep_going =
        parallel.keep_going ? parallel.keep_going : spectral::KeepGoing([] { return true; });
    return memory->retrieve({cues.data(), count, dim}, options, out.room_for(count, dim), keep_going);
  }
};
constexpr size_t kRecallArguments = 5;

class RecallCall final : public PendingCall {
 public:
  Status add_results(napi_env env, std::vector<napi_value>& arguments) override {
    return add_recalled(env, *recalled, arguments);
  }
  const std::shared_ptr<Recalled> recalled = std::make_shared<Recalled>();
};

napi_value retrieve(napi_env env, napi_callback_info info) {
  FederatedCall call(env, info);
  if (!call.ok()) return nullptr;
  RecallRequest request(call);
  if (!call.arguments.ok()) return nullptr;
  auto pending = std::make_unique<RecallCall>();
  const auto recalled = pending->recalled;
  return submit(call.arguments, kRecallArguments, std::move(pending),
                [&](runtime::CallOptions options, runtime::Done done) {
                  return runtime::run_algorithm(
                      [request = std::move(request), recalled](const runtime::Parallel& parallel) {
                        return request.run(parallel, *recalled);
                      },
                      std::move(options), std::move(done));
                });
}

napi_value retrieve_sync(napi_env env, napi_callback_info info) {
  FederatedCall call(env, info);
  if (!call.ok()) return nullptr;
  const RecallRequest request(call);
  const auto threads = call.arguments.integer<unsigned>(kRecallArguments);
  if (!call.arguments.ok()) return nullptr;
  Recalled recalled;
  Status status = runtime::run_algorithm_sync(
      [&](const runtime::Parallel& parallel) { return request.run(parallel, recalled); }, threads);
  std::vector<napi_value> values;
  if (status.ok()) status = add_recalled(env, recalled, values);
  return status.ok() ? array(env, values) : throw_status(env, status);
}

}  // namespace

Methods federated_recall_methods() {
  return {method("retrieve", &retrieve), method("retrieveSync", &retrieve_sync)};
}

}  // namespace engram::node
