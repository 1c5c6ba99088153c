// Keeps JavaScript arrays alive for as long as C++ reads them.
#pragma once

#include <node_api.h>

#include <memory>
#include <vector>

#include "node/environment.h"

namespace engram::node {

// An owner for Memory::adopt: as long as a copy of the pointer lives, the arrays (over a
// SharedArrayBuffer, or over a buffer nobody else has), or what objects hold on to, stay where they are. The
// last copy may be dropped on any thread; the references are then deleted on the JavaScript thread.
std::shared_ptr<const void> keep_alive(Environment& environment, const std::vector<napi_value>& arrays);

}  // namespace engram::node
