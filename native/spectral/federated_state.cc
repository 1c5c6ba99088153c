#include "spectral/federated_state.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/numbers.h"
#include "spectral/evidence.h"

namespace engram::spectral {
namespace {

// Keeps those rows of `width` elements each.
template <typename T>
void keep_rows(const std::vector<size_t>& kept, size_t width, std::vector<T>& rows) {
  for (size_t i = 0; i < kept.size(); ++i) {
    const auto first = rows.begin() + static_cast<ptrdiff_t>(kept[i] * width);
    std::copy(first, first + static_cast<ptrdiff_t>(width), rows.begin() + static_cast<ptrdiff_t>(i * width));
  }
  rows.resize(kept.size() * width);
}

}  // namespace

Status FederatedState::check(size_t expected_dim) const {
  const auto contradiction = [](std::string what) { return Status(StatusCode::kFormat, std::move(what)); };
  if (dim != expected_dim) {
    return contradiction("the state has the dim " + std::to_string(dim) + "; expected " +
                         std::to_string(expected_dim));
  }
  const bool fits = archetypes.size() == count() * dim && evidence.size() == count() * dim &&
                    first_seen.size() == count() && last_seen.size() == count();
  if (!fits) return contradiction("the state does not have one entry of each kind for each archetype");
  for (size_t i = 0; i < archetypes.size(); ++i) {
    const float e = evidence[i];
    if (archetypes[i] != 1 && archetypes[i] != -1)
      return contradiction("an archetype has an entry other than +-1");
    if (!(std::abs(e) <= kMostEvidence))
      return contradiction("evidence " + print_number(static_cast<double>(e)) + " is not within +-50");
    if (e != 0 && (e > 0) != (archetypes[i] > 0))
      return contradiction("an archetype and its evidence have opposite signs");
  }
  for (size_t k = 0; k < count(); ++k) {
    if (!(overlaps[k] >= 0 && overlaps[k] <= 1))
      return contradiction("a predicted overlap is " + print_number(overlaps[k]) + "; expected 0 to 1");
    if (first_seen[k] < 1 || first_seen[k] > last_seen[k] || last_seen[k] > rounds) {
      return contradiction("archetype " + std::to_string(k) + " was first seen in round " +
                           std::to_string(first_seen[k]) + " and last in round " +
                           std::to_string(last_seen[k]) + " of " + std::to_string(rounds));
    }
  }
  const auto is_share = [](const auto& entry) { return entry.second >= 0 && entry.second <= 1; };
  if (!std::all_of(by_name.begin(), by_name.end(), is_share) ||
      !std::all_of(by_position.begin(), by_position.end(), is_share) ||
      !(of_sums == -1 || (of_sums >= 0 && of_sums <= 1))) {
    return contradiction("a plasticity is not within 0 and 1");
  }
  return {};
}

void FederatedState::keep(const std::vector<size_t>& kept) {
  keep_rows(kept, dim, archetypes);
  keep_rows(kept, dim, evidence);
  keep_rows(kept, 1, overlaps);
  keep_rows(kept, 1, first_seen);
  keep_rows(kept, 1, last_seen);
}

void FederatedState::add(const std::vector<float>& e, std::span<const int8_t> candidate) {
  evidence.insert(evidence.end(), e.begin(), e.end());
  archetypes.insert(archetypes.end(), candidate.begin(), candidate.end());
  take_signs(e, {archetypes.data() + archetypes.size() - dim, dim});
  overlaps.push_back(expected_overlap(e));
  first_seen.push_back(rounds);
  last_seen.push_back(rounds);
}

}  // namespace engram::spectral
