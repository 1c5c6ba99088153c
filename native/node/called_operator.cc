#include "node/called_operator.h"

#include "node/values.h"

namespace engram::node {

Status CalledOperator::apply(const double* block, size_t width, double* out,
                             const runtime::Parallel& /*parallel*/) const {
  width_ = width;
  exchanged_.resize(dim_ * width);
  for (size_t i = 0; i < dim_; ++i) {
    for (size_t k = 0; k < width; ++k) exchanged_[i * width + k] = static_cast<float>(block[k * dim_ + i]);
  }
  Status status = inquiry_.ask(call_);
  if (!status.ok()) return status;
  for (size_t i = 0; i < dim_; ++i) {
    for (size_t k = 0; k < width; ++k) out[k * dim_ + i] = static_cast<double>(exchanged_[i * width + k]);
  }
  return {};
}

void CalledOperator::pose(napi_env env, std::vector<napi_value>& arguments) const {
  napi_value block = float32_array(env, exchanged_);
  if (block == nullptr) {
    inquiry_.answer({StatusCode::kOutOfMemory, "there is no memory for a block of vectors"});
    return;
  }
  arguments = {block, number(env, static_cast<double>(width_))};
}

void CalledOperator::answer(napi_env env, napi_value product) const {
  napi_typedarray_type type = napi_float32_array;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, product, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float32_array || length != exchanged_.size()) {
    inquiry_.answer({StatusCode::kAborted, "the operator gave no product"});
    return;
  }
  const auto* const numbers = static_cast<const float*>(data);
  exchanged_.assign(numbers, numbers + length);
  inquiry_.answer({});
}

}  // namespace engram::node
