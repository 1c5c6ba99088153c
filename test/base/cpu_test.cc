#include "base/cpu.h"

#include <doctest/doctest.h>
#include <sched.h>

#include <string>

namespace engram {
namespace {

TEST_CASE("the facts are within reason on any machine") {
  const CpuFacts& facts = cpu_facts();
  CHECK_FALSE(facts.model.empty());
  CHECK(facts.usable_threads >= 1);
  CHECK(facts.l1d_bytes >= 4096);
  CHECK(facts.l2_bytes >= facts.l1d_bytes);
  CHECK(facts.memory_bytes > (size_t{1} << 20));
  CHECK(&facts == &cpu_facts());
}

TEST_CASE("no more threads are used than the affinity mask has processors") {
  cpu_set_t mask;
  REQUIRE(::sched_getaffinity(0, sizeof mask, &mask) == 0);
  CHECK(cpu_facts().usable_threads <= static_cast<unsigned>(CPU_COUNT(&mask)));
}

TEST_CASE("cgroup v2 quotas are rounded up to whole processors") {
  CHECK(parse_cgroup_v2_quota("150000 100000\n") == 2);
  CHECK(parse_cgroup_v2_quota("100000 100000\n") == 1);
  CHECK(parse_cgroup_v2_quota("100001 100000") == 2);
  CHECK(parse_cgroup_v2_quota("1000 100000") == 1);
  CHECK(parse_cgroup_v2_quota("400000 50000") == 8);
}

TEST_CASE("no or malformed cgroup v2 quotas are no limit") {
  for (const char* text : {"max 100000\n", "", "\n", "100000", "100000 0", "-1 100000", "1 2 3",
                           "100000x 100000", "99999999999999999999999 100000"}) {
    CAPTURE(text);
    CHECK(parse_cgroup_v2_quota(text) == 0);
  }
}

TEST_CASE("cgroup v1 quotas are rounded up to whole processors") {
  CHECK(parse_cgroup_v1_quota("250000\n", "100000\n") == 3);
  CHECK(parse_cgroup_v1_quota("50000\n", "100000\n") == 1);
  CHECK(parse_cgroup_v1_quota("-1\n", "100000\n") == 0);
  CHECK(parse_cgroup_v1_quota("", "") == 0);
  CHECK(parse_cgroup_v1_quota("100000", "0") == 0);
}

TEST_CASE("memory limits") {
  CHECK(parse_memory_limit("1073741824\n") == size_t{1} << 30);
  CHECK(parse_memory_limit("max\n") == 0);
  CHECK(parse_memory_limit("") == 0);
  CHECK(parse_memory_limit("1 2") == 0);
}

TEST_CASE("the process's groups are found for both versions") {
  const std::string both =
      "12:memory:/docker/abc\n"
      "4:cpu,cpuacct:/docker/cpu:odd\n"
      "1:name=systemd:/init.scope\n"
      "0::/user.slice\n";
  CHECK(cgroup_path(both, "") == "/user.slice");
  CHECK(cgroup_path(both, "memory") == "/docker/abc");
  CHECK(cgroup_path(both, "cpu") == "/docker/cpu:odd");
  CHECK(cgroup_path(both, "cpuacct") == "/docker/cpu:odd");
  CHECK(cgroup_path(both, "pids") == "");
  CHECK(cgroup_path("nonsense\n:\n", "") == "");
  CHECK(cgroup_path("", "cpu") == "");
}

TEST_CASE("cache sizes as sysfs writes them") {
  CHECK(parse_cache_size("48K\n") == 48 * 1024);
  CHECK(parse_cache_size("2M\n") == 2 * 1024 * 1024);
  CHECK(parse_cache_size("4096") == 4096);
  CHECK(parse_cache_size("") == 0);
  CHECK(parse_cache_size("K") == 0);
  CHECK(parse_cache_size("big") == 0);
}

TEST_CASE("the model name, where /proc/cpuinfo has one") {
  CHECK(parse_cpu_model("processor\t: 0\nmodel\t\t: 1\nmodel name\t: AMD EPYC 7543 \nflags: fpu\n"
                        "model name\t: another\n") == "AMD EPYC 7543");
  CHECK(parse_cpu_model("processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\n") == "unknown");
  CHECK(parse_cpu_model("model name\t:\n") == "unknown");
  CHECK(parse_cpu_model("") == "unknown");
}

}  // namespace
}  // namespace engram
