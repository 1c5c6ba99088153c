// Feeds arbitrary bytes, as a file, to the opening of federated memories; what it accepts must be a memory
// that can recall.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "spectral/federated_files.h"

namespace {

using engram::spectral::FederatedMemory;
using engram::spectral::FederatedOptions;
using engram::spectral::FederatedState;

constexpr size_t kMostDim = 4096;  // that is asked to recall: a file without archetypes may state any dim

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_share(double x) { return x >= 0 && x <= 1; }

void check_options(const FederatedOptions& options) {
  require(options.dim >= 2 && options.dim < (uint64_t{1} << 31));
  require(options.false_alarm > 0 && options.false_alarm < 1);
  require(is_share(options.controller.plasticity) && is_share(options.controller.smoothing));
  require(options.most_archetypes > 0 && options.gathering.sketch_rank > 0);
  const std::vector<double>& given = options.given_weights;
  require(std::all_of(given.begin(), given.end(), [](double x) { return x >= 0 && std::isfinite(x); }));
  require(given.empty() || *std::max_element(given.begin(), given.end()) > 0);
}

void check_state(const FederatedState& state) {
  const size_t count = state.count();
  require(state.archetypes.size() == count * state.dim && state.evidence.size() == count * state.dim);
  require(state.first_seen.size() == count && state.last_seen.size() == count);
  for (size_t i = 0; i < state.archetypes.size(); ++i) {
    require(state.archetypes[i] == 1 || state.archetypes[i] == -1);
    require(std::isfinite(state.evidence[i]) &&
            state.evidence[i] * static_cast<float>(state.archetypes[i]) >= 0);
  }
  for (size_t k = 0; k < count; ++k) {
    require(is_share(state.overlaps[k]));
    require(state.first_seen[k] > 0 && state.first_seen[k] <= state.last_seen[k]);
    require(state.last_seen[k] <= state.rounds);
  }
  for (const auto& [name, plasticity] : state.by_name) require(is_share(plasticity));
  for (const auto& [place, plasticity] : state.by_position) require(is_share(plasticity));
  require(state.of_sums == -1 || is_share(state.of_sums));
}

void check_recall(const FederatedMemory& memory) {
  if (memory.dim() > kMostDim) return;
  const std::vector<float> cue(memory.dim(), 1);
  std::vector<int8_t> recalled(memory.dim());
  int32_t index = 0;
  double overlap = 0;
  const auto status =
      memory.retrieve({cue.data(), 1, memory.dim()}, {},
                      {.states = recalled.data(), .index = &index, .overlap = &overlap}, [] { return true; });
  require(status.ok());
  require(index >= -1 && index < static_cast<int64_t>(memory.count()));
  require(std::abs(overlap) <= 1);
  require(std::all_of(recalled.begin(), recalled.end(), [](int8_t x) { return x == 1 || x == -1; }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A file that lies in memory; its pages live as long as something maps them.
  const int file = ::memfd_create("federated", 0);
  require(file >= 0 && ::write(file, data, size) == static_cast<ssize_t>(size));
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  const auto opened = engram::spectral::open_federated(path, false);
  const auto verified = engram::spectral::open_federated(path, true);
  ::close(file);
  if (verified.ok()) require(opened.ok());
  if (!opened.ok()) return 0;
  const FederatedMemory& memory = *opened.value().memory;
  check_options(memory.options());
  require(memory.state()->dim == memory.dim());
  check_state(*memory.state());
  check_recall(memory);
  return 0;
}
