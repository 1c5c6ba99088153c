// An operator that is a JavaScript function: each product is a question to the JavaScript thread.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <vector>

#include "node/inquiry.h"
#include "node/pending_call.h"
#include "spectral/linear_operator.h"

namespace engram::node {

class CalledOperator final : public spectral::LinearOperator {
 public:
  // `call` is the one whose algorithm multiplies; it lives as long as the algorithm runs.
  CalledOperator(size_t dim, PendingCall& call) : dim_(dim), call_(call) {}

  // ---- the algorithm's thread ----

  size_t dim() const override { return dim_; }
  // kAborted when the call was cancelled or JavaScript had no answer.
  Status apply(const double* block, size_t width, double* out,
               const runtime::Parallel& parallel) const override;

  // ---- the JavaScript thread ----

  // The question: [block (dim x columns Float32), columns].
  void pose(napi_env env, std::vector<napi_value>& arguments) const;
  // The product, dim x columns Float32, or undefined.
  void answer(napi_env env, napi_value product) const;

  // ---- any thread ----

  void cancel() const { inquiry_.cancel(); }

 private:
  const size_t dim_;
  PendingCall& call_;
  mutable Inquiry inquiry_;
  mutable size_t width_ = 0;
  mutable std::vector<float> exchanged_;  // the block, then the product, dim x width
};

}  // namespace engram::node
