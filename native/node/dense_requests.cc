// What is asked of a dense memory, see submit.h.
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "dense/requests.h"
#include "node/dense_memory.h"
#include "node/errors.h"
#include "node/submit.h"
#include "node/values.h"

namespace engram::node {
namespace {

// beta, similarity, steps, tolerance: four arguments from `at`.
dense::RetrieveOptions retrieve_options(Arguments& arguments, size_t at) {
  dense::RetrieveOptions options;
  options.separation.beta = static_cast<float>(arguments.number(at));
  options.similarity = arguments.integer<dense::Similarity>(at + 1);
  options.steps = arguments.integer<uint32_t>(at + 2);
  options.tolerance = static_cast<float>(arguments.number(at + 3));
  return options;
}

// retrieve(queries, patterns, values?, energy?, steps, converged, beta, similarity, steps, tolerance, ...)
struct Retrieval {
  static constexpr size_t kArguments = 10;
  Retrieval(Arguments& arguments, const dense::Memory& memory)
      : queries(arguments.floats(0)), count(queries.size() / memory.dim()) {
    out.patterns = arguments.floats(1).data();
    out.values = arguments.floats(2).data();
    out.energy = arguments.floats(3).data();
    out.steps = arguments.words(4).data();
    out.converged = arguments.bytes(5).data();
    options = retrieve_options(arguments, 6);
    options.energy = out.energy != nullptr;
  }

  std::span<const float> queries;
  uint64_t count;
  dense::RetrieveOutputs out;
  dense::RetrieveOptions options;
};

napi_value retrieve(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const Retrieval asked(call.arguments, call.memory());
  return submit(call.arguments, Retrieval::kArguments, std::make_unique<PendingCall>(),
                [&](runtime::CallOptions options, dense::Done done) {
                  return dense::retrieve(call.handle->memory(), asked.queries.data(), asked.count,
                                         asked.options, asked.out, std::move(options), std::move(done));
                });
}

napi_value retrieve_sync(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const Retrieval asked(call.arguments, call.memory());
  const auto threads = call.arguments.integer<unsigned>(Retrieval::kArguments);
  if (!call.arguments.ok()) return nullptr;
  return undefined_or_throw(env, dense::retrieve_sync(call.handle->memory(), asked.queries.data(),
                                                      asked.count, asked.options, asked.out, threads));
}

// search(queries, indices, scores, similarity, k, ...)
struct Search {
  static constexpr size_t kArguments = 5;
  Search(Arguments& arguments, const dense::Memory& memory)
      : queries(arguments.floats(0)), count(queries.size() / memory.dim()) {
    out.indices = arguments.words(1).data();
    out.scores = arguments.floats(2).data();
    similarity = arguments.integer<dense::Similarity>(3);
    k = arguments.integer<uint32_t>(4);
  }

  std::span<const float> queries;
  uint64_t count;
  dense::SearchOutputs out;
  dense::Similarity similarity;
  uint32_t k;
};

napi_value search(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const Search asked(call.arguments, call.memory());
  return submit(call.arguments, Search::kArguments, std::make_unique<PendingCall>(),
                [&](runtime::CallOptions options, dense::Done done) {
                  return dense::search(call.handle->memory(), asked.queries.data(), asked.count,
                                       asked.similarity, asked.k, asked.out, std::move(options),
                                       std::move(done));
                });
}

napi_value search_sync(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const Search asked(call.arguments, call.memory());
  const auto threads = call.arguments.integer<unsigned>(Search::kArguments);
  if (!call.arguments.ok()) return nullptr;
  return undefined_or_throw(env, dense::search_sync(call.handle->memory(), asked.queries.data(), asked.count,
                                                    asked.similarity, asked.k, asked.out, threads));
}

// energy(queries, energy, beta, similarity, steps, tolerance, ...)
struct Energy {
  static constexpr size_t kArguments = 6;
  Energy(Arguments& arguments, const dense::Memory& memory)
      : queries(arguments.floats(0)),
        count(queries.size() / memory.dim()),
        out(arguments.floats(1).data()),
        options(retrieve_options(arguments, 2)) {}

  std::span<const float> queries;
  uint64_t count;
  float* out;
  dense::RetrieveOptions options;
};

napi_value energy(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const Energy asked(call.arguments, call.memory());
  return submit(call.arguments, Energy::kArguments, std::make_unique<PendingCall>(),
                [&](runtime::CallOptions options, dense::Done done) {
                  return dense::energy(call.handle->memory(), asked.queries.data(), asked.count,
                                       asked.options, asked.out, std::move(options), std::move(done));
                });
}

napi_value energy_sync(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const Energy asked(call.arguments, call.memory());
  const auto threads = call.arguments.integer<unsigned>(Energy::kArguments);
  if (!call.arguments.ok()) return nullptr;
  return undefined_or_throw(env, dense::energy_sync(call.handle->memory(), asked.queries.data(), asked.count,
                                                    asked.options, asked.out, threads));
}

// association(queries, top, beta, similarity, steps, tolerance, ...): (offsets, indices, weights)
struct Association {
  static constexpr size_t kArguments = 6;
  Association(Arguments& arguments, const dense::Memory& memory)
      : queries(arguments.floats(0)),
        count(queries.size() / memory.dim()),
        top(arguments.integer<uint32_t>(1)),
        options(retrieve_options(arguments, 2)) {}

  std::span<const float> queries;
  uint64_t count;
  uint32_t top;
  dense::RetrieveOptions options;
};

Status add_rows(napi_env env, const dense::AssociationOutputs& rows, std::vector<napi_value>& values) {
  const napi_value arrays[] = {uint32_array(env, rows.offsets), uint32_array(env, rows.indices),
                               float32_array(env, rows.weights)};
  for (napi_value array : arrays) {
    if (array == nullptr) {
      return {StatusCode::kOutOfMemory, "there is no memory for the " + std::to_string(rows.weights.size()) +
                                            " weights of the association; ask for fewer with `top`"};
    }
    values.push_back(array);
  }
  return {};
}

class AssociationCall final : public PendingCall {
 public:
  Status add_results(napi_env env, std::vector<napi_value>& arguments) override {
    return add_rows(env, *rows, arguments);
  }
  const std::shared_ptr<dense::AssociationOutputs> rows = std::make_shared<dense::AssociationOutputs>();
};

napi_value association(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const Association asked(call.arguments, call.memory());
  auto pending = std::make_unique<AssociationCall>();
  const auto rows = pending->rows;  // taken before the move: arguments are evaluated in any order
  return submit(call.arguments, Association::kArguments, std::move(pending),
                [&](runtime::CallOptions options, dense::Done done) {
                  return dense::association(call.handle->memory(), asked.queries.data(), asked.count,
                                            asked.options, asked.top, rows, std::move(options),
                                            std::move(done));
                });
}

napi_value association_sync(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const Association asked(call.arguments, call.memory());
  const auto threads = call.arguments.integer<unsigned>(Association::kArguments);
  if (!call.arguments.ok()) return nullptr;
  dense::AssociationOutputs rows;
  Status status = dense::association_sync(call.handle->memory(), asked.queries.data(), asked.count,
                                          asked.options, asked.top, rows, threads);
  std::vector<napi_value> values;
  if (status.ok()) status = add_rows(env, rows, values);
  return status.ok() ? array(env, values) : throw_status(env, status);
}

// calibrate(similarity, sample, recall, seed, ...): [beta, ...], see calibration_facts()
struct Calibrate {
  static constexpr size_t kArguments = 4;
  explicit Calibrate(Arguments& arguments) {
    options.similarity = arguments.integer<dense::Similarity>(0);
    options.sample = arguments.integer<uint32_t>(1);
    options.recall = static_cast<float>(arguments.number(2));
    options.seed = arguments.integer<uint64_t>(3);
  }
  dense::CalibrateOptions options;
};

class CalibrateCall final : public PendingCall {
 public:
  Status add_results(napi_env env, std::vector<napi_value>& arguments) override {
    arguments.push_back(calibration_facts(env, *found));
    return {};
  }
  const std::shared_ptr<dense::Calibration> found = std::make_shared<dense::Calibration>();
};

napi_value calibrate(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const Calibrate asked(call.arguments);
  auto pending = std::make_unique<CalibrateCall>();
  const auto found = pending->found;  // taken before the move: arguments are evaluated in any order
  return submit(call.arguments, Calibrate::kArguments, std::move(pending),
                [&](runtime::CallOptions options, dense::Done done) {
                  return dense::calibrate(call.handle->memory(), asked.options, found, std::move(options),
                                          std::move(done));
                });
}

napi_value calibrate_sync(napi_env env, napi_callback_info info) {
  DenseCall call(env, info);
  if (!call.ok()) return nullptr;
  const Calibrate asked(call.arguments);
  const auto threads = call.arguments.integer<unsigned>(Calibrate::kArguments);
  if (!call.arguments.ok()) return nullptr;
  dense::Calibration found;
  const Status status = dense::calibrate_sync(call.handle->memory(), asked.options, found, threads);
  return status.ok() ? calibration_facts(env, found) : throw_status(env, status);
}

}  // namespace

Methods dense_request_methods() {
  return {method("retrieve", &retrieve),       method("retrieveSync", &retrieve_sync),
          method("search", &search),           method("searchSync", &search_sync),
          method("energy", &energy),           method("energySync", &energy_sync),
          method("association", &association), method("associationSync", &association_sync),
          method("calibrate", &calibrate),     method("calibrateSync", &calibrate_sync)};
}

}  // namespace engram::node
