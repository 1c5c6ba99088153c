// What goes wrong on a device, on the simulated one: refused memory, failed kernels, lost devices. Every step
// of a memory's life ends with the right answer or with a status that says what failed where, and everything
// is given back.

#include "simulator/faults.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/cpu_backend.h"
#include "engine/device_backend.h"
#include "support/problem.h"

extern "C" const EngramDeviceTable* engram_device_table(void);

namespace engram::engine {
namespace {

using reference::Problem;
using simulator::Machine;
using simulator::MachineScope;

std::unique_ptr<Backend> backend_of(uint32_t device) {
  return std::move(make_device_backend(*engram_device_table(), device)).value();
}

Status run(const Backend& backend, const ScoreFold& op) {
  const Result<std::unique_ptr<Pass>> pass = backend.plan(op);
  if (!pass.ok()) return pass.status();
  for (size_t strand = 0; strand < pass.value()->strands(); ++strand) {
    for (Pass::Slice slice; !slice.ended;) {
      slice = pass.value()->run_slice(strand);
      if (!slice.status.ok()) return slice.status;
    }
  }
  for (size_t merge = 0; merge < pass.value()->merges(); ++merge) {
    const Status status = pass.value()->merge(merge);
    if (!status.ok()) return status;
  }
  return {};
}

// A memory and what it is asked, step by step. Each step may be repeated.
class Life {
 public:
  static constexpr size_t kSteps = 5;

  Life() : problem_(kCount, 6, 5, kManyQueries, KeyTerm::kHalfSquareNorm, true) {
    problem_.op.query_count = kQueries;
  }

  // `answer` gets every number that the step found.
  Status step(const Backend& backend, size_t number, std::vector<double>& answer) {
    answer.clear();
    switch (number) {
      case 0: return place(backend);
      case 1: return read_out(backend, answer);
      case 2: return search(backend, answer);
      case 3: return look_for_all(backend, answer);
      default: return pass_through(backend, answer);
    }
  }

 private:
  static constexpr uint64_t kCount = 790;
  static constexpr uint64_t kQueries = 18;
  static constexpr uint64_t kManyQueries = 170;  // more hits in the largest block than are foreseen

  Status place(const Backend& backend) {
    for (KeyBlock& block : problem_.blocks) {
      Result<std::shared_ptr<Resident>> place = backend.reserve(
          {.capacity = block.rows, .dim = problem_.op.dim, .value_dim = problem_.op.value_dim});
      if (!place.ok()) return place.status();
      places_.push_back(std::move(place).value());
      block.resident = places_.back().get();
    }
    return {};
  }

  Status read_out(const Backend& backend, std::vector<double>& answer) {
    ScoreFold op = problem_.op;
    std::vector<double> lse(kQueries);
    std::vector<float> readout(kQueries * op.value_dim);
    op.fold = Fold::kReadout;
    op.read_keys = false;
    op.lse = lse.data();
    op.readout = readout.data();
    const Status status = run(backend, op);
    answer = lse;
    answer.insert(answer.end(), readout.begin(), readout.end());
    return status;
  }

  Status search(const Backend& backend, std::vector<double>& answer) {
    ScoreFold op = problem_.op;
    op.fold = Fold::kTopK;
    op.k = 9;
    std::vector<Candidate> top(kQueries * op.k);
    op.top = top.data();
    const Status status = run(backend, op);
    add(top, answer);
    return status;
  }

  Status look_for_all(const Backend& backend, std::vector<double>& answer) {
    ScoreFold op = problem_.op;
    op.removed = {};
    op.query_count = kManyQueries;
    std::vector<std::vector<Candidate>> found(kManyQueries);
    const std::vector<float> threshold(kManyQueries, -1e30F);
    op.fold = Fold::kCandidates;
    op.threshold = threshold.data();
    op.candidates = found.data();
    const Status status = run(backend, op);
    for (const std::vector<Candidate>& candidates : found) add(candidates, answer);
    return status;
  }

  // The same rows without a place on the device.
  Status pass_through(const Backend& backend, std::vector<double>& answer) {
    std::vector<KeyBlock> blocks = problem_.blocks;
    for (KeyBlock& block : blocks) block.resident = nullptr;
    const std::vector<KeyBlock> kept = std::exchange(problem_.blocks, blocks);
    problem_.op.blocks = problem_.blocks;
    const Status status = read_out(backend, answer);
    problem_.blocks = kept;
    problem_.op.blocks = problem_.blocks;
    return status;
  }

  static void add(const std::vector<Candidate>& candidates, std::vector<double>& answer) {
    for (const Candidate& candidate : candidates) {
      answer.push_back(static_cast<double>(candidate.index));
      answer.push_back(candidate.score);
    }
  }

  Problem problem_;
  std::vector<std::shared_ptr<Resident>> places_;
};

using Answers = std::vector<std::vector<double>>;

// A life without faults, and what it asks of the device.
struct Undisturbed {
  Answers answers{Life::kSteps};
  simulator::Counts counts{};

  Undisturbed() {
    const MachineScope scope({.devices = 2});
    const std::unique_ptr<Backend> backend = backend_of(0);
    {
      Life life;
      for (size_t step = 0; step < Life::kSteps; ++step) {
        REQUIRE(life.step(*backend, step, answers[step]).ok());
      }
      counts = simulator::counts();
    }
  }
};

const Undisturbed& undisturbed() {
  static const Undisturbed kLife;
  return kLife;
}

void check_all_given_back() {
  const simulator::Outstanding left = simulator::outstanding();
  CHECK(left.device_allocations == 0);
  CHECK(left.device_bytes == 0);
  CHECK(left.pinned_allocations == 0);
  CHECK(left.streams == 0);
  CHECK(left.events == 0);
}

bool says(const Status& status, const char* text) { return status.message().find(text) != std::string::npos; }

void check_out_of_memory(const Status& status) {
  CAPTURE(status.message());
  CHECK(status.code() == StatusCode::kOutOfMemory);
  CHECK(says(status, "cuda:0"));
  CHECK(says(status, " bytes"));
}

// Runs a life; steps that fail for want of memory are repeated once and must succeed then. Returns how many
// failed.
size_t live_through_refusal(const Backend& backend) {
  size_t failures = 0;
  Life life;
  for (size_t step = 0; step < Life::kSteps; ++step) {
    CAPTURE(step);
    std::vector<double> answer;
    Status status = life.step(backend, step, answer);
    if (!status.ok()) {
      ++failures;
      check_out_of_memory(status);
      status = life.step(backend, step, answer);
    }
    CAPTURE(status.message());
    REQUIRE(status.ok());
    CHECK(answer == undisturbed().answers[step]);
  }
  return failures;
}

TEST_CASE("an allocation refused once, whichever, is answered by room made or by an error; all goes on") {
  const simulator::Counts counts = undisturbed().counts;
  size_t failures = 0;
  for (uint64_t n = 1; n <= counts.device_allocations; ++n) {
    CAPTURE(n);
    const MachineScope scope({.fail_allocation = n});
    failures += live_through_refusal(*backend_of(0));
    check_all_given_back();
  }
  for (uint64_t n = 1; n <= counts.pinned_allocations; ++n) {
    CAPTURE(n);
    const MachineScope scope({.fail_pinned = n});
    failures += live_through_refusal(*backend_of(0));
    check_all_given_back();
  }
  // Room is made and the work repeated, but for a fold that meets more hits than were foreseen.
  CHECK(failures == 1);
}

TEST_CASE("a device of any size answers right or says that its memory does not suffice") {
  size_t failures = 0;
  for (uint64_t memory = 256; memory <= uint64_t{16} << 20; memory += memory / 2) {
    CAPTURE(memory);
    const MachineScope scope({.memory = memory});
    const std::unique_ptr<Backend> backend = backend_of(0);
    {
      Life life;
      for (size_t step = 0; step < Life::kSteps; ++step) {
        CAPTURE(step);
        std::vector<double> answer;
        const Status status = life.step(*backend, step, answer);
        if (status.ok()) {
          CHECK(answer == undisturbed().answers[step]);
        } else {
          ++failures;
          check_out_of_memory(status);
        }
      }
    }
    if (memory >= uint64_t{8} << 20) {
      Life life;
      for (size_t step = 0; step < Life::kSteps; ++step) {
        std::vector<double> answer;
        CHECK(life.step(*backend, step, answer).ok());
      }
    }
  }
  check_all_given_back();
  CHECK(failures > 20);
}

// Bytes that a device holds for the next call after one whose rows passed through it.
uint64_t waiting_bytes(const Backend& backend) {
  std::vector<double> answer;
  REQUIRE(Life().step(backend, 4, answer).ok());
  return simulator::outstanding().device_bytes;
}

TEST_CASE("working memory that waits for the next call makes room for rows") {
  uint64_t waiting = 0;
  {
    const MachineScope scope({});
    waiting = waiting_bytes(*backend_of(0));
  }
  const MachineScope scope({.memory = 4 * waiting});
  const std::unique_ptr<Backend> backend = backend_of(0);
  REQUIRE(waiting_bytes(*backend) == waiting);
  const ResidentLayout layout{.capacity = 4 * waiting * 8 / 10 / (64 * sizeof(float)), .dim = 64};
  const Result<std::shared_ptr<Resident>> place = backend->reserve(layout);
  REQUIRE(place.ok());
  REQUIRE(place.value() != nullptr);
  CHECK(place.value()->bytes() > 3 * waiting);
  // Now others hold the room.
  check_out_of_memory(backend->reserve(layout).status());
}

// From the first failure on every call on the device fails; what is on it can be let go, others go on.
void check_broken_device() {
  const std::unique_ptr<Backend> broken = backend_of(0);
  {
    Life life;
    bool failed = false;
    std::vector<double> answer;
    for (size_t step = 0; step < Life::kSteps; ++step) {
      const Status status = life.step(*broken, step, answer);
      CAPTURE(step);
      CAPTURE(status.message());
      failed = failed || !status.ok();
      if (!failed) {
        CHECK(answer == undisturbed().answers[step]);
        continue;
      }
      CHECK(status.code() == StatusCode::kDevice);
      CHECK(says(status, "cuda:0: "));
      CHECK(says(status, " failed: "));
    }
    if (failed) CHECK(life.step(*broken, 1, answer).code() == StatusCode::kDevice);

    Life elsewhere;
    const std::unique_ptr<Backend> other = backend_of(1);
    for (size_t step = 0; step < 2; ++step) {
      CHECK(elsewhere.step(*other, step, answer).ok());
      CHECK(answer == undisturbed().answers[step]);
    }
    CHECK(Life().step(cpu_backend(), 1, answer).ok());
  }
}

TEST_CASE("a kernel that fails is told of, with its device; every later call there fails, others go on") {
  for (uint64_t n = 1; n <= undisturbed().counts.launches; ++n) {
    CAPTURE(n);
    const MachineScope scope({.devices = 2, .fail_launch = n});
    check_broken_device();
    check_all_given_back();
  }
}

TEST_CASE("a device lost at any moment is told of, and everything is given back") {
  const uint64_t calls = undisturbed().counts.calls;
  const uint64_t stride = calls / 40 + 1;
  for (uint64_t n = 1; n < calls; n += stride) {
    CAPTURE(n);
    const MachineScope scope({.devices = 2, .lose_after = n});
    check_broken_device();
    check_all_given_back();
  }
}

TEST_CASE("a pass given up in the middle leaves the device usable") {
  const MachineScope scope({});
  const std::unique_ptr<Backend> backend = backend_of(0);
  Problem problem(300, 20, 4, 9, KeyTerm::kNone, false);
  std::vector<double> lse(9);
  problem.op.fold = Fold::kLogSumExp;
  problem.op.lse = lse.data();
  for (int slices = 0; slices < 4; ++slices) {
    const std::unique_ptr<Pass> pass = std::move(backend->plan(problem.op)).value();
    for (int slice = 0; slice < slices; ++slice) {
      if (pass->run_slice(0).ended) break;
    }
  }
  Life life;
  std::vector<double> answer;
  for (size_t step = 0; step < Life::kSteps; ++step) {
    REQUIRE(life.step(*backend, step, answer).ok());
    CHECK(answer == undisturbed().answers[step]);
  }
}

TEST_CASE("machines without a usable device say why") {
  const auto reason = [](const Machine& machine) {
    const MachineScope scope(machine);
    uint32_t devices = 7;
    EngramFailure failure{};
    CHECK(engram_device_table()->count(&devices, &failure) == static_cast<int32_t>(StatusCode::kDevice));
    return std::string(failure.message);
  };
  CHECK(reason({.driver = Machine::Driver::kNone}) == "no driver");
  CHECK(reason({.devices = 0}) == "no device");
  const std::string old = reason({.driver = Machine::Driver::kTooOld});
  CHECK(old.find("driver too old: it supports CUDA 11.4") == 0);
  const MachineScope scope({.major = 7, .minor = 5});
  const auto backend = make_device_backend(*engram_device_table(), 0);
  CHECK(backend.status().code() == StatusCode::kDevice);
  CHECK(says(backend.status(), "compute capability 7.5; at least 8.0 is needed"));
}

}  // namespace
}  // namespace engram::engine
