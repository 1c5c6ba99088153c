#include "spectral/federated_memory.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "spectral/message_bytes.h"
#include "spectral/metrics.h"
#include "support/archetypes.h"
#include "support/federation.h"

namespace engram::spectral {
namespace {

using support::Device;
using support::messages_of;
using support::patterns;
using support::random_archetypes;
using support::stream_of;

using Messages = std::vector<HebbianOperator>;

std::shared_ptr<FederatedMemory> memory_of(FederatedOptions options) {
  Result<std::shared_ptr<FederatedMemory>> memory = FederatedMemory::create(std::move(options));
  REQUIRE_MESSAGE(memory.ok(), memory.status().message());
  return std::move(memory).value();
}

FederatedOptions options_of(size_t dim, Controller rule = Controller::kFixed, double plasticity = 0.5) {
  FederatedOptions options;
  options.dim = dim;
  options.controller.rule = rule;
  options.controller.plasticity = plasticity;
  return options;
}

RoundReport round_of(FederatedMemory& memory, Messages messages) {
  Result<RoundReport> report = memory.round(stream_of(std::move(messages)), {});
  REQUIRE_MESSAGE(report.ok(), report.status().message());
  return std::move(report).value();
}

std::vector<double> overlaps_with(const FederatedMemory& memory, const std::vector<int8_t>& xi) {
  const std::vector<int8_t> estimates = memory.archetypes();
  return best_overlaps(patterns(estimates, memory.dim()), patterns(xi, memory.dim()));
}

double least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

std::vector<Device> devices(size_t count, size_t samples, double quality,
                            const std::vector<double>& exposure) {
  std::vector<Device> all;
  for (size_t c = 0; c < count; ++c) {
    all.push_back({samples, quality, exposure, "client " + std::to_string(c)});
  }
  return all;
}

// --- the experiments of section 2 -------------------------------------------------------------------------

// N = 300, L = K = 3, 17 examples a client and round, r = 0.6: one archetype after the other, eight rounds
// each, with ramps of four rounds.
std::vector<double> drift(Controller rule, double plasticity, uint64_t seed) {
  const std::vector<int8_t> xi = random_archetypes(3, 300, seed);
  const auto memory = memory_of(options_of(300, rule, plasticity));
  RandomStream random(seed, 1);
  for (int t = 0; t < 24; ++t) {
    std::vector<double> exposure(3, 0);
    const auto now = static_cast<size_t>(t / 8);
    exposure[now] = now == 0 ? 1 : std::min(1.0, (t % 8 + 1) / 4.0);
    if (now > 0) exposure[now - 1] = 1 - exposure[now];
    round_of(*memory, messages_of(devices(3, 17, 0.6, exposure), xi, 300, random));
  }
  return overlaps_with(*memory, xi);
}

TEST_CASE(
    "drift: no plasticity never learns what comes later, full plasticity forgets, the others keep all") {
  const std::vector<double> none = drift(Controller::kFixed, 0, 1);
  CHECK(none[0] > 0.995);
  CHECK(std::max(none[1], none[2]) < 0.3);
  const std::vector<double> full = drift(Controller::kFixed, 1, 1);
  CHECK(std::max(full[0], full[1]) < 0.3);
  CHECK(full[2] > 0.995);
  for (const uint64_t seed : {1, 2}) {
    CHECK(least(drift(Controller::kFixed, 0.2, seed)) >= 0.98);
    CHECK(least(drift(Controller::kFixed, 0.5, seed)) >= 0.98);
    CHECK(least(drift(Controller::kEntropy, 0, seed)) >= 0.98);
  }
  CHECK(least(drift(Controller::kSpectral, 0, 1)) >= 0.98);
}

// N = 400, L = 3, r = 0.8, 34 examples a client and round, K 3 -> 6 at t = 12 with a ramp of four rounds to a
// share of 0.3. The prototype: K^ 3.0, 5.75 (t = 12), 6.0 (t = 13); new m .90 (of those that were seen), .98,
// .99 in the end; old at least .998.
TEST_CASE("novelty: new archetypes are found in the round they appear in, or the next, and old ones kept") {
  constexpr size_t kDim = 400;
  constexpr int kTrials = 4;
  double first = 0;
  double second = 0;
  double first_m = 0;
  double second_m = 0;
  for (uint64_t seed = 1; seed <= kTrials; ++seed) {
    const std::vector<int8_t> xi = random_archetypes(6, kDim, seed);
    const std::vector<int8_t> news(xi.begin() + 3 * kDim, xi.end());
    const std::vector<int8_t> old(xi.begin(), xi.begin() + 3 * kDim);
    const auto memory = memory_of(options_of(kDim));
    RandomStream random(seed, 2);
    for (int t = 0; t < 24; ++t) {
      const double share = t < 12 ? 0 : 0.3 * std::min(1.0, (t - 11) / 4.0);
      std::vector<double> exposure(6, share / 3);
      std::fill_n(exposure.begin(), 3, (1 - share) / 3);
      const RoundReport report =
          round_of(*memory, messages_of(devices(3, 34, 0.8, exposure), xi, kDim, random));
      if (t == 11) CHECK(memory->count() == 3);
      if (t < 12 && t > 0) CHECK(report.novelty < 0.05);
      if (t == 13) CHECK(memory->count() == 6);
      const std::vector<double> m = overlaps_with(*memory, news);
      const double mean = (m[0] + m[1] + m[2]) / 3;
      if (t == 12) {
        CHECK(report.novelty > 0.02);
        const auto found = static_cast<double>(report.added);
        first += found / kTrials;
        for (const double x : m) first_m += x > 0.5 ? x : 0;
        second -= found / kTrials;
      }
      if (t == 13) {
        second += (static_cast<double>(memory->count()) - 3) / kTrials;
        second_m += mean / kTrials;
      }
      if (t == 23) CHECK(least(m) > 0.99);
      CHECK(least(overlaps_with(*memory, old)) >= 0.998);
    }
  }
  CHECK(first >= 2.5);  // 3 less those of which no example was drawn, one in thirteen
  CHECK(first_m / (first * kTrials) >= 0.85);
  CHECK(second_m >= 0.97);
}

// L = 5, one of pure noise, r = 0.9, N = 1000; few and many examples.
TEST_CASE("attacker: m = 1.000 in every round, under every controller") {
  const std::vector<int8_t> xi = random_archetypes(3, 1000, 3);
  for (const size_t samples : {16, 160}) {
    for (const Controller rule :
         {Controller::kFixed, Controller::kEntropy, Controller::kTrust, Controller::kSpectral}) {
      const auto memory = memory_of(options_of(1000, rule));
      RandomStream random(samples, 3);
      std::vector<Device> clients = devices(5, samples, 0.9, {1 / 3.0, 1 / 3.0, 1 / 3.0});
      clients[4].quality = 0;
      RoundReport report;
      for (int t = 0; t < (samples == 16 ? 10 : 2); ++t) {
        report = round_of(*memory, messages_of(clients, xi, 1000, random));
        CHECK(memory->count() == 3);
        CHECK(least(overlaps_with(*memory, xi)) >= 0.9995);
      }
      // The rules tell the attacker from the others in opposite ways (section 1.8).
      if (rule == Controller::kEntropy) CHECK(report.plasticity[4] > report.plasticity[0]);
      if (rule == Controller::kTrust) CHECK(report.plasticity[4] < 0.7 * report.plasticity[0]);
    }
  }
}

// N = 400, L = K = 3, M_c = 400, w = 0.6. The paper's server fails at r = 0.2.
TEST_CASE("cooperative: m = 1.000 and K^ = 3 for good, unequal and poor clients") {
  for (const std::vector<double>& quality :
       {std::vector<double>{0.8, 0.8, 0.8}, {0.8, 0.2, 0.2}, {0.2, 0.2, 0.2}}) {
    const std::vector<int8_t> xi = random_archetypes(3, 400, 5);
    const auto memory = memory_of(options_of(400, Controller::kFixed, 0.6));
    std::vector<Device> clients = devices(3, 400, 0, {1 / 3.0, 1 / 3.0, 1 / 3.0});
    for (size_t c = 0; c < 3; ++c) clients[c].quality = quality[c];
    RandomStream random(5, 4);
    for (int t = 0; t < 2; ++t) {
      const RoundReport report = round_of(*memory, messages_of(clients, xi, 400, random));
      CHECK(memory->count() == 3);
      CHECK(report.detected == 3);
      if (t > 0) CHECK(least(overlaps_with(*memory, xi)) == 1);
    }
  }
}

// Section 2, messages: near the threshold (N = 784, L = 10, M_c = 200, K = 8, r = 0.12) the exact sum gives m
// .79, messages of rank 64 .72.
TEST_CASE("weak signals are found in products as well as the theory allows, and expected to be so") {
  constexpr size_t kDim = 784;
  const std::vector<int8_t> xi = random_archetypes(8, kDim, 1);
  RandomStream random(1, 5);
  const std::vector<Device> clients = devices(10, 200, 0.12, std::vector<double>(8, 0.125));
  std::vector<std::vector<int8_t>> examples;
  std::vector<Term> terms;
  std::vector<ProductClient> summaries;
  for (const Device& client : clients) {
    examples.push_back(support::seen_by(client, xi, kDim, random));
    summaries.push_back({.client = client.name, .sample_count = 200});
  }
  for (const std::vector<int8_t>& rows : examples) {
    terms.push_back({.rows = support::as_rows(rows, kDim), .scale = 1 / 2000.0, .row_weights = {}});
  }
  const auto memory = memory_of(options_of(kDim));
  const Result<RoundReport> report = memory->round_of_products(summaries, SumOperator(kDim, terms), 0, {});
  REQUIRE(report.ok());
  const std::vector<double> m = overlaps_with(*memory, xi);
  double mean = 0;
  double expected = 0;
  for (const double x : m) mean += x / 8;
  for (const double x : report.value().overlaps) expected += x / 8;
  CHECK(memory->count() == 8);
  CHECK(std::abs(mean - 0.79) < 0.03);
  CHECK(std::abs(expected - mean) < 0.04);
}

// --- what a round promises --------------------------------------------------------------------------------

struct Small {
  static constexpr size_t kDim = 200;
  explicit Small(uint64_t seed = 1) : xi(random_archetypes(2, kDim, seed)), random(seed, 9) {}
  Messages messages(size_t count = 4, double quality = 0.7) {
    return messages_of(devices(count, 50, quality, {0.5, 0.5}), xi, kDim, random);
  }
  std::vector<int8_t> xi;
  RandomStream random;
};

bool same_state(const FederatedMemory& a, const FederatedMemory& b) {
  const auto x = a.state();
  const auto y = b.state();
  return x->archetypes == y->archetypes && x->evidence == y->evidence && x->overlaps == y->overlaps &&
         x->by_name == y->by_name && x->rounds == y->rounds && x->last_seen == y->last_seen;
}

TEST_CASE("the same bits for any number of threads and any order of clients that have names") {
  for (const Controller rule : {Controller::kFixed, Controller::kEntropy, Controller::kSpectral}) {
    FederatedOptions options = options_of(Small::kDim, rule);
    options.weights = WeightRule::kMaximin;
    options.replicate = rule == Controller::kFixed;
    const auto one = memory_of(options);
    const auto other = memory_of(options);
    Small given;
    for (int t = 0; t < 3; ++t) {
      Messages messages = given.messages(5, 0.35);  // little enough for no evidence to be at its bound
      Messages turned = messages;
      std::rotate(turned.begin(), turned.begin() + 2 + t, turned.end());
      std::swap(turned[0], turned[3]);
      runtime::Parallel single;
      single.max_threads = 1;
      const Result<RoundReport> a = one->round(stream_of(messages), single);
      runtime::Parallel many;
      many.max_threads = 4;
      const Result<RoundReport> b = other->round(stream_of(turned), many);
      REQUIRE(a.ok());
      REQUIRE(b.ok());
      CHECK(a.value().eigenvalues == b.value().eigenvalues);
      CHECK(a.value().novelty == b.value().novelty);
      CHECK(same_state(*one, *other));
    }
    CHECK(one->count() == 2);
  }
}

TEST_CASE("a message that cannot be used is rejected alone, and the round goes on as without it") {
  Small given;
  const auto clean = memory_of(options_of(Small::kDim));
  const auto attacked = memory_of(options_of(Small::kDim));
  const Messages messages = given.messages();
  HebbianOperator broken = messages[0];
  broken.client = "broken";
  broken.eigenvalues[0] = std::nan("");
  HebbianOperator copy = messages[1];
  copy.client = "zoe";
  std::vector<ClientMessage> arrivals;
  arrivals.push_back({0, "x", std::vector<std::byte>(17)});
  for (size_t i = 0; i < messages.size(); ++i) {
    arrivals.push_back({i + 1, "", to_bytes(messages[i]).value()});
  }
  arrivals.push_back({5, "", broken});
  arrivals.push_back({6, "", copy});
  size_t at = 0;
  const Result<RoundReport> report = attacked->round(
      [&]() -> Result<std::optional<ClientMessage>> {
        if (at == arrivals.size()) return std::optional<ClientMessage>();
        return std::optional<ClientMessage>(std::move(arrivals[at++]));
      },
      {});
  REQUIRE(report.ok());
  round_of(*clean, messages);
  CHECK(same_state(*clean, *attacked));
  CHECK(report.value().client_weights == std::vector<double>{0, 0.25, 0.25, 0.25, 0.25, 0, 0});
  CHECK(report.value().plasticity == std::vector<double>{0, 1, 1, 1, 1, 0, 0});
  REQUIRE(report.value().rejected_clients.size() == 3);
  CHECK(report.value().rejected_clients[0].client == "x");
  CHECK(report.value().rejected_clients[1].client == "broken");
  CHECK(report.value().rejected_clients[2].reason == "the same message as client 'client 1'");
}

TEST_CASE("when all are rejected, or there are none, the memory stays and the round is counted") {
  Small given;
  const auto memory = memory_of(options_of(Small::kDim));
  round_of(*memory, given.messages());
  const auto before = memory->state();
  Messages bad = given.messages(2);
  for (HebbianOperator& message : bad) message.sample_count = 0;
  RoundReport report = round_of(*memory, bad);
  CHECK(report.round == 2);
  CHECK(report.rejected_clients.size() == 2);
  CHECK(report.client_weights == std::vector<double>{0, 0});
  CHECK(report.eigenvalues.empty());
  CHECK(report.overlaps == before->overlaps);
  CHECK(memory->state()->archetypes == before->archetypes);
  CHECK(memory->state()->evidence == before->evidence);
  report = round_of(*memory, {});
  CHECK(report.round == 3);
  CHECK(report.client_weights.empty());
  CHECK(memory->count() == 2);
}

TEST_CASE("clients that are all the same count once") {
  Small given;
  const auto memory = memory_of(options_of(Small::kDim));
  const Messages one = given.messages(1);
  const RoundReport report = round_of(*memory, {one[0], one[0], one[0]});
  CHECK(report.client_weights == std::vector<double>{1, 0, 0});
  CHECK(report.rejected_clients.size() == 2);
  CHECK(memory->count() == 2);
}

TEST_CASE("only clients of noise, or none with enough examples: nothing is detected") {
  const std::vector<int8_t> xi = random_archetypes(1, 300, 1);
  const auto memory = memory_of(options_of(300));
  RandomStream random(3, 1);
  const RoundReport report = round_of(*memory, messages_of(devices(3, 60, 0, {1}), xi, 300, random));
  CHECK(report.detected == 0);
  CHECK(report.eigenvalues.size() == 2);
  CHECK(report.added == 0);
  CHECK(report.novelty == 0);
  CHECK(memory->count() == 0);
  CHECK(memory->archetypes().empty());
  // An empty memory recalls nothing.
  const std::vector<float> cue(300, 1);
  std::vector<int8_t> states(300);
  int32_t index = 7;
  CHECK(memory
            ->retrieve({cue.data(), 1, 300}, {}, {.states = states.data(), .index = &index},
                       [] { return true; })
            .ok());
  CHECK(index == -1);
}

TEST_CASE("one archetype with all the exposure is one archetype, without noise too") {
  for (const double quality : {0.5, 1.0}) {
    const std::vector<int8_t> xi = random_archetypes(1, 300, 2);
    const auto memory = memory_of(options_of(300));
    RandomStream random(4, 1);
    for (int t = 0; t < 3; ++t) {
      Messages messages;
      for (const Device& device : devices(3, quality < 1 ? 40 : 40 + static_cast<size_t>(t), quality, {1})) {
        messages.push_back(support::message_of(device, xi, 300, random));
      }
      round_of(*memory, messages);
      CHECK(memory->count() == 1);
      CHECK(overlaps_with(*memory, xi)[0] == 1);
    }
  }
}

TEST_CASE("an even number of archetypes is learnt under every controller") {
  const std::vector<int8_t> xi = random_archetypes(4, 300, 8);
  for (const Controller rule :
       {Controller::kFixed, Controller::kEntropy, Controller::kTrust, Controller::kSpectral}) {
    const auto memory = memory_of(options_of(300, rule));
    RandomStream random(5, 1);
    for (int t = 0; t < 4; ++t) {
      round_of(*memory, messages_of(devices(3, 100, 0.8, {0.25, 0.25, 0.25, 0.25}), xi, 300, random));
    }
    CHECK(memory->count() == 4);
    CHECK(least(overlaps_with(*memory, xi)) == 1);
  }
}

TEST_CASE("a round that is aborted, or whose stream fails, changes nothing") {
  Small given;
  FederatedOptions options = options_of(Small::kDim, Controller::kTrust);
  const auto memory = memory_of(options);
  const auto twin = memory_of(options);
  const Messages first = given.messages();
  const Messages second = given.messages();
  round_of(*memory, first);
  round_of(*twin, first);

  // Stopped after so many questions, until it is no more.
  int allowed = 0;
  while (true) {
    int asked = 0;
    runtime::Parallel parallel;
    parallel.max_threads = 1;
    parallel.keep_going = [&] { return ++asked <= allowed; };
    const Result<RoundReport> report = memory->round(stream_of(second), parallel);
    if (report.ok()) break;
    CHECK(report.status().code() == StatusCode::kAborted);
    CHECK(same_state(*memory, *twin));
    allowed += 1 + allowed / 4;
  }
  CHECK(allowed > 3);
  size_t given_so_far = 0;
  const Result<RoundReport> failed = twin->round(
      [&]() -> Result<std::optional<ClientMessage>> {
        if (given_so_far == 2) return Status(StatusCode::kIo, "the connection broke");
        const size_t position = given_so_far++;
        return std::optional<ClientMessage>({position, "", second[position]});
      },
      {});
  CHECK(failed.status().code() == StatusCode::kIo);
  CHECK(twin->rounds() == 1);
  round_of(*twin, second);
  CHECK(same_state(*memory, *twin));
}

TEST_CASE("messages beyond the budget are sketched as they come, and the memory is as good") {
  Small given;
  FederatedOptions options = options_of(Small::kDim);
  options.gathering.budget = size_t{3} * 49 * Small::kDim * sizeof(float);
  options.gathering.sketch_rank = 60;
  options.weights = WeightRule::kSize;
  for (const bool replicate : {false, true}) {
    options.replicate = replicate;
    const auto memory = memory_of(options);
    for (int t = 0; t < 2; ++t) {
      const RoundReport report = round_of(*memory, given.messages(20));
      CHECK(report.discarded_trace > 0);
      CHECK(report.client_weights[7] == doctest::Approx(0.05));
      CHECK(memory->count() == 2);
      CHECK(least(overlaps_with(*memory, given.xi)) > 0.99);
    }
  }
  options.weights = WeightRule::kMaximin;
  const auto memory = memory_of(options);
  CHECK(memory->round(stream_of(given.messages(20)), {}).status().code() == StatusCode::kRange);
  CHECK(memory->rounds() == 0);
}

TEST_CASE("the scale of a client's examples does not count") {
  Small given;
  const Messages messages = given.messages();
  Messages scaled = messages;
  scaled[1].trace *= 9;
  for (double& value : scaled[1].eigenvalues) value *= 9;
  const auto one = memory_of(options_of(Small::kDim));
  const auto other = memory_of(options_of(Small::kDim));
  const RoundReport a = round_of(*one, messages);
  const RoundReport b = round_of(*other, scaled);
  for (size_t k = 0; k < a.eigenvalues.size(); ++k) {
    CHECK(a.eigenvalues[k] == doctest::Approx(b.eigenvalues[k]).epsilon(1e-5));
  }
  CHECK(one->archetypes() == other->archetypes());
}

TEST_CASE("given weights count, also where all those who came have none") {
  Small given;
  FederatedOptions options = options_of(Small::kDim);
  options.given_weights = {0, 3, 1};
  const auto memory = memory_of(options);
  CHECK(round_of(*memory, given.messages(3)).client_weights == std::vector<double>{0, 0.75, 0.25});
  const auto nobody = memory_of(options);
  const RoundReport report = round_of(*nobody, given.messages(1));
  CHECK(report.client_weights == std::vector<double>{0});
  CHECK(report.eigenvalues.empty());
  CHECK(nobody->count() == 0);
}

// --- split halves -----------------------------------------------------------------------------------------

TEST_CASE("replication keeps what all clients share, and drops what only one of them sees") {
  constexpr size_t kDim = 300;
  const std::vector<int8_t> xi = random_archetypes(2, kDim, 4);
  for (const bool replicate : {false, true}) {
    FederatedOptions options = options_of(kDim);
    options.replicate = replicate;
    const auto memory = memory_of(options);
    RandomStream random(6, 1);
    std::vector<Device> clients = devices(4, 100, 0.7, {1, 0});
    clients[2].exposure = {0.5, 0.5};
    const RoundReport report = round_of(*memory, messages_of(clients, xi, kDim, random));
    CHECK(report.detected == (replicate ? 1 : 2));
    CHECK(memory->count() == (replicate ? 1 : 2));
    CHECK(overlaps_with(*memory, xi)[0] > 0.99);
  }
}

TEST_CASE("nothing can replicate where there is one client only") {
  Small given;
  FederatedOptions options = options_of(Small::kDim);
  options.replicate = true;
  const auto memory = memory_of(options);
  const RoundReport report = round_of(*memory, given.messages(1));
  CHECK(report.detected == 0);
  CHECK(memory->count() == 0);
}

// --- products ---------------------------------------------------------------------------------------------

// The sum of whole operators and those messages.
struct Products {
  // The messages must live as long.
  explicit Products(const Messages& messages, size_t dim) {
    for (const HebbianOperator& message : messages) {
      weights.push_back(message.row_weights());
      summaries.push_back({.client = message.client,
                           .sample_count = message.sample_count,
                           .noise_variance = message.noise_variance,
                           .quality = message.quality});
    }
    const double share = 1 / static_cast<double>(messages.size());
    double rest = 0;
    for (size_t c = 0; c < messages.size(); ++c) {
      terms.push_back({.rows = messages[c].rows(), .scale = share, .row_weights = weights[c]});
      rest += share * messages[c].rest();
    }
    sum = std::make_unique<SumOperator>(dim, terms, rest);
  }
  std::vector<ProductClient> summaries;
  std::vector<std::vector<double>> weights;
  std::vector<Term> terms;
  std::unique_ptr<SumOperator> sum;
};

TEST_CASE("products of the sum lead where the messages lead") {
  Small given;
  const auto by_messages = memory_of(options_of(Small::kDim));
  const auto by_products = memory_of(options_of(Small::kDim));
  for (int t = 0; t < 3; ++t) {
    const Messages messages = given.messages();
    const RoundReport a = round_of(*by_messages, messages);
    const Products products(messages, Small::kDim);
    const Result<RoundReport> b = by_products->round_of_products(products.summaries, *products.sum, 0, {});
    REQUIRE(b.ok());
    CHECK(b.value().edge == doctest::Approx(a.edge));
    for (size_t k = 0; k < a.eigenvalues.size(); ++k) {
      CHECK(b.value().eigenvalues[k] == doctest::Approx(a.eigenvalues[k]).epsilon(1e-4));
    }
    CHECK(b.value().client_weights == a.client_weights);
    CHECK(b.value().plasticity == a.plasticity);
    CHECK(by_products->archetypes() == by_messages->archetypes());
  }
}

TEST_CASE("controllers judge the sum of products, smoothed over rounds") {
  Small given;
  const auto memory = memory_of(options_of(Small::kDim, Controller::kEntropy));
  double last = 1;
  for (int t = 0; t < 4; ++t) {
    const Messages messages = given.messages();
    const Products products(messages, Small::kDim);
    const Result<RoundReport> report = memory->round_of_products(products.summaries, *products.sum, 0, {});
    REQUIRE(report.ok());
    const double w = report.value().plasticity[0];
    CHECK(report.value().plasticity == std::vector<double>(4, w));
    CHECK((t == 0 ? w == 1 : w == doctest::Approx(0.6 * last).epsilon(0.05)));  // nothing is new
    last = w;
  }
  CHECK(memory->state()->of_sums == last);
}

TEST_CASE("noise that was added for privacy raises the edge") {
  Small given;
  const auto memory = memory_of(options_of(Small::kDim));
  const auto noisy = memory_of(options_of(Small::kDim));
  const Messages messages = given.messages();
  const Products products(messages, Small::kDim);
  const RoundReport without = memory->round_of_products(products.summaries, *products.sum, 0, {}).value();
  const RoundReport with = noisy->round_of_products(products.summaries, *products.sum, 3, {}).value();
  CHECK(with.edge > 2 * 3 * std::sqrt(Small::kDim));
  CHECK(without.edge < 10);
  CHECK(with.detected == 0);
  CHECK(without.detected == 2);
}

TEST_CASE("summaries and products that cannot be are refused, and change nothing") {
  Small given;
  const auto memory = memory_of(options_of(Small::kDim));
  const Messages messages = given.messages();
  const Products products(messages, Small::kDim);
  const auto code = [&](const std::vector<ProductClient>& clients, double noise = 0) {
    return memory->round_of_products(clients, *products.sum, noise, {}).status().code();
  };
  CHECK(code({}) == StatusCode::kRange);
  CHECK(code(products.summaries, -1) == StatusCode::kRange);
  CHECK(code(products.summaries, std::nan("")) == StatusCode::kNonFinite);
  const auto with = [&](const std::function<void(ProductClient&)>& change) {
    std::vector<ProductClient> clients = products.summaries;
    change(clients[1]);
    return code(clients);
  };
  CHECK(with([](ProductClient& c) { c.sample_count = 0; }) == StatusCode::kRange);
  CHECK(with([](ProductClient& c) { c.noise_variance = 1.5; }) == StatusCode::kRange);
  CHECK(with([](ProductClient& c) { c.quality = -0.1; }) == StatusCode::kRange);
  CHECK(with([](ProductClient& c) { c.weight = -1; }) == StatusCode::kRange);
  CHECK(with([](ProductClient& c) { c.weight = std::nan(""); }) == StatusCode::kNonFinite);
  std::vector<ProductClient> weightless = products.summaries;
  for (ProductClient& client : weightless) client.weight = 0;
  CHECK(code(weightless) == StatusCode::kRange);
  const std::vector<double> small(16, 1);
  CHECK(
      memory->round_of_products(products.summaries, DenseOperator(small.data(), 4), 0, {}).status().code() ==
      StatusCode::kShape);
  std::vector<double> broken(Small::kDim * Small::kDim, 0);
  broken[5] = std::numeric_limits<double>::infinity();
  CHECK(memory->round_of_products(products.summaries, DenseOperator(broken.data(), Small::kDim), 0, {})
            .status()
            .code() == StatusCode::kNonFinite);
  CHECK(memory->rounds() == 0);
  FederatedOptions options = options_of(Small::kDim);
  options.replicate = true;
  CHECK(memory_of(options)->round_of_products(products.summaries, *products.sum, 0, {}).status().code() ==
        StatusCode::kRange);
}

// --- the memory itself ------------------------------------------------------------------------------------

TEST_CASE("options out of range are refused by name") {
  const auto refused = [](const std::function<void(FederatedOptions&)>& change, StatusCode code,
                          const std::string& name) {
    FederatedOptions options = options_of(100);
    change(options);
    const Status status = FederatedMemory::create(options).status();
    CHECK(status.code() == code);
    CAPTURE(status.message());
    CHECK(status.message().find(name) != std::string::npos);
  };
  refused([](FederatedOptions& o) { o.dim = 0; }, StatusCode::kRange, "dim");
  refused([](FederatedOptions& o) { o.dim = 1; }, StatusCode::kRange, "dim");
  refused([](FederatedOptions& o) { o.dim = size_t{1} << 31; }, StatusCode::kRange, "dim");
  refused([](FederatedOptions& o) { o.false_alarm = 0; }, StatusCode::kRange, "false_alarm");
  refused([](FederatedOptions& o) { o.false_alarm = std::nan(""); }, StatusCode::kNonFinite, "false_alarm");
  refused([](FederatedOptions& o) { o.controller.plasticity = 1.1; }, StatusCode::kRange, "plasticity");
  refused([](FederatedOptions& o) { o.controller.smoothing = 0; }, StatusCode::kRange, "smoothing");
  refused([](FederatedOptions& o) { o.most_archetypes = 0; }, StatusCode::kRange, "most_archetypes");
  refused([](FederatedOptions& o) { o.gathering.sketch_rank = 0; }, StatusCode::kRange, "sketch_rank");
  refused([](FederatedOptions& o) { o.given_weights = {1, -1}; }, StatusCode::kRange, "weights[1]");
  refused([](FederatedOptions& o) { o.given_weights = {0, 0}; }, StatusCode::kRange, "weights");
  CHECK(FederatedMemory::create(options_of(2)).ok());
}

TEST_CASE("a damaged cue leads to its archetype") {
  Small given;
  const auto memory = memory_of(options_of(Small::kDim));
  round_of(*memory, given.messages());
  std::vector<float> cue;
  for (size_t n = 0; n < Small::kDim; ++n) cue.push_back(n % 3 == 0 ? 0.0F : given.xi[n]);
  std::vector<int8_t> states(Small::kDim);
  double overlap = 0;
  RecallOutputs out{.states = states.data(), .overlap = &overlap};
  REQUIRE(memory->retrieve({cue.data(), 1, Small::kDim}, {}, out, [] { return true; }).ok());
  CHECK(std::abs(overlap) == 1);
  const std::vector<int8_t> first(given.xi.begin(), given.xi.begin() + Small::kDim);
  CHECK(states == first);
  CHECK(memory->retrieve({cue.data(), 1, 50}, {}, out, [] { return true; }).code() == StatusCode::kShape);
  CHECK(memory->native_bytes() >= 2 * Small::kDim * 5);
}

}  // namespace
}  // namespace engram::spectral
