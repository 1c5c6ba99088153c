#include "spectral/intake.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "spectral/message_bytes.h"
#include "support/archetypes.h"
#include "support/federation.h"

namespace engram::spectral {
namespace {

using support::Device;
using support::random_archetypes;

constexpr size_t kDim = 60;

struct Given {
  explicit Given(FederatedOptions options_ = {}) : options(std::move(options_)) {
    options.dim = kDim;
    state.dim = kDim;
  }
  HebbianOperator message(const std::string& name, size_t samples = 20, size_t dim = kDim) {
    const std::vector<int8_t> xi = random_archetypes(1, dim, 3);
    return support::message_of({samples, 0.8, {1}, name}, xi, dim, random);
  }

  FederatedOptions options;
  FederatedState state;
  RandomStream random{1, 1};
};

// Null where rejected.
const AcceptedClient* offer(Intake& intake, size_t position, const std::string& label,
                            std::variant<HebbianOperator, std::vector<std::byte>> content) {
  HebbianOperator operator_;
  Result<AcceptedClient*> taken = intake.take({position, label, std::move(content)}, operator_, {});
  REQUIRE(taken.ok());
  return taken.value();
}

TEST_CASE("messages are taken as operators and as bytes, under their own names") {
  Given given;
  Intake intake(given.options, 0.9793, given.state);
  CHECK(offer(intake, 4, "label", given.message("anna")) != nullptr);
  CHECK(offer(intake, 1, "label", to_bytes(given.message("ben", 31)).value()) != nullptr);
  CHECK(offer(intake, 2, "label", given.message("")) != nullptr);
  REQUIRE(intake.weigh({}).ok());
  CHECK(intake.rejected().empty());
  CHECK(intake.positions() == 5);
  REQUIRE(intake.accepted().size() == 3);
  CHECK(intake.accepted()[0].label == "label");
  CHECK(intake.accepted()[1].label == "anna");
  CHECK(intake.accepted()[2].label == "ben");
  CHECK(intake.accepted()[2].samples == 31);
  for (const AcceptedClient& client : intake.accepted()) {
    CHECK(client.weight == doctest::Approx(1 / 3.0));
    CHECK(client.plasticity == 1);
  }
}

TEST_CASE("what cannot be used is rejected alone, with its name and a reason") {
  Given given;
  Intake intake(given.options, 0.9793, given.state);
  const HebbianOperator good = given.message("good");
  HebbianOperator infinite = given.message("infinite");
  infinite.factor[3] = std::numeric_limits<float>::infinity();
  HebbianOperator no_samples = given.message("no samples");
  no_samples.sample_count = 0;
  HebbianOperator too_good = given.message("too good");
  too_good.quality = 1.5;
  HebbianOperator copy = good;
  copy.client = "copy";
  std::vector<std::byte> cut = to_bytes(given.message("cut")).value();
  cut.resize(cut.size() / 2);

  CHECK(offer(intake, 0, "", good) != nullptr);
  CHECK(offer(intake, 1, "garbage", std::vector<std::byte>(100, std::byte{7})) == nullptr);
  CHECK(offer(intake, 2, "empty", std::vector<std::byte>()) == nullptr);
  CHECK(offer(intake, 3, "cut off", cut) == nullptr);
  CHECK(offer(intake, 4, "", infinite) == nullptr);
  CHECK(offer(intake, 5, "", no_samples) == nullptr);
  CHECK(offer(intake, 6, "", too_good) == nullptr);
  CHECK(offer(intake, 7, "", given.message("other dim", 20, 40)) == nullptr);
  CHECK(offer(intake, 8, "", copy) == nullptr);
  CHECK(offer(intake, 0, "", given.message("same place")) == nullptr);
  CHECK(offer(intake, 9, "", given.message("also good")) != nullptr);
  REQUIRE(intake.weigh({}).ok());

  CHECK(intake.accepted().size() == 2);
  struct Expected {
    size_t position;
    const char* client;
    StatusCode code;
    const char* reason;
  };
  const std::vector<Expected> expected = {
      {0, "same place", StatusCode::kRange, "position 0"},
      {1, "garbage", StatusCode::kFormat, ""},
      {2, "empty", StatusCode::kFormat, ""},
      {3, "cut off", StatusCode::kFormat, ""},
      {4, "infinite", StatusCode::kFormat, "factor"},
      {5, "no samples", StatusCode::kFormat, "sample count"},
      {6, "too good", StatusCode::kFormat, "quality"},
      {7, "other dim", StatusCode::kShape, "40; expected that of the memory, 60"},
      {8, "copy", StatusCode::kRange, "the same message as client 'good'"},
  };
  REQUIRE(intake.rejected().size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const RejectedClient& rejected = intake.rejected()[i];
    CHECK(rejected.position == expected[i].position);
    CHECK(rejected.client == expected[i].client);
    CHECK(rejected.code == expected[i].code);
    CAPTURE(rejected.reason);
    CHECK(rejected.reason.find(expected[i].reason) != std::string::npos);
    CHECK_FALSE(rejected.reason.empty());
  }
}

TEST_CASE("weights are equal, by size, best for the worst archetype, or given") {
  const auto weights_of = [](Given& given) {
    Intake intake(given.options, 0.9793, given.state);
    offer(intake, 0, "", given.message("a", 10));
    offer(intake, 1, "", given.message("b", 30));
    REQUIRE(intake.weigh({}).ok());
    return std::vector<double>{intake.accepted()[0].weight, intake.accepted()[1].weight};
  };
  Given equal;
  CHECK(weights_of(equal) == std::vector<double>{0.5, 0.5});
  Given size;
  size.options.weights = WeightRule::kSize;
  CHECK(weights_of(size) == std::vector<double>{0.25, 0.75});
  Given by_hand;
  by_hand.options.given_weights = {3, 1};
  CHECK(weights_of(by_hand) == std::vector<double>{0.75, 0.25});
  Given nothing_known;
  nothing_known.options.weights = WeightRule::kMaximin;
  CHECK(weights_of(nothing_known) == std::vector<double>{0.25, 0.75});
}

TEST_CASE("maximin weights are those of the signals that known archetypes have in the messages") {
  Given given;
  given.options.weights = WeightRule::kMaximin;
  const std::vector<int8_t> xi = random_archetypes(2, kDim, 8);
  given.state.rounds = 1;
  for (size_t mu = 0; mu < 2; ++mu) {
    const std::span<const int8_t> row(xi.data() + mu * kDim, kDim);
    given.state.add(std::vector<float>(row.begin(), row.end()), row);
  }
  // Only the smaller client sees the second archetype.
  const HebbianOperator many = support::message_of({200, 0.8, {1, 0}, "many"}, xi, kDim, given.random);
  const HebbianOperator few = support::message_of({40, 0.8, {0, 1}, "few"}, xi, kDim, given.random);
  Intake intake(given.options, 0.9793, given.state);
  offer(intake, 0, "", many);
  offer(intake, 1, "", few);
  REQUIRE(intake.weigh({}).ok());
  const AcceptedClient& small = intake.accepted()[0];
  REQUIRE(small.client == "few");
  CHECK(small.signals[0] < 0.1);
  CHECK(small.signals[1] == doctest::Approx(0.64).epsilon(0.1));
  const double size = 40.0 / 240;
  CHECK(small.weight > 1.2 * size);
}

TEST_CASE("a position without a weight is rejected") {
  Given given;
  given.options.given_weights = {1};
  Intake intake(given.options, 0.9793, given.state);
  CHECK(offer(intake, 1, "", given.message("late")) == nullptr);
  CHECK(intake.rejected()[0].code == StatusCode::kRange);
  CHECK(offer(intake, 0, "", given.message("early")) != nullptr);
}

TEST_CASE("plasticity is smoothed by name, or by position where there is none, and remembered") {
  Given given;
  given.options.controller.rule = Controller::kTrust;
  given.options.controller.smoothing = 0.25;
  const std::vector<int8_t> xi = random_archetypes(1, kDim, 3);
  given.state.rounds = 1;
  given.state.add(std::vector<float>(xi.begin(), xi.end()), xi);
  given.state.by_name["known"] = 0.2;
  given.state.by_position[5] = 0.4;
  Intake intake(given.options, 0.9793, given.state);
  const double raw = offer(intake, 0, "", given.message("new", 200))->plasticity;
  CHECK(raw > 0.9);  // agrees with the memory
  CHECK(offer(intake, 1, "", given.message("known", 201))->plasticity ==
        doctest::Approx(0.25 + 0.75 * 0.2).epsilon(0.05));
  CHECK(offer(intake, 5, "", given.message("", 202))->plasticity ==
        doctest::Approx(0.25 + 0.75 * 0.4).epsilon(0.05));
  CHECK(offer(intake, 6, "", given.message("", 203))->plasticity > 0.9);
  REQUIRE(intake.weigh({}).ok());
  FederatedState after = given.state;
  remember_plasticity(given.options.controller, intake.accepted(), after);
  CHECK(after.by_name.size() == 2);
  CHECK(after.by_name["new"] == raw);
  CHECK(after.by_name["known"] == doctest::Approx(0.4).epsilon(0.05));
  CHECK(after.by_position.size() == 2);
  CHECK(smoothed({.rule = Controller::kFixed}, &raw, 0.5) == 0.5);
  FederatedState fixed;
  remember_plasticity({.rule = Controller::kFixed}, intake.accepted(), fixed);
  CHECK(fixed.by_name.empty());
}

TEST_CASE("clients stand in one order, in whatever order they came") {
  Given given;
  std::vector<HebbianOperator> messages;
  for (const char* name : {"c", "a", "", "b", ""}) messages.push_back(given.message(name, 20));
  const auto order = [&](const std::vector<size_t>& arrival) {
    Intake intake(given.options, 0.9793, given.state);
    for (const size_t i : arrival) offer(intake, i, "", messages[i]);
    REQUIRE(intake.weigh({}).ok());
    std::vector<uint64_t> prints;
    for (const AcceptedClient& client : intake.accepted()) prints.push_back(client.fingerprint);
    return prints;
  };
  CHECK(order({0, 1, 2, 3, 4}) == order({4, 2, 0, 3, 1}));
}

}  // namespace
}  // namespace engram::spectral
