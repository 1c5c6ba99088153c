// The arguments of one call from JavaScript, taken out as C++ values.
//
// lib/ has validated what users passed; here only the kind of each argument is checked, so that a slip
// in lib/ is a JavaScript exception and not a crash.
#pragma once

#include <node_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "node/environment.h"

namespace engram::node {

class Arguments {
 public:
  static constexpr size_t kMost = 24;

  Arguments(napi_env env, napi_callback_info info);

  napi_env env() const { return env_; }
  Environment& environment() const { return *environment_; }
  napi_value self() const { return self_; }
  size_t size() const { return count_; }
  napi_value operator[](size_t index) const { return values_[index]; }

  // False for undefined.
  bool has(size_t index) const;
  double number(size_t index);
  // A number that JavaScript has checked to be a whole one in the range of T.
  template <typename T>
  T integer(size_t index) {
    return static_cast<T>(number(index));
  }
  bool boolean(size_t index);
  std::string text(size_t index);
  // An array of strings.
  std::vector<std::string> texts(size_t index);
  // The elements of a typed array, where they lie; valid during the call. Empty for undefined.
  std::span<float> floats(size_t index) { return array<float>(index, napi_float32_array); }
  std::span<double> doubles(size_t index) { return array<double>(index, napi_float64_array); }
  std::span<uint32_t> words(size_t index) { return array<uint32_t>(index, napi_uint32_array); }
  std::span<uint8_t> bytes(size_t index) { return array<uint8_t>(index, napi_uint8_array); }

  // False when an argument was not of the kind asked for: an exception is pending then, and the values
  // taken out are not to be used.
  bool ok() const { return ok_; }

 private:
  template <typename T>
  std::span<T> array(size_t index, napi_typedarray_type type) {
    size_t length = 0;
    void* data = typed_array(index, type, &length);
    return {static_cast<T*>(data), length};
  }
  std::string to_text(napi_value value, size_t index);
  void* typed_array(size_t index, napi_typedarray_type type, size_t* length);
  void refuse(size_t index, const char* expected);

  const napi_env env_;
  Environment* environment_ = nullptr;
  napi_value self_ = nullptr;
  size_t count_ = kMost;
  std::array<napi_value, kMost> values_;  // undefined beyond count_
  bool ok_ = true;
};

// A function or method of the addon; whoever defines it sets `data` to the Environment.
inline napi_property_descriptor method(const char* name, napi_callback callback) {
  return {name, nullptr, callback, nullptr, nullptr, nullptr, napi_default, nullptr};
}

}  // namespace engram::node
