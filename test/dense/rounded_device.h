// A device that rounds, as far as callers of a backend can tell: its top-k scores are off by what the test
// says, its passes in Float32 are the CPU's. It notes what it was asked.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/cpu_backend.h"
#include "support/reference.h"

namespace engram::testing {

class RoundedDevice final : public engine::Backend {
 public:
  struct Asked {
    engine::Fold fold;
    uint64_t queries;
    uint32_t k;
    bool in_float32;
  };
  // How far the score of an item is off, as the device finds it.
  using Error = std::function<double(uint64_t item)>;

  explicit RoundedDevice(Error error = {}, std::chrono::milliseconds slice = {})
      : error_(std::move(error)), slice_(slice) {}

  engine::DeviceFacts facts() const override { return engine::cpu_backend().facts(); }
  engine::Rounding rounding(const engine::DeviceOptions& options, uint64_t /*queries*/) const override {
    return engine::rounding_of(options);
  }
  Result<std::unique_ptr<engine::Pass>> plan(const engine::ScoreFold& op) const override {
    asked_.push_back({op.fold, op.query_count, op.k, op.in_float32});
    if (op.in_float32 || op.fold != engine::Fold::kTopK) return engine::cpu_backend().plan(op);
    return std::unique_ptr<engine::Pass>(new TopPass(op, error_, slice_));
  }
  void submit(std::shared_ptr<runtime::Job> job) const override {
    engine::cpu_backend().submit(std::move(job));
  }
  Result<std::shared_ptr<engine::Resident>> reserve(const engine::ResidentLayout& /*layout*/) const override {
    return std::shared_ptr<engine::Resident>();
  }
  Result<std::shared_ptr<const engine::PairSolver>> pair_solver(
      const engine::CloudSet& /*clouds*/) const override {
    return std::shared_ptr<const engine::PairSolver>();
  }

  // By one call after the other.
  const std::vector<Asked>& asked() const { return asked_; }

 private:
  // Half of the queries in each of two slices, which take their time.
  class TopPass final : public engine::Pass {
   public:
    TopPass(const engine::ScoreFold& op, const Error& error, std::chrono::milliseconds slice)
        : op_(op), error_(error), slice_(slice) {}
    size_t strands() const override { return 1; }
    size_t merges() const override { return 0; }
    Status merge(size_t /*index*/) override { return {}; }
    Slice run_slice(size_t /*strand*/) override {
      std::this_thread::sleep_for(slice_);
      const uint64_t end = next_ == 0 ? (op_.query_count + 1) / 2 : op_.query_count;
      Slice slice{.ended = end == op_.query_count, .work = (end - next_) * op_.count, .status = {}};
      for (; next_ < end; ++next_) select(next_);
      return slice;
    }

   private:
    void select(uint64_t query) {
      std::vector<engine::Candidate> found;
      for (uint64_t item = 0; item < op_.count; ++item) {
        const double off = error_ ? error_(item) : 0;
        const float* x = reference::key(op_, item);
        if (op_.max_square_norm != nullptr) {
          const auto square = static_cast<float>(reference::dot(x, x, op_.dim));
          *op_.max_square_norm = std::max(*op_.max_square_norm, square);
        }
        found.push_back({item, static_cast<float>(reference::score(op_, query, item) + off)});
      }
      std::stable_sort(found.begin(), found.end(),
                       [](const auto& a, const auto& b) { return a.score > b.score; });
      std::copy_n(found.begin(), op_.k, op_.top + query * op_.k);
    }

    const engine::ScoreFold op_;
    const Error error_;
    const std::chrono::milliseconds slice_;
    uint64_t next_ = 0;
  };

  const Error error_;
  const std::chrono::milliseconds slice_;
  mutable std::vector<Asked> asked_;
};

}  // namespace engram::testing
