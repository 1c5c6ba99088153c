#include "transport/files.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "storage/safetensors.h"
#include "support/reference.h"
#include "support/temporary_folder.h"

namespace engram::transport {
namespace {

using storage::Dtype;
using storage::TensorSource;
using testing::TemporaryFolder;

// Clouds of 1, 6 and 13 points in three dimensions; an odd number of floats.
std::shared_ptr<const Clouds> random_clouds() {
  const std::vector<float> points = reference::random_floats(20 * 3, 1);
  std::vector<float> weights = reference::random_floats(20, 2);
  for (float& weight : weights) weight = std::abs(weight);
  const uint32_t offsets[] = {0, 1, 7, 20};
  return std::move(Clouds::create({.points = points.data(),
                                   .weights = weights.data(),
                                   .offsets = offsets,
                                   .count = 3,
                                   .dim = 3}))
      .value();
}

std::shared_ptr<MeasureMemory> random_memory(std::vector<float> log_prior = {}) {
  // Neither number has a short decimal.
  return std::move(MeasureMemory::create(random_clouds(), {.epsilon = 0.1 / 3, .cost_scale = std::sqrt(2.0)},
                                         std::move(log_prior)))
      .value();
}

template <typename T>
bool same_bits(std::span<const T> a, std::span<const T> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

TEST_CASE("a memory of measures is opened as it was saved, to the last bit") {
  const TemporaryFolder folder;
  for (const std::vector<float>& log_prior : {std::vector<float>{}, {0.1F, -1e30F, 1e-40F}}) {
    const auto memory = random_memory(log_prior);
    REQUIRE(save_measures(*memory, folder.file("m"), {{"name", "test"}}).ok());
    Result<OpenedMeasures> result = open_measures(folder.file("m"), true);
    REQUIRE_MESSAGE(result.ok(), result.status().message());
    const OpenedMeasures& opened = result.value();
    CHECK(opened.metadata == std::map<std::string, std::string>{{"name", "test"}});
    CHECK(opened.mapped_bytes == testing::read_file(folder.file("m")).size());
    const Clouds& before = memory->clouds();
    const Clouds& after = opened.memory->clouds();
    CHECK(after.dim() == 3);
    CHECK(same_bits(after.offsets(), before.offsets()));
    CHECK(same_bits(after.weights(), before.weights()));
    CHECK(same_bits(after.points(), before.points()));
    CHECK(same_bits(opened.memory->log_prior(), memory->log_prior()));
    CHECK(opened.memory->epsilon() == 0.1 / 3);
    CHECK(opened.memory->cost_scale() == std::sqrt(2.0));
    // Points stay in the file.
    CHECK(after.native_bytes() == before.native_bytes() - before.points().size_bytes());
  }
}

TEST_CASE("a relative epsilon is saved as what it came to") {
  const TemporaryFolder folder;
  const auto memory =
      std::move(MeasureMemory::create(random_clouds(), {.epsilon = 0.05, .relative = true})).value();
  REQUIRE(save_measures(*memory, folder.file("m"), {}).ok());
  Result<OpenedMeasures> opened = open_measures(folder.file("m"), true);
  REQUIRE_MESSAGE(opened.ok(), opened.status().message());
  CHECK(opened.value().memory->epsilon() == memory->epsilon());
  CHECK(memory->epsilon() == 0.05 * mean_cost(memory->clouds(), 0.5));
}

TEST_CASE("saving over a file that is open, from what is open, leaves both whole") {
  const TemporaryFolder folder;
  REQUIRE(save_measures(*random_memory(), folder.file("m"), {}).ok());
  const OpenedMeasures first = std::move(open_measures(folder.file("m"), false)).value();
  REQUIRE(save_measures(*first.memory, folder.file("m"), {{"again", "yes"}}).ok());
  const OpenedMeasures second = std::move(open_measures(folder.file("m"), true)).value();
  CHECK(second.metadata.at("again") == "yes");
  CHECK(same_bits(first.memory->clouds().points(), second.memory->clouds().points()));
  CHECK(same_bits(first.memory->clouds().points(), random_clouds()->points()));
}

TEST_CASE("a caller's entries do not pass for engram's own") {
  const TemporaryFolder folder;
  REQUIRE(
      save_measures(*random_memory(), folder.file("m"), {{"engram.epsilon", "7"}, {"engram.kind", "dense"}})
          .ok());
  Result<OpenedMeasures> opened = open_measures(folder.file("m"), true);
  REQUIRE_MESSAGE(opened.ok(), opened.status().message());
  CHECK(opened.value().memory->epsilon() == 0.1 / 3);
  CHECK(opened.value().metadata.empty());
}

TEST_CASE("a cancelled save leaves the old file and nothing else") {
  const TemporaryFolder folder;
  testing::write_file(folder.file("m"), "old");
  uint64_t all = 0;
  const Status status =
      save_measures(*random_memory(), folder.file("m"), {}, [&](uint64_t done, uint64_t total) {
        all = total;
        return done == 0;
      });
  CHECK(status.code() == StatusCode::kAborted);
  CHECK(all == 20 * 3 * sizeof(float) + 20 * sizeof(double) + 4 * sizeof(uint32_t));
  CHECK(testing::read_file(folder.file("m")) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a changed byte is found when the file is verified") {
  const TemporaryFolder folder;
  REQUIRE(save_measures(*random_memory({1, 2, 3}), folder.file("m"), {}).ok());
  std::string text = testing::read_file(folder.file("m"));
  text.back() ^= 1;  // the sign or exponent of a prior
  testing::write_file(folder.file("m"), text);
  CHECK(open_measures(folder.file("m"), false).ok());
  const Status status = open_measures(folder.file("m"), true).status();
  CHECK(status.code() == StatusCode::kFormat);
  CHECK(status.message().find("'log_prior'") != std::string::npos);
}

// The parts of a good file; a test spoils one of them.
struct Parts {
  std::vector<double> weights = {0.25, 0.75, 1};
  std::vector<float> points = {1, 2, 3, 4, 5, 6};
  std::vector<uint32_t> offsets = {0, 2, 3};
  std::vector<float> log_prior;
  std::vector<uint64_t> points_shape = {3, 2};
  Dtype weights_dtype = Dtype::kF64;
  std::string left_out;
  std::map<std::string, std::string> metadata = {{"engram.kind", "measures"},
                                                 {"engram.version", "1"},
                                                 {"engram.epsilon", "0.1"},
                                                 {"engram.cost_scale", "0.5"}};

  void write(const std::string& path) const {
    const std::span<const std::byte> weight_bytes = std::as_bytes(std::span(weights));
    const std::vector<TensorSource> all = {
        {"weights", weights_dtype, {weight_bytes.size() / dtype_bytes(weights_dtype)}, {weight_bytes}},
        {"points", Dtype::kF32, points_shape, {std::as_bytes(std::span(points))}},
        {"offsets", Dtype::kU32, {offsets.size()}, {std::as_bytes(std::span(offsets))}},
        {"log_prior", Dtype::kF32, {log_prior.size()}, {std::as_bytes(std::span(log_prior))}}};
    std::vector<TensorSource> kept;
    for (const TensorSource& tensor : all) {
      if (tensor.name == left_out || (tensor.name == "log_prior" && log_prior.empty())) continue;
      kept.push_back(tensor);
    }
    REQUIRE(storage::write_safetensors(path, kept, metadata, true).ok());
  }
};

TEST_CASE("a file laid out by hand is opened") {
  const TemporaryFolder folder;
  Parts parts;
  parts.log_prior = {-1, 2};
  parts.metadata.erase("engram.kind");  // another program may leave these out
  parts.metadata.erase("engram.version");
  parts.write(folder.file("x"));
  Result<OpenedMeasures> opened = open_measures(folder.file("x"), true);
  REQUIRE_MESSAGE(opened.ok(), opened.status().message());
  const MeasureMemory& memory = *opened.value().memory;
  CHECK(memory.clouds().count() == 2);
  CHECK(memory.clouds().dim() == 2);
  CHECK(memory.clouds()[1].points[1] == 6);
  CHECK(memory.log_prior()[1] == 2);
  CHECK(memory.epsilon() == 0.1);
}

TEST_CASE("files that are no memory of measures are refused, naming the file and what is wrong") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  struct Case {
    const char* says;
    void (*spoil)(Parts& parts);
  };
  const Case cases[] = {
      {"no tensor 'points'", [](Parts& p) { p.left_out = "points"; }},
      {"no tensor 'weights'", [](Parts& p) { p.left_out = "weights"; }},
      {"no tensor 'offsets'", [](Parts& p) { p.left_out = "offsets"; }},
      {"kind 'dense', not 'measures'", [](Parts& p) { p.metadata["engram.kind"] = "dense"; }},
      {"version '2'", [](Parts& p) { p.metadata["engram.version"] = "2"; }},
      {"no number 'engram.epsilon'", [](Parts& p) { p.metadata.erase("engram.epsilon"); }},
      {"no number 'engram.epsilon'", [](Parts& p) { p.metadata["engram.epsilon"] = "0.1 "; }},
      {"no number 'engram.cost_scale'", [](Parts& p) { p.metadata.erase("engram.cost_scale"); }},
      {"epsilon is 0", [](Parts& p) { p.metadata["engram.epsilon"] = "0"; }},
      {"epsilon is -1", [](Parts& p) { p.metadata["engram.epsilon"] = "-1"; }},
      {"epsilon is nan", [](Parts& p) { p.metadata["engram.epsilon"] = "nan"; }},
      {"epsilon is inf", [](Parts& p) { p.metadata["engram.epsilon"] = "1e999"; }},
      {"costScale is 0", [](Parts& p) { p.metadata["engram.cost_scale"] = "0"; }},
      {"'points' is F32 of rank 1; needed is F32 of rank 2", [](Parts& p) { p.points_shape = {6}; }},
      {"'weights' is F32 of rank 1; needed is F64", [](Parts& p) { p.weights_dtype = Dtype::kF32; }},
      {"'weights' has 3 elements; there are 2 points", [](Parts& p) { p.points_shape = {2, 3}; }},
      {"dim is 0",
       [](Parts& p) {
         p.points_shape = {3, 0};
         p.points.clear();
       }},
      {"bounds no cloud", [](Parts& p) { p.offsets.clear(); }},
      {"bounds no cloud", [](Parts& p) { p.offsets = {0}; }},
      {"end at 2; there are 3 points", [](Parts& p) { p.offsets = {0, 1, 2}; }},
      {"end at 4; there are 3 points", [](Parts& p) { p.offsets = {0, 2, 4}; }},
      {"begin with 1", [](Parts& p) { p.offsets = {1, 2, 3}; }},
      {"cloud 1 has no points", [](Parts& p) { p.offsets = {0, 3, 3}; }},
      {"cloud 1 has no points", [](Parts& p) { p.offsets = {0, UINT32_MAX, 3}; }},
      {"sum to 0.99", [](Parts& p) { p.weights = {0.24, 0.75, 1}; }},
      {"sum to 2", [](Parts& p) { p.weights = {0.25, 0.75, 2}; }},
      {"weight -0.25", [](Parts& p) { p.weights = {-0.25, 1.25, 1}; }},
      {"weight nan", [](Parts& p) { p.weights[2] = std::numeric_limits<double>::quiet_NaN(); }},
      {"point 1 has inf in coordinate 1", [](Parts& p) { p.points[3] = kInfinity; }},
      {"point 0 has nan in coordinate 0", [](Parts& p) { p.points[4] = kNan; }},
      {"scale the points", [](Parts& p) { p.points[0] = 1e19F; }},
      {"'log_prior' has 1 elements; there are 2 clouds", [](Parts& p) { p.log_prior = {1}; }},
      {"logPrior[1] is not finite", [](Parts& p) { p.log_prior = {1, -kInfinity}; }},
  };
  const TemporaryFolder folder;
  for (const Case& c : cases) {
    CAPTURE(c.says);
    Parts parts;
    c.spoil(parts);
    parts.write(folder.file("x"));
    for (const bool verify : {false, true}) {
      const Status status = open_measures(folder.file("x"), verify).status();
      CHECK(status.code() == StatusCode::kFormat);
      CHECK(status.message().find(folder.file("x")) != std::string::npos);
      CHECK_MESSAGE(status.message().find(c.says) != std::string::npos, status.message());
    }
  }
}

TEST_CASE("every truncation of a good file is refused") {
  const TemporaryFolder folder;
  REQUIRE(save_measures(*random_memory({1, 2, 3}), folder.file("m"), {}).ok());
  const std::string good = testing::read_file(folder.file("m"));
  for (size_t size = 0; size < good.size(); size += 7) {
    testing::write_file(folder.file("x"), good.substr(0, size));
    CHECK(open_measures(folder.file("x"), false).status().code() == StatusCode::kFormat);
  }
  CHECK(open_measures(folder.file("none"), false).status().code() == StatusCode::kIo);
  CHECK(save_measures(*random_memory(), folder.file("no/folder"), {}).code() == StatusCode::kIo);
}

}  // namespace
}  // namespace engram::transport
