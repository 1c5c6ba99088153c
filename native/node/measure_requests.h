// What the questions asked of a memory of measures have in common: clouds that ask, and options of the
// solver.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <memory>

#include "node/measure_memory.h"
#include "transport/requests.h"

namespace engram::node {

// A method call whose arguments begin with query clouds; they have been copied. `ok()` is false, with an
// exception pending, where there is no memory or no valid clouds.
struct QueryCall : MeasureCall {
  QueryCall(napi_env env, napi_callback_info info);
  bool ok() const { return queries != nullptr; }

  std::shared_ptr<const transport::Clouds> queries;
};

// tolerance, maxIterations, solver, precision, strict: so many arguments from `at`.
constexpr size_t kSolveArguments = 5;
transport::SolveOptions solve_options(Arguments& arguments, size_t at);

}  // namespace engram::node
