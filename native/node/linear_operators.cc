#include "node/linear_operators.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "node/arguments.h"
#include "node/called_operator.h"
#include "node/errors.h"
#include "node/operator_terms.h"
#include "node/pending_call.h"
#include "node/submit.h"
#include "node/values.h"
#include "runtime/algorithm.h"
#include "spectral/eigenpairs.h"

namespace engram::node {
namespace {

using runtime::Parallel;
using spectral::EigenOptions;
using spectral::Eigenpairs;

// ---- products ----

// A block of dim x columns numbers as rows of vectors, as the core takes it, and back.
std::vector<double> vectors_of(std::span<const float> block, size_t dim, size_t columns) {
  std::vector<double> rows(block.size());
  for (size_t i = 0; i < dim; ++i) {
    for (size_t k = 0; k < columns; ++k) rows[k * dim + i] = static_cast<double>(block[i * columns + k]);
  }
  return rows;
}

std::vector<float> block_of(const std::vector<double>& rows, size_t dim, size_t columns) {
  std::vector<float> block(rows.size());
  for (size_t i = 0; i < dim; ++i) {
    for (size_t k = 0; k < columns; ++k) block[i * columns + k] = static_cast<float>(rows[k * dim + i]);
  }
  return block;
}

// dim, description, block, columns
struct ProductRequest {
  std::shared_ptr<OperatorTerms> terms;
  size_t dim = 0;
  size_t columns = 0;
  std::vector<double> rows;

  static Result<ProductRequest> of(Arguments& arguments) {
    ProductRequest request;
    request.dim = arguments.integer<size_t>(0);
    request.columns = arguments.integer<size_t>(3);
    const std::span<const float> block = arguments.floats(2);
    if (!arguments.ok()) return Status(StatusCode::kType, "an argument");
    auto terms = OperatorTerms::create(arguments.environment(), arguments[1], request.dim);
    if (!terms.ok()) return terms.status();
    request.terms = std::move(terms).value();
    request.rows = vectors_of(block, request.dim, request.columns);
    return request;
  }

  Result<std::vector<float>> multiply(const Parallel& parallel) const {
    std::vector<double> product(rows.size());
    Status status = terms->sum().apply(rows.data(), columns, product.data(), parallel);
    if (!status.ok()) return status;
    return block_of(product, dim, columns);
  }
};
constexpr size_t kProductArguments = 4;

Status no_memory_for_result() { return {StatusCode::kOutOfMemory, "there is no memory for the result"}; }

class ProductCall final : public PendingCall {
 public:
  Status add_results(napi_env env, std::vector<napi_value>& arguments) override {
    arguments.push_back(float32_array(env, *product));
    return arguments.back() == nullptr ? no_memory_for_result() : Status();
  }
  const std::shared_ptr<std::vector<float>> product = std::make_shared<std::vector<float>>();
};

// apply(dim, operator, block, columns, ...): settles with the product.
napi_value apply(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Result<ProductRequest> request = ProductRequest::of(arguments);
  if (!arguments.ok()) return nullptr;
  if (!request.ok()) return throw_status(env, request.status());
  auto pending = std::make_unique<ProductCall>();
  const auto product = pending->product;
  return submit(arguments, kProductArguments, std::move(pending),
                [&](runtime::CallOptions options, runtime::Done done) {
                  return runtime::run_algorithm(
                      [request = std::move(request).value(), product](const Parallel& parallel) {
                        Result<std::vector<float>> found = request.multiply(parallel);
                        if (found.ok()) *product = std::move(found).value();
                        return found.status();
                      },
                      std::move(options), std::move(done));
                });
}

// applySync(dim, operator, block, columns, maxThreads): the product.
napi_value apply_sync(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Result<ProductRequest> request = ProductRequest::of(arguments);
  const auto threads = arguments.integer<unsigned>(kProductArguments);
  if (!arguments.ok()) return nullptr;
  if (!request.ok()) return throw_status(env, request.status());
  std::vector<float> product;
  Status status = runtime::run_algorithm_sync(
      [&](const Parallel& parallel) {
        Result<std::vector<float>> found = request.value().multiply(parallel);
        if (found.ok()) product = std::move(found).value();
        return found.status();
      },
      threads);
  if (!status.ok()) return throw_status(env, status);
  napi_value result = float32_array(env, product);
  return result == nullptr ? throw_status(env, no_memory_for_result()) : result;
}

// ---- eigenpairs ----

// [eigenvalues, vectors, residuals, products, converged]
Status add_pairs(napi_env env, const Eigenpairs& pairs, std::vector<napi_value>& values) {
  const std::vector<float> vectors(pairs.vectors.begin(), pairs.vectors.end());
  for (napi_value array : {float64_array(env, pairs.eigenvalues), float32_array(env, vectors),
                           float64_array(env, pairs.residuals)}) {
    if (array == nullptr) return no_memory_for_result();
    values.push_back(array);
  }
  values.push_back(number(env, pairs.products));
  values.push_back(boolean(env, pairs.converged));
  return {};
}

class EigenpairsCall final : public PendingCall {
 public:
  Status add_results(napi_env env, std::vector<napi_value>& arguments) override {
    return add_pairs(env, *pairs, arguments);
  }
  void pose(napi_env env, std::vector<napi_value>& arguments) override { called->pose(env, arguments); }
  void answer(napi_env env, napi_value product) override { called->answer(env, product); }

  const std::shared_ptr<Eigenpairs> pairs = std::make_shared<Eigenpairs>();
  std::shared_ptr<CalledOperator> called;  // null where the operator is built in
};

// k, block, tolerance, maxProducts, start | undefined
EigenOptions eigen_options(Arguments& arguments, size_t at) {
  EigenOptions options;
  options.k = arguments.integer<size_t>(at);
  options.block = arguments.integer<size_t>(at + 1);
  options.tolerance = arguments.number(at + 2);
  options.most_products = arguments.integer<uint32_t>(at + 3);
  const std::span<const float> start = arguments.floats(at + 4);
  options.start.assign(start.begin(), start.end());
  return options;
}
constexpr size_t kEigenArguments = 5;

Status solve(const OperatorTerms& terms, const EigenOptions& options, const Parallel& parallel,
             Eigenpairs& out) {
  Result<Eigenpairs> pairs = terms.factor() != nullptr
                                 ? top_eigenpairs_of_factor(*terms.factor(), options, parallel)
                                 : top_eigenpairs(terms.sum(), options, parallel);
  if (pairs.ok()) out = std::move(pairs).value();
  return pairs.status();
}

// topEigenpairs(dim, operator, k, block, tolerance, maxProducts, start, ...): settles with the pairs.
napi_value top_eigenpairs_built_in(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto dim = arguments.integer<size_t>(0);
  const EigenOptions asked = eigen_options(arguments, 2);
  if (!arguments.ok()) return nullptr;
  const auto terms = OperatorTerms::create(arguments.environment(), arguments[1], dim);
  if (!terms.ok()) return throw_status(env, terms.status());
  auto pending = std::make_unique<EigenpairsCall>();
  const auto pairs = pending->pairs;
  return submit(arguments, 2 + kEigenArguments, std::move(pending),
                [&](runtime::CallOptions options, runtime::Done done) {
                  return runtime::run_algorithm(
                      [terms = terms.value(), asked, pairs](const Parallel& parallel) {
                        return solve(*terms, asked, parallel, *pairs);
                      },
                      std::move(options), std::move(done));
                });
}

// topEigenpairsSync(dim, operator, k, block, tolerance, maxProducts, start, maxThreads): the pairs.
napi_value top_eigenpairs_sync(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto dim = arguments.integer<size_t>(0);
  const EigenOptions asked = eigen_options(arguments, 2);
  const auto threads = arguments.integer<unsigned>(2 + kEigenArguments);
  if (!arguments.ok()) return nullptr;
  const auto terms = OperatorTerms::create(arguments.environment(), arguments[1], dim);
  if (!terms.ok()) return throw_status(env, terms.status());
  Eigenpairs pairs;
  Status status = runtime::run_algorithm_sync(
      [&](const Parallel& parallel) { return solve(*terms.value(), asked, parallel, pairs); }, threads);
  std::vector<napi_value> values;
  if (status.ok()) status = add_pairs(env, pairs, values);
  return status.ok() ? array(env, values) : throw_status(env, status);
}

// topEigenpairsOf(dim, question, k, block, tolerance, maxProducts, start, ...): of an operator in JavaScript,
// which is asked for its products.
napi_value top_eigenpairs_of(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto dim = arguments.integer<size_t>(0);
  const EigenOptions asked = eigen_options(arguments, 2);
  if (!arguments.ok()) return nullptr;
  auto pending = std::make_unique<EigenpairsCall>();
  EigenpairsCall& call = *pending;
  call.called = std::make_shared<CalledOperator>(dim, call);
  const auto called = call.called;
  const auto pairs = call.pairs;
  return submit(arguments, 2 + kEigenArguments, std::move(pending),
                [&](runtime::CallOptions options, runtime::Done done) {
                  arguments.environment().let_ask(call, arguments[1]);
                  return runtime::run_algorithm(
                      [called, asked, pairs](const Parallel& parallel) {
                        Result<Eigenpairs> found = top_eigenpairs(*called, asked, parallel);
                        if (found.ok()) *pairs = std::move(found).value();
                        return found.status();
                      },
                      std::move(options), std::move(done), [called] { called->cancel(); });
                });
}

}  // namespace

std::vector<napi_property_descriptor> linear_operator_functions() {
  return {method("apply", &apply), method("applySync", &apply_sync),
          method("topEigenpairs", &top_eigenpairs_built_in),
          method("topEigenpairsSync", &top_eigenpairs_sync), method("topEigenpairsOf", &top_eigenpairs_of)};
}

}  // namespace engram::node
