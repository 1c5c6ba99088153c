// Single arrays as files, for the command line: queries come in, results go out.
#pragma once

#include <node_api.h>

#include <vector>

namespace engram::node {

std::vector<napi_property_descriptor> array_file_functions();

}  // namespace engram::node
