#include "runtime/task.h"

#include <doctest/doctest.h>

#include <set>

#include "runtime/test_job.h"

namespace engram::runtime {
namespace {

TEST_CASE("a new task has room for the one thread that begins it") {
  Task task(make_job());
  CHECK(task.room(8) == 1);
  task.workers = 1;
  CHECK(task.room(8) == 0);
}

TEST_CASE("a phase has room for a thread on each free strand, up to the limit") {
  Task task(make_job(at_most(3)));
  task.open_phase(5);
  CHECK(task.room(8) == 3);
  CHECK(task.room(2) == 2);
  task.workers = 2;
  CHECK(task.room(8) == 1);
  CHECK(task.room(2) == 0);
  CHECK(task.room(1) == 0);  // the pool shrank
  task.workers = 0;
  for (int i = 0; i < 4; ++i) (void)task.take_strand();
  CHECK(task.room(8) == 1);
  (void)task.take_strand();
  CHECK(task.room(8) == 0);
}

TEST_CASE("every strand is handed out once, and again when it was set aside") {
  Task task(make_job());
  task.open_phase(4);
  std::set<size_t> taken;
  for (int i = 0; i < 4; ++i) taken.insert(task.take_strand());
  CHECK(taken == std::set<size_t>{0, 1, 2, 3});
  CHECK(task.take_strand() == Task::kNoStrand);
  REQUIRE(task.set_aside(2));
  CHECK(task.room(8) == 1);
  CHECK(task.take_strand() == 2);
  CHECK(task.take_strand() == Task::kNoStrand);
}

TEST_CASE("the phase is over with its last strand") {
  Task task(make_job());
  task.open_phase(3);
  CHECK_FALSE(task.end_strand());
  CHECK_FALSE(task.end_strand());
  CHECK(task.end_strand());
  task.open_phase(1);
  CHECK(task.take_strand() == 0);
  CHECK(task.end_strand());
}

TEST_CASE("a phase without strands ends the task") {
  Task task(make_job());
  task.open_phase(0);
  CHECK(task.stage == Task::Stage::kEnded);
  CHECK(task.room(8) == 0);
}

TEST_CASE("a stopped task has room for the one thread that finishes it") {
  const TestJobPtr job = make_job();
  Task task(job);
  task.open_phase(5);
  task.workers = 1;
  job->cancel();
  CHECK(task.room(8) == 0);
  task.workers = 0;
  CHECK(task.room(8) == 1);
}

}  // namespace
}  // namespace engram::runtime
