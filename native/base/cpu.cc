#include "base/cpu.h"

#include <sched.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

namespace engram {
namespace {

constexpr size_t kL1dWhereUnknown = size_t{32} << 10;
constexpr size_t kL2WhereUnknown = size_t{512} << 10;

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The words of `text`, split at white space.
std::vector<std::string_view> words(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n";
  std::vector<std::string_view> found;
  for (size_t at = text.find_first_not_of(kSpace); at != text.npos; at = text.find_first_not_of(kSpace, at)) {
    const size_t end = std::min(text.find_first_of(kSpace, at), text.size());
    found.push_back(text.substr(at, end - at));
    at = end;
  }
  return found;
}

std::optional<uint64_t> whole_number(std::string_view text) {
  uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

unsigned cpus_rounded_up(uint64_t quota, uint64_t period) {
  if (period == 0) return 0;
  return static_cast<unsigned>(std::min<uint64_t>((quota + period - 1) / period, 1u << 20));
}

// The smaller of two limits, where 0 means none.
template <typename T>
T tighter(T a, T b) {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

// The process's group and those around it, innermost first: "/a/b" -> "/a/b", "/a", "". A limit of any
// of them holds.
std::vector<std::string> enclosing_groups(std::string group) {
  std::vector<std::string> groups;
  while (!group.empty() && group != "/") {
    groups.push_back(group);
    group.resize(group.rfind('/') == group.npos ? 0 : group.rfind('/'));
  }
  groups.emplace_back();
  return groups;
}

struct Limits {
  unsigned cpus = 0;  // 0: none
  size_t memory = 0;  // 0: none
};

Limits cgroup_limits() {
  const std::string membership = read_text("/proc/self/cgroup");
  Limits limits;
  const std::string v2 = "/sys/fs/cgroup";
  for (const std::string& group : enclosing_groups(cgroup_path(membership, ""))) {
    limits.cpus = tighter(limits.cpus, parse_cgroup_v2_quota(read_text(v2 + group + "/cpu.max")));
    limits.memory = tighter(limits.memory, parse_memory_limit(read_text(v2 + group + "/memory.max")));
  }
  for (const std::string& group : enclosing_groups(cgroup_path(membership, "cpu"))) {
    for (const char* const root : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"}) {
      limits.cpus =
          tighter(limits.cpus, parse_cgroup_v1_quota(read_text(root + group + "/cpu.cfs_quota_us"),
                                                     read_text(root + group + "/cpu.cfs_period_us")));
    }
  }
  for (const std::string& group : enclosing_groups(cgroup_path(membership, "memory"))) {
    limits.memory =
        tighter(limits.memory,
                parse_memory_limit(read_text("/sys/fs/cgroup/memory" + group + "/memory.limit_in_bytes")));
  }
  return limits;
}

// Processors in the affinity mask; 0 where the system does not tell.
unsigned affinity_count() {
  // The kernel refuses a mask smaller than its own: grow until it fits.
  for (size_t cpus = 1024; cpus <= (size_t{1} << 20); cpus *= 2) {
    cpu_set_t* const mask = CPU_ALLOC(cpus);
    if (mask == nullptr) return 0;
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    const int failed = ::sched_getaffinity(0, bytes, mask);
    const int error = errno;
    const int count = failed ? 0 : CPU_COUNT_S(bytes, mask);
    CPU_FREE(mask);
    if (!failed) return static_cast<unsigned>(count);
    if (error != EINVAL) return 0;
  }
  return 0;
}

// What the C library knows; it knows nothing on many ARM machines.
size_t cache_from_sysconf(int name) {
  const long bytes = ::sysconf(name);
  return bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

size_t cache_from_sysfs(int level) {
  const std::string root = "/sys/devices/system/cpu/cpu0/cache/index";
  for (int index = 0; index < 8; ++index) {
    const std::string cache = root + std::to_string(index);
    const std::string type = read_text(cache + "/type");
    if (type.empty()) break;
    if (type.starts_with("Instruction")) continue;
    const std::string text = read_text(cache + "/level");
    const auto found = words(text);
    if (found.size() == 1 && whole_number(found[0]) == static_cast<uint64_t>(level)) {
      return parse_cache_size(read_text(cache + "/size"));
    }
  }
  return 0;
}

size_t cache_bytes(int sysconf_name, int level, size_t where_unknown) {
  size_t bytes = cache_from_sysconf(sysconf_name);
  if (bytes == 0) bytes = cache_from_sysfs(level);
  return bytes == 0 ? where_unknown : bytes;
}

size_t physical_memory() {
  struct sysinfo facts;
  if (::sysinfo(&facts) != 0) return 0;
  return static_cast<size_t>(facts.totalram) * facts.mem_unit;
}

CpuFacts read_facts() {
  const Limits limits = cgroup_limits();
  CpuFacts facts;
  facts.model = parse_cpu_model(read_text("/proc/cpuinfo"));
  const unsigned present = affinity_count();
  facts.usable_threads =
      std::max(1u, tighter(present != 0 ? present : std::thread::hardware_concurrency(), limits.cpus));
  facts.l1d_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 1, kL1dWhereUnknown);
  facts.l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 2, kL2WhereUnknown);
  facts.l3_bytes = cache_bytes(_SC_LEVEL3_CACHE_SIZE, 3, 0);
  facts.memory_bytes = tighter(physical_memory(), limits.memory);
  return facts;
}

}  // namespace

unsigned parse_cgroup_v2_quota(const std::string& text) {
  const auto parts = words(text);
  if (parts.size() != 2) return 0;
  const auto quota = whole_number(parts[0]);  // none for "max"
  const auto period = whole_number(parts[1]);
  return quota && period ? cpus_rounded_up(*quota, *period) : 0;
}

unsigned parse_cgroup_v1_quota(const std::string& quota_us, const std::string& period_us) {
  const auto quota = words(quota_us);
  const auto period = words(period_us);
  if (quota.size() != 1 || period.size() != 1) return 0;
  const auto quota_value = whole_number(quota[0]);  // none for "-1"
  const auto period_value = whole_number(period[0]);
  return quota_value && period_value ? cpus_rounded_up(*quota_value, *period_value) : 0;
}

size_t parse_memory_limit(const std::string& text) {
  const auto parts = words(text);
  if (parts.size() != 1) return 0;
  return whole_number(parts[0]).value_or(0);
}

std::string cgroup_path(const std::string& membership, const std::string& controller) {
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // "4:cpu,cpuacct:/path"
    const size_t first = line.find(':');
    const size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string listed = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool matches =
        controller.empty() ? listed == ",," : listed.find("," + controller + ",") != listed.npos;
    if (matches) return line.substr(second + 1);
  }
  return "";
}

size_t parse_cache_size(const std::string& text) {
  const auto parts = words(text);
  if (parts.size() != 1) return 0;
  std::string_view number = parts[0];
  size_t unit = 1;
  if (number.ends_with('K')) unit = size_t{1} << 10;
  if (number.ends_with('M')) unit = size_t{1} << 20;
  if (unit != 1) number.remove_suffix(1);
  return whole_number(number).value_or(0) * unit;
}

std::string parse_cpu_model(const std::string& cpuinfo) {
  std::istringstream lines(cpuinfo);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    if (colon == line.npos || !line.starts_with("model name")) continue;
    const size_t first = line.find_first_not_of(" \t", colon + 1);
    if (first != line.npos) return line.substr(first, line.find_last_not_of(" \t") - first + 1);
  }
  return "unknown";
}

const CpuFacts& cpu_facts() {
  // Leaked: pool threads may ask while the process exits.
  static const CpuFacts* const kFacts = new CpuFacts(read_facts());
  return *kFacts;
}

}  // namespace engram
