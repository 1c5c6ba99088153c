// The native side of lib/detectability.ts.
#pragma once

#include <node_api.h>

#include <vector>

namespace engram::node {

std::vector<napi_property_descriptor> detectability_functions();

}  // namespace engram::node
