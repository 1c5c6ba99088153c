#include "runtime/line.h"

#include <doctest/doctest.h>

#include <memory>

#include "runtime/test_job.h"

namespace engram::runtime {
namespace {

constexpr unsigned kThreads = 2;

std::shared_ptr<Task> enter(Line& line, CallOptions options = {}, TestJobPtr* job = nullptr) {
  const TestJobPtr made = make_job(std::move(options));
  if (job != nullptr) *job = made;
  auto task = std::make_shared<Task>(made);
  line.enter(task);
  return task;
}

TEST_CASE("an empty line has nothing to do") {
  Line line;
  CHECK(line.first_with_room(kThreads) == nullptr);
  CHECK(line.room(kThreads, 10) == 0);
}

TEST_CASE("tasks are served in order of arrival, interactive ones first") {
  Line line;
  const auto batch_task = enter(line, batch());
  const auto first = enter(line);
  const auto second = enter(line);
  CHECK(line.first_with_room(kThreads) == first);
  CHECK(line.goes_first(*first, kThreads));
  CHECK_FALSE(line.goes_first(*second, kThreads));
  first->workers = 1;
  CHECK(line.first_with_room(kThreads) == second);
  CHECK(line.goes_first(*second, kThreads));
  line.leave(*second);
  CHECK(line.first_with_room(kThreads) == batch_task);
}

TEST_CASE("room is counted over all tasks, and no further than asked") {
  Line line;
  enter(line);
  enter(line, batch())->open_phase(5);
  CHECK(line.room(kThreads, 10) == 3);
  CHECK(line.room(kThreads, 2) == 2);
}

TEST_CASE("a task whose turn is over goes to the end of its rank") {
  Line line;
  const auto first = enter(line);
  const auto second = enter(line);
  const auto batch_task = enter(line, batch());
  first->open_phase(1);
  const uint64_t turn = Line::kSlicesPerTurn * kThreads;
  for (uint64_t i = 1; i < turn; ++i) line.count_slice(*first, kThreads);
  CHECK(line.first_with_room(kThreads) == first);
  line.count_slice(*first, kThreads);
  CHECK(line.first_with_room(kThreads) == second);
  second->workers = 1;
  CHECK(line.first_with_room(kThreads) == first);  // still before the batch task
  for (uint64_t i = 0; i < turn; ++i) line.count_slice(*first, kThreads);
  second->workers = 0;
  CHECK(line.first_with_room(kThreads) == second);
  CHECK(line.goes_first(*batch_task, kThreads) == false);
}

TEST_CASE("a task for fewer threads has a shorter turn") {
  Line line;
  const auto narrow = enter(line, at_most(1));
  const auto other = enter(line);
  for (uint64_t i = 0; i < Line::kSlicesPerTurn; ++i) line.count_slice(*narrow, kThreads);
  CHECK(line.first_with_room(kThreads) == other);
}

TEST_CASE("a cancelled task overtakes all others") {
  Line line;
  TestJobPtr job;
  const auto interactive = enter(line);
  const auto batch_task = enter(line, batch(), &job);
  CHECK(line.first_with_room(kThreads) == interactive);
  job->cancel();
  CHECK(line.first_with_room(kThreads) == batch_task);
  CHECK_FALSE(line.goes_first(*interactive, kThreads));
  line.leave(*batch_task);
  CHECK(line.first_with_room(kThreads) == interactive);
}

}  // namespace
}  // namespace engram::runtime
