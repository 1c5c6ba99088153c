#include "spectral/gathering.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace engram::spectral {
namespace {

constexpr size_t kBatchRows =
    256;  // merged at a time: the small problems stay small beside the long products

}  // namespace

Status Gathering::add(HebbianOperator message, double weight, const runtime::Parallel& parallel) {
  held_ += message.factor.size() * sizeof(float);
  parts_.push_back({std::move(message), weight});
  return held_ > options_.budget ? compress(parallel) : Status();
}

Status Gathering::compress(const runtime::Parallel& parallel) {
  if (!sketch_.has_value()) {
    sketch_.emplace(dim_, std::min(options_.sketch_rank, dim_), options_.sketch);
  }
  std::vector<float> batch;
  std::vector<double> weights;
  const auto merge = [&] {
    Status status = sketch_->add(batch.data(), weights.size(), weights.data(), 1, parallel);
    batch.clear();
    weights.clear();
    return status;
  };
  for (Part& part : parts_) {
    const HebbianOperator message = std::move(part.message);  // freed as soon as it is merged
    for (const double weight : message.row_weights()) weights.push_back(part.weight * weight);
    batch.insert(batch.end(), message.factor.begin(), message.factor.end());
    merged_rest_ += part.weight * message.rest();
    if (weights.size() < kBatchRows) continue;
    Status status = merge();
    if (!status.ok()) return status;
  }
  parts_.clear();
  held_ = 0;
  return merge();
}

Status Gathering::finish(const runtime::Parallel& parallel) {
  if (!sketch_.has_value()) {
    lay_out_parts();
    return {};
  }
  Status status = compress(parallel);
  if (status.ok()) lay_out_sketch();
  return status;
}

void Gathering::lay_out_parts() {
  std::sort(parts_.begin(), parts_.end(), [](const Part& a, const Part& b) {
    const auto facts = [](const Part& part) {
      return std::tie(part.message.sample_count, part.message.trace, part.weight, part.message.client,
                      part.message.eigenvalues, part.message.factor);
    };
    return facts(a) < facts(b);
  });
  rows_.reserve(held_ / sizeof(float));
  for (Part& part : parts_) {
    const HebbianOperator message = std::move(part.message);
    rows_.insert(rows_.end(), message.factor.begin(), message.factor.end());
    for (const double weight : message.row_weights()) row_weights_.push_back(part.weight * weight);
    isotropic_ += part.weight * message.rest();
  }
  parts_.clear();
}

// What was left out lay outside the directions that were kept, in none of those more than in another as far
// as is still known.
void Gathering::lay_out_sketch() {
  const size_t others = dim_ - sketch_->rank();
  const double level = others == 0 ? 0 : sketch_->discarded() / static_cast<double>(others);
  isotropic_ = merged_rest_ + level;
  rows_ = sketch_->factor();
  row_weights_ = sketch_->values();
  for (double& weight : row_weights_) weight -= level;
}

SumOperator Gathering::sum(double scale) const {
  const engine::Rows rows{
      .data = rows_.data(), .element = engine::Element::kFloat32, .count = row_weights_.size(), .dim = dim_};
  return {dim_, {{.rows = rows, .scale = scale, .row_weights = row_weights_}}, scale * isotropic_};
}

double Gathering::discarded_trace(double scale) const {
  return sketch_.has_value() ? scale * sketch_->discarded() : 0;
}

}  // namespace engram::spectral
