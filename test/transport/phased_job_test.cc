#include "transport/phased_job.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "engine/cpu_backend.h"

namespace engram::transport {
namespace {

// Items that need `parts` calls each; notes how often each was begun and ended.
class Counting final : public Phase {
 public:
  Counting(size_t items, int parts) : parts_(parts), left_(items), begun_(items), ended_(items) {}
  size_t items() const override { return left_.size(); }
  Result<bool> work(size_t item, Workspace& workspace, bool fresh, size_t& entries) override {
    if (fresh) {
      ++begun_[item];
      left_[item] = parts_;
      workspace.x.assign(1, static_cast<double>(item));
    }
    if (workspace.x[0] != static_cast<double>(item)) ++strangers;
    entries = 0;  // the slice ends here
    if (--left_[item] > 0) return false;
    ++ended_[item];
    return true;
  }
  bool each_once() const {
    for (size_t i = 0; i < left_.size(); ++i) {
      if (begun_[i] != 1 || ended_[i] != 1) return false;
    }
    return true;
  }
  std::atomic<int> strangers{0};  // items that found another's workspace

 private:
  const int parts_;
  std::vector<int> left_;
  std::vector<int> begun_;
  std::vector<int> ended_;
};

class Listed final : public Program {
 public:
  explicit Listed(std::vector<Phase*> phases) : phases_(std::move(phases)) {}
  Result<Phase*> next() override { return at_ < phases_.size() ? phases_[at_++] : nullptr; }
  uint64_t total_units() const override {
    uint64_t total = 0;
    for (const Phase* phase : phases_) total += phase->items();
    return total;
  }

 private:
  std::vector<Phase*> phases_;
  size_t at_ = 0;
};

class Failing final : public Phase {
 public:
  size_t items() const override { return 50; }
  Result<bool> work(size_t item, Workspace& /*workspace*/, bool /*fresh*/, size_t& /*entries*/) override {
    if (item == 20) return Status(StatusCode::kRange, "item 20");
    return true;
  }
};

TEST_CASE("every item of every phase is worked on to its end, in its own workspace") {
  for (const size_t items : {1, 7, 255, 1000}) {
    Counting first(items, 3);
    Counting none(0, 1);
    Counting second(items + 1, 1);
    CHECK(run(std::make_unique<Listed>(std::vector<Phase*>{&first, &none, &second}), 0).ok());
    CHECK(first.each_once());
    CHECK(second.each_once());
    CHECK(first.strangers == 0);
  }
}

TEST_CASE("the failure of an item is that of the job, and later phases do not begin") {
  Failing failing;
  Counting later(5, 1);
  const Status status = run(std::make_unique<Listed>(std::vector<Phase*>{&failing, &later}), 0);
  CHECK(status.code() == StatusCode::kRange);
  CHECK_FALSE(later.each_once());
}

TEST_CASE("a program without phases ends at once; progress ends at the total") {
  CHECK(run(std::make_unique<Listed>(std::vector<Phase*>{}), 0).ok());
  Counting phase(40, 2);
  runtime::CallOptions call;
  std::atomic<uint64_t> last{0};
  call.on_progress = [&](uint64_t done, uint64_t total) {
    CHECK(total == 40);
    last = done;
  };
  std::promise<Status> ended;
  submit(std::make_unique<Listed>(std::vector<Phase*>{&phase}), engine::cpu_backend(), call,
         [&](const Status& status) { ended.set_value(status); });
  CHECK(ended.get_future().get().ok());
  CHECK(last == 40);
}

}  // namespace
}  // namespace engram::transport
