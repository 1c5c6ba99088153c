// The native side of lib/federated-memory.ts: handles on memories of archetypes.
#pragma once

#include <node_api.h>

#include "node/environment.h"
#include "node/memory_handle.h"
#include "spectral/federated_memory.h"

namespace engram::node {

using FederatedHandle = MemoryHandle<spectral::FederatedMemory>;
using FederatedCall = MemoryCall<spectral::FederatedMemory>;

Methods federated_round_methods();   // round, roundSync, roundOfProducts
Methods federated_recall_methods();  // retrieve, retrieveSync
Methods federated_file_methods();    // open, save and their twins

// Adds the class FederatedMemory to the addon's exports.
void define_federated_memory(Environment& environment, napi_value exports);

}  // namespace engram::node
