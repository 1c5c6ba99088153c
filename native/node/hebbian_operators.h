// The native side of lib/hebbian-operator.ts.
#pragma once

#include <node_api.h>

#include <string>
#include <vector>

#include "base/status.h"
#include "node/environment.h"
#include "spectral/hebbian_operator.h"

namespace engram::node {

// encode, encodeSync, messageFromBytes, messageToBytes.
std::vector<napi_property_descriptor> hebbian_operator_functions();

// A message in JavaScript is an array: [dim, sampleCount, trace, noiseVariance, quality, client, eigenvalues,
// factor (rank x dim Float32)]. kType where it is not.
Result<spectral::HebbianOperator> message_of(napi_env env, napi_value array);

}  // namespace engram::node
