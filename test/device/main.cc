// engram-device-test: the C table of engine/device_table.h checked and measured without Node, on a machine
// with nothing but libc and a driver.
//
//   engram-device-test [--tiny] [--checks] [--bench] [--device N] [--seed N] [--out FOLDER]
//
// Without --checks and --bench: both. Where there is no device everything counts as skipped, and that is no
// failure. --out writes device-test.json and device-test.md there.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "device/benchmarks.h"
#include "device/checks.h"
#include "device/report.h"

extern "C" const EngramDeviceTable* engram_device_table(void);

namespace engram::device_test {
namespace {

struct Options {
  Extent extent;
  bool checks = false;
  bool bench = false;
  uint32_t device = 0;
  std::string out;
  bool good = true;
};

Options parse(int count, char** words) {
  Options options;
  options.extent.seed = static_cast<uint64_t>(std::time(nullptr));
  for (int i = 1; i < count; ++i) {
    const auto is = [&](const char* name) { return std::strcmp(words[i], name) == 0; };
    const bool takes_one = is("--device") || is("--seed") || is("--out");
    if (takes_one && i + 1 == count) {
      options.good = false;
    } else if (is("--tiny")) {
      options.extent.tiny = true;
    } else if (is("--checks")) {
      options.checks = true;
    } else if (is("--bench")) {
      options.bench = true;
    } else if (is("--device")) {
      options.device = static_cast<uint32_t>(std::strtoul(words[++i], nullptr, 10));
    } else if (is("--seed")) {
      options.extent.seed = std::strtoull(words[++i], nullptr, 10);
    } else if (is("--out")) {
      options.out = words[++i];
    } else {
      options.good = false;
    }
  }
  if (!options.checks && !options.bench) options.checks = options.bench = true;
  return options;
}

void note(const Device& device, const Extent& extent, Report& report) {
  const EngramDeviceFacts& facts = device.facts();
  report.fact("device", facts.name);
  report.fact("compute capability",
              std::to_string(facts.compute_major) + "." + std::to_string(facts.compute_minor));
  report.fact("memory, GB", 1e-9 * static_cast<double>(facts.memory_bytes));
  report.fact("L2, MB", 1e-6 * static_cast<double>(facts.l2_bytes));
  report.fact("multiprocessors", facts.multiprocessors);
  report.fact("seed", std::to_string(extent.seed));
}

void run(const EngramDeviceTable& table, const Options& options, Report& report) {
  uint32_t devices = 0;
  EngramFailure failure{};
  if (table.count(&devices, &failure) != 0) {
    const std::string why = failure.message;
    if (options.checks) report.skip("folds", why, count_fold_checks(options.extent));
    if (options.checks) report.skip("memories", why, count_memory_checks());
    if (options.checks) report.skip("pairs of clouds", why, count_pair_checks());
    if (options.bench) report.skip("measurements", why, count_measurements());
    return;
  }
  try {
    const Device device(table, options.device);
    note(device, options.extent, report);
    if (options.checks) check_folds(device, options.extent, report);
    if (options.checks) check_memories(device, options.extent, report);
    if (options.checks) check_pairs(device, options.extent, report);
    if (options.bench) measure_folds(device, options.extent, report);
  } catch (const Refusal& refusal) {
    report.check("cuda:" + std::to_string(options.device), refusal.what());
  }
}

}  // namespace
}  // namespace engram::device_test

int main(int count, char** words) {
  using namespace engram::device_test;
  const Options options = parse(count, words);
  if (!options.good) {
    std::fprintf(
        stderr,
        "usage: engram-device-test [--tiny] [--checks] [--bench] [--device N] [--seed N] [--out FOLDER]\n");
    return 2;
  }
  Report report;
  run(*engram_device_table(), options, report);
  report.print();
  bool written = true;
  if (!options.out.empty()) {
    written = report.write_json(options.out + "/device-test.json") &&
              report.write_markdown(options.out + "/device-test.md");
    if (!written) std::fprintf(stderr, "engram-device-test: %s cannot be written to\n", options.out.c_str());
  }
  return report.good() && written ? 0 : 1;
}
