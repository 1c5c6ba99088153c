// C++ values as JavaScript values.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace engram::node {

napi_value undefined(napi_env env);
napi_value number(napi_env env, double value);
napi_value boolean(napi_env env, bool value);
napi_value text(napi_env env, const std::string& value);
// Typed arrays with a copy of the elements (external buffers are not allowed everywhere). nullptr when
// JavaScript has no memory for them; no exception is left pending.
napi_value uint8_array(napi_env env, std::span<const std::byte> elements);
napi_value int8_array(napi_env env, std::span<const int8_t> elements);
napi_value int32_array(napi_env env, std::span<const int32_t> elements);
napi_value uint32_array(napi_env env, std::span<const uint32_t> elements);
napi_value float32_array(napi_env env, std::span<const float> elements);
napi_value float64_array(napi_env env, std::span<const double> elements);
// An array of the values.
napi_value array(napi_env env, const std::vector<napi_value>& values);

}  // namespace engram::node
