// The native side of lib/dense-memory.ts: a handle on a dense::Memory.
#pragma once

#include <node_api.h>

#include "dense/memory.h"
#include "node/memory_handle.h"

namespace engram::node {

using DenseMemory = MemoryHandle<dense::Memory>;
using DenseCall = MemoryCall<dense::Memory>;

// Adds the class "DenseMemory" to the addon's exports.
void define_dense_memory(Environment& environment, napi_value exports);

// [beta, similarity, recall, sample, unreachable, gap_min, gap_median, gap_max]
napi_value calibration_facts(napi_env env, const dense::Calibration& calibration);

// Methods by subject; each list is defined in the file of that name.
Methods dense_store_methods();    // dense_store.cc
Methods dense_request_methods();  // dense_requests.cc
Methods dense_file_methods();     // dense_files.cc

}  // namespace engram::node
