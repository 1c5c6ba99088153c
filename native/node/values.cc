#include "node/values.h"

#include <cstring>

namespace engram::node {
namespace {

// Through the JavaScript constructor: it throws where napi_create_arraybuffer would end the process.
napi_value typed_array(napi_env env, const char* constructor_name, const void* elements, size_t count,
                       size_t element_bytes) {
  napi_value global = nullptr;
  napi_value constructor = nullptr;
  napi_value length = number(env, static_cast<double>(count));
  napi_value value = nullptr;
  napi_get_global(env, &global);
  napi_get_named_property(env, global, constructor_name, &constructor);
  if (napi_new_instance(env, constructor, 1, &length, &value) != napi_ok) {
    napi_value exception = nullptr;
    napi_get_and_clear_last_exception(env, &exception);
    return nullptr;
  }
  void* data = nullptr;
  napi_get_typedarray_info(env, value, nullptr, nullptr, &data, nullptr, nullptr);
  if (count != 0) std::memcpy(data, elements, count * element_bytes);
  return value;
}

}  // namespace

napi_value undefined(napi_env env) {
  napi_value value = nullptr;
  napi_get_undefined(env, &value);
  return value;
}

napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value boolean(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value text(napi_env env, const std::string& value) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, value.data(), value.size(), &result);
  return result;
}

napi_value uint8_array(napi_env env, std::span<const std::byte> elements) {
  return typed_array(env, "Uint8Array", elements.data(), elements.size(), 1);
}

napi_value int8_array(napi_env env, std::span<const int8_t> elements) {
  return typed_array(env, "Int8Array", elements.data(), elements.size(), sizeof(int8_t));
}

napi_value int32_array(napi_env env, std::span<const int32_t> elements) {
  return typed_array(env, "Int32Array", elements.data(), elements.size(), sizeof(int32_t));
}

napi_value uint32_array(napi_env env, std::span<const uint32_t> elements) {
  return typed_array(env, "Uint32Array", elements.data(), elements.size(), sizeof(uint32_t));
}

napi_value float32_array(napi_env env, std::span<const float> elements) {
  return typed_array(env, "Float32Array", elements.data(), elements.size(), sizeof(float));
}

napi_value float64_array(napi_env env, std::span<const double> elements) {
  return typed_array(env, "Float64Array", elements.data(), elements.size(), sizeof(double));
}

napi_value array(napi_env env, const std::vector<napi_value>& values) {
  napi_value result = nullptr;
  napi_create_array_with_length(env, values.size(), &result);
  for (size_t i = 0; i < values.size(); ++i) {
    napi_set_element(env, result, static_cast<uint32_t>(i), values[i]);
  }
  return result;
}

}  // namespace engram::node
