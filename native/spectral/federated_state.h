// What a federated memory remembers from round to round.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/view.h"

namespace engram::spectral {

struct FederatedState {
  size_t dim = 0;       // N
  uint32_t rounds = 0;  // that have been finished
  // Of K archetypes, the ones known for longest first.
  std::vector<int8_t> archetypes;    // K x N of +-1: the signs of the evidence
  std::vector<float> evidence;       // K x N log odds of the sign +1 (evidence.h)
  std::vector<double> overlaps;      // K, predicted, in [0, 1]
  std::vector<uint32_t> first_seen;  // K, the number of that round, from 1 on
  std::vector<uint32_t> last_seen;   // K, the last round whose fresh data showed it
  // Smoothed plasticity of clients by name, of those without a name by position, and of sums of clients.
  std::map<std::string, double> by_name;
  std::map<uint64_t, double> by_position;
  double of_sums = -1;  // -1: there was none yet

  size_t count() const { return overlaps.size(); }
  // kFormat where it contradicts itself or is of another dim.
  Status check(size_t expected_dim) const;
  // Keeps those archetypes only; ascending numbers below count().
  void keep(const std::vector<size_t>& kept);
  // One that was found in this round; evidence: N, candidate: N of +-1, for where the evidence is zero.
  void add(const std::vector<float>& e, std::span<const int8_t> candidate);
  MatrixView<const int8_t> view() const { return {archetypes.data(), count(), dim}; }
};

}  // namespace engram::spectral
