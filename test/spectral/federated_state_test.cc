#include "spectral/federated_state.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace engram::spectral {
namespace {

FederatedState three() {
  FederatedState state;
  state.dim = 2;
  state.rounds = 1;
  state.add({1, -2}, std::vector<int8_t>{-1, -1});
  state.rounds = 2;
  state.add({0, 3}, std::vector<int8_t>{-1, -1});
  state.add({-4, 5}, std::vector<int8_t>{1, 1});
  return state;
}

TEST_CASE("an archetype is the signs of its evidence, and its candidate's where there is none") {
  const FederatedState state = three();
  CHECK(state.count() == 3);
  CHECK(state.archetypes == std::vector<int8_t>{1, -1, -1, 1, -1, 1});
  CHECK(state.first_seen == std::vector<uint32_t>{1, 2, 2});
  CHECK(state.last_seen == state.first_seen);
  CHECK(state.overlaps[1] == doctest::Approx(std::tanh(1.5) / 2));
  CHECK(state.view().row(2)[0] == -1);
  CHECK(state.check(2).ok());
}

TEST_CASE("keeping some keeps all that belongs to them") {
  FederatedState state = three();
  const double overlap = state.overlaps[2];
  state.keep({0, 2});
  CHECK(state.count() == 2);
  CHECK(state.archetypes == std::vector<int8_t>{1, -1, -1, 1});
  CHECK(state.evidence == std::vector<float>{1, -2, -4, 5});
  CHECK(state.overlaps[1] == overlap);
  CHECK(state.first_seen == std::vector<uint32_t>{1, 2});
  CHECK(state.check(2).ok());
  state.keep({});
  CHECK(state.count() == 0);
  CHECK(state.archetypes.empty());
  CHECK(state.check(2).ok());
}

TEST_CASE("a state that contradicts itself is told from one that does not") {
  const std::vector<std::function<void(FederatedState&)>> faults = {
      [](FederatedState& s) { s.dim = 3; },
      [](FederatedState& s) { s.archetypes.pop_back(); },
      [](FederatedState& s) { s.evidence.push_back(0); },
      [](FederatedState& s) { s.archetypes[0] = 0; },
      [](FederatedState& s) { s.archetypes[0] = -1; },
      [](FederatedState& s) { s.evidence[1] = -51; },
      [](FederatedState& s) { s.evidence[1] = std::nanf(""); },
      [](FederatedState& s) { s.overlaps[1] = 1.1; },
      [](FederatedState& s) { s.overlaps[1] = std::nan(""); },
      [](FederatedState& s) { s.first_seen[0] = 0; },
      [](FederatedState& s) { s.first_seen[0] = 2; },
      [](FederatedState& s) { s.last_seen[0] = 3; },
      [](FederatedState& s) { s.by_name["a"] = 2; },
      [](FederatedState& s) { s.by_position[1] = -0.1; },
      [](FederatedState& s) { s.of_sums = -0.5; },
  };
  for (const auto& fault : faults) {
    FederatedState state = three();
    state.by_name["a"] = 0.5;
    state.by_position[7] = 1;
    state.of_sums = 0;
    REQUIRE(state.check(2).ok());
    fault(state);
    const Status status = state.check(2);
    CHECK(status.code() == StatusCode::kFormat);
    CHECK_FALSE(status.message().empty());
  }
}

}  // namespace
}  // namespace engram::spectral
