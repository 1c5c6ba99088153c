#include "runtime/parallel.h"

#include <memory>
#include <utility>

#include "runtime/pool.h"

namespace engram::runtime {
namespace {

class ItemsJob final : public Job {
 public:
  ItemsJob(size_t items, const std::function<Result<bool>(size_t)>& work, const Parallel& parallel)
      : Job(options_of(parallel)), items_(items), work_(work), parallel_(parallel) {}

  size_t begin() override { return items_; }
  bool run_slice(size_t item) override {
    if (parallel_.keep_going && !parallel_.keep_going()) {
      fail({StatusCode::kAborted, "cancelled by the caller"});
      return true;
    }
    Result<bool> done = work_(item);
    if (!done.ok()) fail(done.status());
    return !done.ok() || done.value();
  }
  size_t next_phase() override { return 0; }
  void finish(const Status& /*status*/) override {}

 private:
  static CallOptions options_of(const Parallel& parallel) {
    CallOptions options;
    options.priority = parallel.priority;
    options.max_threads = parallel.max_threads;
    return options;
  }

  const size_t items_;
  const std::function<Result<bool>(size_t)>& work_;  // outlives the job: Pool::run returns after its end
  const Parallel& parallel_;
};

}  // namespace

Status run_parallel(size_t items, const std::function<Result<bool>(size_t)>& work, const Parallel& parallel) {
  if (items == 0) return {};
  return Pool::instance().run(std::make_shared<ItemsJob>(items, work, parallel));
}

}  // namespace engram::runtime
