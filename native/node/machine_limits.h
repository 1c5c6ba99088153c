// The machine's limits, for the benchmarks and the demo; not part of the public interface.
#pragma once

#include <node_api.h>

#include <vector>

namespace engram::node {

// machineLimits(threads), limitsProbe(threads).
std::vector<napi_property_descriptor> machine_limit_functions();

}  // namespace engram::node
