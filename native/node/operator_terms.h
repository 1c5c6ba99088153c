// Operators that JavaScript describes by the arrays they are made of, see NativeOperator in lib/native.ts.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "base/status.h"
#include "engine/row_products.h"
#include "node/environment.h"
#include "spectral/linear_operator.h"
#include "spectral/sum_operator.h"

namespace engram::node {

// Rows where they lie: a Float32Array, an Int8Array, or a Uint8Array of packed signs. kShape where its length
// is no multiple of a row's; kType for anything else.
Result<engine::Rows> rows_of(napi_env env, napi_value array, size_t dim);

// An operator over arrays of JavaScript's, which it keeps alive.
class OperatorTerms {
 public:
  // description: [isotropic, [rows, scale, rowWeights | undefined], ...]. kShape, kType.
  static Result<std::shared_ptr<OperatorTerms>> create(Environment& environment, napi_value description,
                                                       size_t dim);

  const spectral::SumOperator& sum() const { return *sum_; }
  // Not null where it is scale * X^T X of one set of rows, for which there are shorter ways.
  const spectral::FactorOperator* factor() const { return factor_.get(); }

 private:
  std::shared_ptr<const void> owner_;
  std::vector<std::vector<double>> row_weights_;
  std::unique_ptr<spectral::SumOperator> sum_;
  std::unique_ptr<spectral::FactorOperator> factor_;
};

}  // namespace engram::node
