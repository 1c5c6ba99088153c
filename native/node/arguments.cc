#include "node/arguments.h"

namespace engram::node {

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  void* data = nullptr;
  napi_get_cb_info(env, info, &count_, values_.data(), &self_, &data);
  environment_ = static_cast<Environment*>(data);
}

bool Arguments::has(size_t index) const {
  napi_valuetype kind = napi_undefined;
  napi_typeof(env_, values_[index], &kind);
  return kind != napi_undefined;
}

double Arguments::number(size_t index) {
  double value = 0;
  if (napi_get_value_double(env_, values_[index], &value) != napi_ok) refuse(index, "a number");
  return value;
}

bool Arguments::boolean(size_t index) {
  bool value = false;
  if (napi_get_value_bool(env_, values_[index], &value) != napi_ok) refuse(index, "a boolean");
  return value;
}

std::string Arguments::text(size_t index) { return to_text(values_[index], index); }

std::vector<std::string> Arguments::texts(size_t index) {
  uint32_t length = 0;
  if (napi_get_array_length(env_, values_[index], &length) != napi_ok) refuse(index, "an array of strings");
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < length; ++i) {
    napi_value element = nullptr;
    napi_get_element(env_, values_[index], i, &element);
    texts.push_back(to_text(element, index));
  }
  return texts;
}

std::string Arguments::to_text(napi_value value, size_t index) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env_, value, nullptr, 0, &length) != napi_ok) {
    refuse(index, "a string");
    return {};
  }
  std::string text(length, '\0');
  napi_get_value_string_utf8(env_, value, text.data(), length + 1, &length);
  return text;
}

void* Arguments::typed_array(size_t index, napi_typedarray_type type, size_t* length) {
  void* data = nullptr;
  napi_typedarray_type actual = type;
  if (napi_get_typedarray_info(env_, values_[index], &actual, length, &data, nullptr, nullptr) == napi_ok &&
      actual == type) {
    return data;
  }
  *length = 0;
  if (has(index)) refuse(index, "a typed array of its element type");
  return nullptr;
}

void Arguments::refuse(size_t index, const char* expected) {
  if (!ok_) return;
  ok_ = false;
  const std::string message =
      "engram: native argument " + std::to_string(index) + " must be " + std::string(expected);
  napi_throw_type_error(env_, nullptr, message.c_str());
}

}  // namespace engram::node
