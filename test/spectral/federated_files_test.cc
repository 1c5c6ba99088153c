// Files of federated memories: closing and opening one changes nothing, and what is damaged is refused.
#include "spectral/federated_files.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "support/archetypes.h"
#include "support/federation.h"
#include "support/temporary_folder.h"

namespace engram::spectral {
namespace {

using support::Device;
using support::random_archetypes;

constexpr size_t kDim = 203;  // no whole number of bytes of bits

std::shared_ptr<FederatedMemory> memory_with(Controller rule) {
  FederatedOptions options;
  options.dim = kDim;
  options.controller.rule = rule;
  options.unmixing = UnmixingMethod::kSignProjection;
  options.seed = (uint64_t{1} << 63) + 5;
  options.false_alarm = 0.1;
  options.forget_after = 9;
  return FederatedMemory::create(options).value();
}

// Two clients with names and one without.
void learn(FederatedMemory& memory, uint64_t round) {
  RandomStream random(17, round);
  const std::vector<int8_t> xi = random_archetypes(2, kDim, 17);
  const std::vector<Device> devices = {
      {60, 0.35, {0.5, 0.5}, "north"}, {50, 0.4, {0.3, 0.7}, "south"}, {40, 0.35, {0.5, 0.5}, ""}};
  const Result<RoundReport> report =
      memory.round(support::stream_of(support::messages_of(devices, xi, kDim, random)), {});
  REQUIRE_MESSAGE(report.ok(), report.status().message());
}

bool has_same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

void check_same(const FederatedMemory& a, const FederatedMemory& b) {
  const auto x = a.state();
  const auto y = b.state();
  CHECK(x->rounds == y->rounds);
  CHECK(x->archetypes == y->archetypes);
  CHECK(x->evidence == y->evidence);
  CHECK(has_same_bits(x->overlaps, y->overlaps));
  CHECK(x->first_seen == y->first_seen);
  CHECK(x->last_seen == y->last_seen);
  CHECK(x->by_name == y->by_name);
  CHECK(x->by_position == y->by_position);
}

TEST_CASE("a memory that is closed and opened after every round goes on as one that never was") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("memory");
  for (const Controller rule : {Controller::kFixed, Controller::kEntropy, Controller::kSpectral}) {
    const auto open = memory_with(rule);
    std::shared_ptr<FederatedMemory> reopened = memory_with(rule);
    for (uint64_t round = 0; round < 4; ++round) {
      learn(*open, round);
      learn(*reopened, round);
      REQUIRE(save_federated(*reopened, path, {{"season", "winter"}}).ok());
      Result<OpenedFederated> opened = open_federated(path, /*verify=*/true);
      REQUIRE_MESSAGE(opened.ok(), opened.status().message());
      CHECK(opened.value().metadata == std::map<std::string, std::string>{{"season", "winter"}});
      reopened = opened.value().memory;
      check_same(*open, *reopened);
    }
    CHECK(open->count() == 2);
    CHECK(reopened->options().seed == (uint64_t{1} << 63) + 5);
    CHECK(reopened->options().forget_after == 9);
  }
}

TEST_CASE("an empty memory is a file too") {
  const testing::TemporaryFolder folder;
  const auto empty = memory_with(Controller::kTrust);
  REQUIRE(save_federated(*empty, folder.file("memory"), {}).ok());
  const Result<OpenedFederated> opened = open_federated(folder.file("memory"), /*verify=*/true);
  REQUIRE(opened.ok());
  CHECK(opened.value().memory->count() == 0);
  CHECK(opened.value().memory->options().controller.rule == Controller::kTrust);
}

TEST_CASE("a file that ends early or whose tensors were changed is refused, and not found is kIo") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("memory");
  const auto memory = memory_with(Controller::kEntropy);
  learn(*memory, 0);
  REQUIRE(save_federated(*memory, path, {}).ok());
  const std::string bytes = testing::read_file(path);
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  for (size_t end = 0; end < bytes.size(); end += 37) {
    testing::write_file(path, bytes.substr(0, end));
    CHECK(open_federated(path, /*verify=*/true).status().code() == StatusCode::kFormat);
  }
  for (size_t at = sizeof header + header; at < bytes.size(); at += 11) {
    std::string changed = bytes;
    changed[at] ^= 1;
    testing::write_file(path, changed);
    CHECK(open_federated(path, /*verify=*/true).status().code() == StatusCode::kFormat);
  }
  CHECK(open_federated(folder.file("nothing"), /*verify=*/true).status().code() == StatusCode::kIo);
}

}  // namespace
}  // namespace engram::spectral
