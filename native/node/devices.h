// What the process computes on.
#pragma once

#include <node_api.h>

#include <vector>

namespace engram::node {

// devices(), resolveDevice(name), configure(threads), threads().
std::vector<napi_property_descriptor> device_functions();

}  // namespace engram::node
