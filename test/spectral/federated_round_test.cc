// What becomes of archetypes from round to round; the sum of clients is known exactly.
#include "spectral/federated_round.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "spectral/archetypes.h"
#include "spectral/metrics.h"
#include "spectral/tracy_widom.h"
#include "support/archetypes.h"
#include "support/federation.h"

namespace engram::spectral {
namespace {

using support::Device;
using support::patterns;
using support::random_archetypes;

constexpr size_t kDim = 300;
constexpr double kQuality = 0.7;

class Rounds {
 public:
  explicit Rounds(size_t archetypes, FederatedOptions options = {})
      : xi_(random_archetypes(archetypes, kDim, 11)), options_(std::move(options)) {
    options_.dim = kDim;
    state.dim = kDim;
  }

  // One client that saw `samples` examples of this exposure.
  RoundReport run(const std::vector<double>& exposure, double plasticity, size_t samples = 100,
                  double quality = kQuality) {
    const std::vector<int8_t> examples =
        support::seen_by(Device{samples, quality, exposure, ""}, xi_, kDim, random_);
    const FactorOperator data(support::as_rows(examples, kDim), plasticity / static_cast<double>(samples));
    RoundInput input(options_, tracy_widom_quantile(0.05));
    input.clients = {
        {.weight = 1, .samples = static_cast<double>(samples), .noise_variance = 1 - quality * quality}};
    input.plasticity = {plasticity};
    input.data = &data;
    RoundReport report;
    const Status status = finish_round(input, state, report, {});
    REQUIRE_MESSAGE(status.ok(), status.message());
    CHECK(state.check(kDim).ok());
    CHECK(report.overlaps == state.overlaps);
    return report;
  }
  std::vector<double> overlaps() const { return best_overlaps(state.view(), patterns(xi_, kDim)); }

  FederatedState state;

 private:
  std::vector<int8_t> xi_;
  FederatedOptions options_;
  RandomStream random_{11, 1};
};

TEST_CASE("what is seen is learnt, what is new is added, what is known is kept") {
  Rounds rounds(3);
  RoundReport report = rounds.run({0.5, 0.5, 0}, 1);
  CHECK(report.round == 1);
  CHECK(report.detected == 2);
  CHECK(report.accepted == 2);
  CHECK(report.added == 2);
  CHECK(report.forgotten == 0);
  CHECK(report.novelty == 1);
  CHECK(report.eigenvalues.size() == 4);
  CHECK(report.eigenvalues[1] > report.cut);
  CHECK(report.cut > report.edge);
  CHECK(report.cut > report.eigenvalues[2]);
  const std::vector<int8_t> before = rounds.state.archetypes;

  report = rounds.run({0.4, 0, 0.6}, 0.5);
  CHECK(report.detected == 3);
  CHECK(report.added == 1);
  CHECK(report.forgotten == 0);
  CHECK(std::abs(report.novelty - 0.6) < 0.1);
  CHECK(rounds.state.first_seen == std::vector<uint32_t>{1, 1, 2});
  for (const double m : rounds.overlaps()) CHECK(m > 0.98);
  // Archetypes keep their place and their sign.
  CHECK(overlap(before.data(), rounds.state.archetypes.data(), kDim) > 0.98);
  CHECK(overlap(before.data() + kDim, rounds.state.archetypes.data() + kDim, kDim) == 1);
}

TEST_CASE("a plasticity of 1 forgets what it does not see, of 0 everything it sees") {
  Rounds rounds(2);
  rounds.run({1, 0}, 1);
  const FederatedState before = rounds.state;
  RoundReport report = rounds.run({0, 1}, 0);
  CHECK(report.round == 2);
  CHECK(report.eigenvalues.empty());
  CHECK(report.detected == 0);
  CHECK(report.novelty == 0);
  CHECK(rounds.state.archetypes == before.archetypes);
  CHECK(rounds.state.evidence == before.evidence);
  report = rounds.run({0, 1}, 1);
  CHECK(report.added == 1);
  CHECK(report.forgotten == 1);
  CHECK(report.novelty == 1);
  CHECK(rounds.overlaps()[0] < 0.3);
  CHECK(rounds.overlaps()[1] > 0.99);
}

TEST_CASE("the smallest plasticity still learns: detection does not depend on its scale") {
  Rounds rounds(2);
  rounds.run({1, 0}, 1);
  const RoundReport report = rounds.run({0.5, 0.5}, 1e-6);
  CHECK(report.added == 1);
  CHECK(rounds.overlaps()[1] > 0.98);
}

TEST_CASE("archetypes are better known with every round, and expected to be as good as they are") {
  Rounds rounds(2);
  double last = 0;
  for (int t = 0; t < 8; ++t) {
    rounds.run({0.5, 0.5}, 0.4, 60, 0.3);
    REQUIRE(rounds.state.count() == 2);
    const std::vector<double> m = rounds.overlaps();
    const double mean = (m[0] + m[1]) / 2;
    const double expected = (rounds.state.overlaps[0] + rounds.state.overlaps[1]) / 2;
    CHECK(std::abs(mean - expected) < 0.1);
    last = mean;
  }
  CHECK(last > 0.95);
}

TEST_CASE("an archetype goes that fresh data has not shown for as many rounds as asked for") {
  FederatedOptions options;
  options.forget_after = 3;
  Rounds rounds(2, options);
  rounds.run({0.5, 0.5}, 1);
  for (int t = 0; t < 2; ++t) CHECK(rounds.run({1, 0}, 0.3).forgotten == 0);
  std::vector<uint32_t> last_seen = rounds.state.last_seen;
  std::sort(last_seen.begin(), last_seen.end());
  CHECK(last_seen == std::vector<uint32_t>{1, 3});
  CHECK(rounds.run({1, 0}, 0.3).forgotten == 1);
  CHECK(rounds.state.count() == 1);
  CHECK(rounds.overlaps()[0] > 0.99);
}

TEST_CASE("a doubtful archetype goes that is not seen again") {
  Rounds rounds(2);
  rounds.run({1, 0}, 1);
  // As a false alarm leaves it: a state near no archetype, with little evidence.
  const std::vector<int8_t> state = random_archetypes(1, kDim, 77);
  std::vector<float> evidence(state.begin(), state.end());
  rounds.state.add(evidence, state);
  const double overlap = rounds.state.overlaps[1];
  CHECK(overlap == doctest::Approx(0.46).epsilon(0.01));
  const RoundReport report = rounds.run({1, 0}, 0.5);
  CHECK(report.forgotten == 1);
  CHECK(rounds.state.count() == 1);
}

TEST_CASE("pure noise adds no archetypes and takes none") {
  Rounds rounds(2);
  rounds.run({0.5, 0.5}, 1);
  uint32_t added = 0;
  for (int t = 0; t < 20; ++t) added += rounds.run({1, 0}, 0.5, 100, 0).added;
  CHECK(added <= 2);  // false alarms at 0.05 a round, which only sometimes pass for an archetype
  CHECK(rounds.overlaps()[0] > 0.98);
  CHECK(rounds.overlaps()[1] > 0.98);
}

TEST_CASE("never more archetypes than allowed") {
  FederatedOptions options;
  options.most_archetypes = 2;
  Rounds rounds(4, options);
  rounds.run({0.25, 0.25, 0.25, 0.25}, 1, 200);
  CHECK(rounds.state.count() <= 2);
  for (int t = 0; t < 3; ++t) rounds.run({0, 0, 0.5, 0.5}, 0.5, 200);
  CHECK(rounds.state.count() <= 2);
}

TEST_CASE("without clients nothing happens") {
  FederatedOptions options;
  options.dim = kDim;
  FederatedState state;
  state.dim = kDim;
  RoundReport report;
  CHECK(finish_round(RoundInput(options, 0.9793), state, report, {}).ok());
  CHECK(report.round == 1);
  CHECK(state.count() == 0);
}

}  // namespace
}  // namespace engram::spectral
