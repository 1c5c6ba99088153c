#include "node/operator_terms.h"

#include <string>
#include <utility>

#include "node/buffer_owner.h"

namespace engram::node {
namespace {

Status not_as_described(const char* what) {
  return {StatusCode::kType, std::string("engram: native operator: ") + what};
}

napi_value element(napi_env env, napi_value array, uint32_t index) {
  napi_value value = nullptr;
  napi_get_element(env, array, index, &value);
  return value;
}

bool is_undefined(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  return napi_typeof(env, value, &type) == napi_ok && type == napi_undefined;
}

Status read_weights(napi_env env, napi_value array, size_t count, std::vector<double>& out) {
  if (is_undefined(env, array)) return {};
  napi_typedarray_type type = napi_float64_array;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float64_array || length != count) {
    return not_as_described("row weights are a Float64Array with a number for each row");
  }
  const auto* const weights = static_cast<const double*>(data);
  out.assign(weights, weights + length);
  return {};
}

}  // namespace

Result<engine::Rows> rows_of(napi_env env, napi_value array, size_t dim) {
  napi_typedarray_type type = napi_float32_array;
  size_t length = 0;
  engine::Rows rows;
  rows.dim = dim;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    return not_as_described("rows are a typed array");
  }
  rows.data = data;
  size_t bytes = length;
  if (type == napi_float32_array) {
    bytes = length * sizeof(float);
    rows.element = engine::Element::kFloat32;
  } else if (type == napi_int8_array) {
    rows.element = engine::Element::kInt8;
  } else if (type == napi_uint8_array) {
    rows.element = engine::Element::kSign;
  } else {
    return not_as_described("rows are a Float32Array, an Int8Array or a Uint8Array");
  }
  const size_t row = engine::row_bytes(dim, rows.element);
  rows.count = bytes / row;
  if (rows.count * row == bytes) return rows;
  return Status(StatusCode::kShape, "engram: native operator: rows are not whole");
}

Result<std::shared_ptr<OperatorTerms>> OperatorTerms::create(Environment& environment, napi_value description,
                                                             size_t dim) {
  napi_env env = environment.env();
  uint32_t length = 0;
  double isotropic = 0;
  if (napi_get_array_length(env, description, &length) != napi_ok || length < 1 ||
      napi_get_value_double(env, element(env, description, 0), &isotropic) != napi_ok) {
    return not_as_described("it is an array that begins with a number");
  }
  auto terms = std::make_shared<OperatorTerms>();
  terms->row_weights_.resize(length - 1);
  std::vector<spectral::Term> list;
  std::vector<napi_value> arrays;
  for (uint32_t i = 1; i < length; ++i) {
    napi_value term = element(env, description, i);
    spectral::Term read;
    if (napi_get_value_double(env, element(env, term, 1), &read.scale) != napi_ok) {
      return not_as_described("a term has a scale");
    }
    arrays.push_back(element(env, term, 0));
    const Result<engine::Rows> rows = rows_of(env, arrays.back(), dim);
    if (!rows.ok()) return rows.status();
    read.rows = rows.value();
    std::vector<double>& weights = terms->row_weights_[i - 1];
    Status status = read_weights(env, element(env, term, 2), read.rows.count, weights);
    if (!status.ok()) return status;
    read.row_weights = weights;
    list.push_back(read);
  }
  if (isotropic == 0 && list.size() == 1 && list.front().row_weights.empty()) {
    terms->factor_ = std::make_unique<spectral::FactorOperator>(list.front().rows, list.front().scale);
  }
  terms->owner_ = keep_alive(environment, arrays);
  terms->sum_ = std::make_unique<spectral::SumOperator>(dim, std::move(list), isotropic);
  return terms;
}

}  // namespace engram::node
