// Facts about the processor this process may use.
#pragma once

#include <cstddef>
#include <string>

namespace engram {

struct CpuFacts {
  std::string model;        // e.g. "AMD EPYC 7543"; "unknown" where the system does not tell
  unsigned usable_threads;  // min(affinity mask, cgroup v1/v2 quota rounded up), at least 1
  size_t l1d_bytes;         // per core; 32 KiB where unknown
  size_t l2_bytes;          // per core; 512 KiB where unknown
  size_t l3_bytes;          // shared; 0 where unknown
  size_t memory_bytes;      // physical memory, or the cgroup limit where that is lower
};

// Read once per process.
const CpuFacts& cpu_facts();

// ---- the texts behind the facts, as pure functions ----

// Parses a cgroup v2 "cpu.max" text ("max 100000", "150000 100000") to CPUs rounded up; 0 = no limit
// or malformed.
unsigned parse_cgroup_v2_quota(const std::string& text);
// The same from cgroup v1's "cpu.cfs_quota_us" ("-1": no limit) and "cpu.cfs_period_us".
unsigned parse_cgroup_v1_quota(const std::string& quota_us, const std::string& period_us);
// Parses "memory.max" (v2) or "memory.limit_in_bytes" (v1) to bytes; 0 = no limit or malformed.
size_t parse_memory_limit(const std::string& text);
// The path of the process's group in a "/proc/self/cgroup" text: of cgroup v2 for controller "", else of
// that v1 controller. "" where the process is in none.
std::string cgroup_path(const std::string& membership, const std::string& controller);
// Parses a sysfs cache size ("32K", "1M", "4096") to bytes; 0 where malformed.
size_t parse_cache_size(const std::string& text);
// The model name in a "/proc/cpuinfo" text; "unknown" where there is none, as on ARM.
std::string parse_cpu_model(const std::string& cpuinfo);

}  // namespace engram
