// The native side of lib/measure-memory.ts: a handle on a transport::MeasureMemory.
#pragma once

#include <node_api.h>

#include "base/status.h"
#include "node/memory_handle.h"
#include "transport/clouds.h"
#include "transport/measures.h"

namespace engram::node {

using MeasureMemory = MemoryHandle<transport::MeasureMemory>;
using MeasureCall = MemoryCall<transport::MeasureMemory>;

// Adds the class "MeasureMemory" to the addon's exports.
void define_measure_memory(Environment& environment, napi_value exports);

// Clouds are three arguments from `at`: points, weights or undefined, offsets.
constexpr size_t kCloudsArguments = 3;

// The clouds where JavaScript has them. kShape where offsets do not end with the points or weights are not
// one for each point, which lib/ does not let happen.
Result<transport::CloudsView> clouds_view(Arguments& arguments, size_t at, size_t dim);

// Methods by subject; each list is defined in the file of that name.
Methods measure_request_methods();    // measure_requests.cc
Methods measure_retrieval_methods();  // measure_retrieval.cc
Methods measure_file_methods();       // measure_files.cc

}  // namespace engram::node
