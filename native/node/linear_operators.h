// The native side of lib/linear-operator.ts and lib/eigenpairs.ts.
#pragma once

#include <node_api.h>

#include <vector>

namespace engram::node {

// apply, applySync, topEigenpairs, topEigenpairsOf, topEigenpairsSync.
std::vector<napi_property_descriptor> linear_operator_functions();

}  // namespace engram::node
