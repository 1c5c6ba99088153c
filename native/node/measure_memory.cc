#include "node/measure_memory.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "engine/backend.h"
#include "node/buffer_owner.h"
#include "node/errors.h"
#include "node/values.h"

namespace engram::node {
namespace {

using transport::Clouds;
using transport::CloudsView;

// points, weights, offsets, dim, owner or undefined, epsilon, relative, costScale, logPrior or undefined.
// With an owner, an object, the points are read where they lie: it holds on to them, whatever becomes of the
// array they came in. Without one they are copied.
Result<std::shared_ptr<transport::MeasureMemory>> create(Arguments& arguments) {
  const auto dim = arguments.integer<size_t>(kCloudsArguments);
  const transport::MeasureOptions options{
      .epsilon = arguments.number(5), .relative = arguments.boolean(6), .cost_scale = arguments.number(7)};
  const std::span<const float> log_prior = arguments.floats(8);
  const Result<CloudsView> view = clouds_view(arguments, 0, dim);
  if (!view.ok()) return view.status();
  std::shared_ptr<const void> owner;
  if (arguments.has(4)) owner = keep_alive(arguments.environment(), {arguments[4]});
  Result<std::shared_ptr<const Clouds>> clouds = Clouds::create(view.value(), std::move(owner));
  if (!clouds.ok()) return clouds.status();
  return transport::MeasureMemory::create(std::move(clouds).value(), options,
                                          {log_prior.begin(), log_prior.end()});
}

// new MeasureMemory(...): see create(). new MeasureMemory(): none yet, see open().
napi_value construct(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  if (arguments.size() == 0) return MeasureMemory::wrap(arguments, nullptr);
  Result<std::shared_ptr<transport::MeasureMemory>> memory = create(arguments);
  if (!arguments.ok()) return nullptr;
  if (!memory.ok()) return throw_status(env, memory.status());
  return MeasureMemory::wrap(arguments, std::move(memory).value());
}

// facts(): [count, dim, points, epsilon, costScale]
napi_value facts(napi_env env, napi_callback_info info) {
  const MeasureCall call(env, info);
  if (!call.ok()) return nullptr;
  const Clouds& clouds = call.memory().clouds();
  return array(
      env, {number(env, static_cast<double>(clouds.count())), number(env, static_cast<double>(clouds.dim())),
            number(env, static_cast<double>(clouds.weights().size())), number(env, call.memory().epsilon()),
            number(env, call.memory().cost_scale())});
}

// cloud(index): [points, weights: Float64Array], copies.
napi_value cloud(napi_env env, napi_callback_info info) {
  MeasureCall call(env, info);
  if (!call.ok()) return nullptr;
  const auto index = call.arguments.integer<size_t>(0);
  if (!call.arguments.ok()) return nullptr;
  const Clouds& clouds = call.memory().clouds();
  const transport::Cloud stored = clouds[index];
  napi_value points = float32_array(env, {stored.points, stored.size * clouds.dim()});
  napi_value weights = float64_array(env, {stored.weights, stored.size});
  if (points == nullptr || weights == nullptr) {
    return throw_status(
        env, {StatusCode::kOutOfMemory,
              "there is no memory for the " + std::to_string(stored.size) + " points of the cloud"});
  }
  return array(env, {points, weights});
}

// place(device): pairs are solved there from now on.
napi_value place(napi_env env, napi_callback_info info) {
  MeasureCall call(env, info);
  if (!call.ok()) return nullptr;
  const std::string device = call.arguments.text(0);
  if (!call.arguments.ok()) return nullptr;
  const Result<const engine::Backend*> backend = engine::find_backend(device);
  if (!backend.ok()) return throw_status(env, backend.status());
  const Status status = call.memory().place(*backend.value());
  call.handle->report_bytes(env);
  return undefined_or_throw(env, status);
}

}  // namespace

Result<CloudsView> clouds_view(Arguments& arguments, size_t at, size_t dim) {
  const std::span<const float> points = arguments.floats(at);
  const std::span<const float> weights = arguments.floats(at + 1);
  const std::span<const uint32_t> offsets = arguments.words(at + 2);
  const uint64_t total = offsets.empty() ? 0 : offsets.back();
  if (offsets.empty() || total * dim != points.size() || (!weights.empty() && weights.size() != total)) {
    return Status(StatusCode::kShape, "the offsets of the clouds do not fit their points and weights");
  }
  return CloudsView{.points = points.data(),
                    .weights = weights.empty() ? nullptr : weights.data(),
                    .offsets = offsets.data(),
                    .count = offsets.size() - 1,
                    .dim = dim};
}

void define_measure_memory(Environment& environment, napi_value exports) {
  define_memory<transport::MeasureMemory>(
      environment, exports, "MeasureMemory", &construct,
      {{method("facts", &facts), method("cloud", &cloud), method("place", &place)},
       measure_request_methods(),
       measure_retrieval_methods(),
       measure_file_methods()});
}

}  // namespace engram::node
