#include "dense/files.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "storage/npy.h"
#include "storage/safetensors.h"
#include "support/reference.h"
#include "support/temporary_folder.h"

namespace engram::dense {
namespace {

using testing::TemporaryFolder;

TEST_CASE("a memory of several blocks with values, removals and calibration survives save and open") {
  const TemporaryFolder folder;
  const auto memory = std::move(Memory::create(7, 2)).value();
  const std::vector<float> keys = reference::random_floats(500 * 7, 1);
  const std::vector<float> values = reference::random_floats(500 * 2, 2);
  REQUIRE(memory->adopt(keys.data(), values.data(), 200, nullptr).ok());
  REQUIRE(memory->append(keys.data() + 200 * 7, values.data() + 200 * 2, 300).ok());
  const uint64_t gone[] = {0, 63, 64, 201, 499};
  REQUIRE(memory->remove(gone).ok());
  const Calibration calibration{.beta = 0.1F,
                                .similarity = Similarity::kCosine,
                                .recall = 0.9F,
                                .sample = 12,
                                .unreachable = 3,
                                .gap_min = 1e-20F,
                                .gap_median = 3.3333333F,
                                .gap_max = 1e20F};
  memory->set_calibration(calibration);
  REQUIRE(save_memory(*memory, folder.file("m"), {{"name", "test"}}).ok());

  Result<OpenedMemory> result = open_memory(folder.file("m"), true);
  REQUIRE_MESSAGE(result.ok(), result.status().message());
  const OpenedMemory& opened = result.value();
  CHECK(opened.metadata == std::map<std::string, std::string>{{"name", "test"}});
  const auto snapshot = opened.memory->snapshot();
  CHECK(snapshot->count == 500);
  CHECK(snapshot->live == 495);
  CHECK(snapshot->value_dim == 2);
  for (const uint64_t item : gone) CHECK(snapshot->is_removed(item));
  REQUIRE(snapshot->blocks.size() == 1);
  CHECK(reinterpret_cast<uintptr_t>(snapshot->blocks[0].keys) % 64 == 0);
  CHECK(std::memcmp(snapshot->blocks[0].keys, keys.data(), keys.size() * 4) == 0);
  CHECK(std::memcmp(snapshot->blocks[0].values, values.data(), values.size() * 4) == 0);
  const Calibration read = opened.memory->calibration().value();
  CHECK(read.beta == calibration.beta);
  CHECK(read.similarity == calibration.similarity);
  CHECK(read.recall == calibration.recall);
  CHECK(read.sample == calibration.sample);
  CHECK(read.unreachable == calibration.unreachable);
  CHECK(read.gap_min == calibration.gap_min);
  CHECK(read.gap_median == calibration.gap_median);
  CHECK(read.gap_max == calibration.gap_max);

  // The file is still mapped: saving over it must not disturb the open memory.
  REQUIRE(save_memory(*opened.memory, folder.file("m"), {}).ok());
  CHECK(snapshot->blocks[0].keys[7 * 499] == keys[7 * 499]);
  REQUIRE(opened.memory->append(keys.data(), values.data(), 1).ok());
  CHECK(opened.memory->snapshot()->count == 501);
}

TEST_CASE("a lone matrix of any name and an npy matrix open as auto-associative memories") {
  const TemporaryFolder folder;
  const std::vector<float> rows = reference::random_floats(12, 3);
  const std::span<const std::byte> piece = std::as_bytes(std::span(rows));
  const storage::TensorSource source{
      .name = "embeddings", .dtype = storage::Dtype::kF32, .shape = {3, 4}, .pieces = {piece}};
  REQUIRE(storage::write_safetensors(folder.file("s"), std::span(&source, 1), {}, false).ok());
  const uint64_t shape[] = {3, 4};
  REQUIRE(storage::write_npy(folder.file("n"), storage::Dtype::kF32, shape, std::span(&piece, 1)).ok());
  for (const char* name : {"s", "n"}) {
    Result<OpenedMemory> opened = open_memory(folder.file(name), true);
    REQUIRE_MESSAGE(opened.ok(), opened.status().message());
    const auto snapshot = opened.value().memory->snapshot();
    CHECK(snapshot->count == 3);
    CHECK(snapshot->dim == 4);
    CHECK_FALSE(snapshot->hetero);
    CHECK(std::memcmp(snapshot->blocks[0].keys, rows.data(), 48) == 0);
  }
}

TEST_CASE("a calibration is kept with infinite gaps, and left out where its beta says nothing") {
  const TemporaryFolder folder;
  const auto memory = std::move(Memory::create(1)).value();
  const float row = 1;
  REQUIRE(memory->append(&row, nullptr, 1).ok());
  const float infinity = std::numeric_limits<float>::infinity();
  memory->set_calibration({.beta = 2, .gap_min = -infinity, .gap_max = infinity});
  REQUIRE(save_memory(*memory, folder.file("m"), {}).ok());
  Result<OpenedMemory> opened = open_memory(folder.file("m"), true);
  REQUIRE_MESSAGE(opened.ok(), opened.status().message());
  CHECK(opened.value().memory->calibration()->gap_min == -infinity);
  CHECK(opened.value().memory->calibration()->gap_max == infinity);
  for (const float beta : {0.0F, infinity}) {
    memory->set_calibration({.beta = beta});
    REQUIRE(save_memory(*memory, folder.file("m"), {}).ok());
    opened = open_memory(folder.file("m"), true);
    REQUIRE_MESSAGE(opened.ok(), opened.status().message());
    CHECK_FALSE(opened.value().memory->calibration().has_value());
  }
}

TEST_CASE("a file larger than the machine's memory is opened by its header alone") {
  const TemporaryFolder folder;
  // 2^34 elements, 64 GiB, in a file of holes.
  std::string json =
      "{\"patterns\":{\"dtype\":\"F32\",\"shape\":[16777216,1024],\"data_offsets\":[0,68719476736]}}";
  json.append(120 - json.size(), ' ');
  testing::write_file(folder.file("m"), std::string("\x78\0\0\0\0\0\0\0", 8) + json);
  REQUIRE(truncate(folder.file("m").c_str(), 128 + (off_t{1} << 36)) == 0);
  Result<OpenedMemory> opened = open_memory(folder.file("m"), false);
  REQUIRE_MESSAGE(opened.ok(), opened.status().message());
  const auto snapshot = opened.value().memory->snapshot();
  CHECK(snapshot->count == 1 << 24);
  CHECK(snapshot->dim == 1024);
  CHECK(snapshot->blocks[0].keys[(uint64_t{1} << 34) - 1] == 0);
}

TEST_CASE("a process killed while saving a memory leaves one that verifies, the old or the new") {
  const TemporaryFolder folder;
  const std::string path = folder.file("m");
  const size_t dim = 64;
  const uint64_t rows = 2000;
  const auto make = [&](float element) {
    auto memory = std::move(Memory::create(dim)).value();
    const std::vector<float> elements(rows * dim, element);
    REQUIRE(memory->append(elements.data(), nullptr, rows).ok());
    return memory;
  };
  const std::shared_ptr<Memory> memories[] = {make(1), make(2)};
  REQUIRE(save_memory(*memories[0], path, {}).ok());
  std::mt19937 random(11);
  for (int round = 0; round < 50; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      for (size_t i = 1;; ++i) {
        if (!save_memory(*memories[i % 2], path, {}).ok()) _exit(1);
      }
    }
    usleep(500 + random() % 15000);
    kill(child, SIGKILL);
    int result = 0;
    waitpid(child, &result, 0);
    CHECK(WIFSIGNALED(result));
    Result<OpenedMemory> opened = open_memory(path, true);
    REQUIRE_MESSAGE(opened.ok(), opened.status().message());
    const auto snapshot = opened.value().memory->snapshot();
    REQUIRE(snapshot->count == rows);
    CHECK((snapshot->blocks[0].keys[0] == 1 || snapshot->blocks[0].keys[0] == 2));
    CHECK(snapshot->blocks[0].keys[rows * dim - 1] == snapshot->blocks[0].keys[0]);
  }
}

TEST_CASE("files that are no dense memory are refused, naming the file") {
  const TemporaryFolder folder;
  const std::vector<float> rows(12, 1.0F);
  const std::span<const std::byte> piece = std::as_bytes(std::span(rows));
  const auto save = [&](const char* tensor, storage::Dtype dtype, std::vector<uint64_t> shape,
                        std::map<std::string, std::string> metadata) {
    const storage::TensorSource source{
        .name = tensor, .dtype = dtype, .shape = std::move(shape), .pieces = {piece}};
    REQUIRE(storage::write_safetensors(folder.file("x"), std::span(&source, 1), metadata, true).ok());
    return open_memory(folder.file("x"), true).status();
  };
  const Status checks[] = {
      save("patterns", storage::Dtype::kI32, {3, 4}, {}),
      save("patterns", storage::Dtype::kF32, {12}, {}),
      save("x", storage::Dtype::kF32, {2, 2, 3}, {}),
      save("patterns", storage::Dtype::kF32, {3, 4}, {{"engram.kind", "measures"}}),
      save("patterns", storage::Dtype::kF32, {3, 4}, {{"engram.version", "2"}}),
      save("patterns", storage::Dtype::kF32, {3, 4}, {{"engram.calibration.beta", "nan"}})};
  for (const Status& status : checks) {
    CHECK(status.code() == StatusCode::kFormat);
    CHECK(status.message().find(folder.file("x")) != std::string::npos);
  }
  // Several tensors that do not make a memory together.
  const uint64_t beyond[] = {3};
  const auto save_pair = [&](const char* first, storage::Dtype dtype, std::vector<uint64_t> shape,
                             std::span<const std::byte> bytes) {
    const storage::TensorSource pair[] = {
        {.name = first, .dtype = dtype, .shape = std::move(shape), .pieces = {bytes}},
        {.name = "patterns", .dtype = storage::Dtype::kF32, .shape = {3, 4}, .pieces = {piece}}};
    REQUIRE(storage::write_safetensors(folder.file("x"), pair, {}, false).ok());
    return open_memory(folder.file("x"), false).status();
  };
  const std::span<const std::byte> index = std::as_bytes(std::span(beyond));
  CHECK(save_pair("unrelated", storage::Dtype::kF32, {2, 1}, index).ok());
  CHECK(save_pair("removed", storage::Dtype::kU64, {1}, index).message().find("index 3") !=
        std::string::npos);
  CHECK(save_pair("removed", storage::Dtype::kI64, {1}, index).code() == StatusCode::kFormat);
  CHECK(save_pair("values", storage::Dtype::kF32, {2, 1}, index).code() == StatusCode::kFormat);
  CHECK(save_pair("values", storage::Dtype::kF32, {3, 0}, {}).code() == StatusCode::kFormat);
  for (const std::vector<uint64_t>& shape : {std::vector<uint64_t>{0, 4}, std::vector<uint64_t>{3, 0}}) {
    const storage::TensorSource empty{
        .name = "patterns", .dtype = storage::Dtype::kF32, .shape = shape, .pieces = {}};
    REQUIRE(storage::write_safetensors(folder.file("x"), std::span(&empty, 1), {}, false).ok());
    CHECK(open_memory(folder.file("x"), false).status().code() == StatusCode::kFormat);
  }
  CHECK(open_memory(folder.file("none"), false).status().code() == StatusCode::kIo);
  CHECK(save_memory(*std::move(Memory::create(3)).value(), folder.file("e"), {}).code() ==
        StatusCode::kShape);
}

TEST_CASE("a changed byte is found when the file is verified") {
  const TemporaryFolder folder;
  const auto memory = std::move(Memory::create(4)).value();
  const std::vector<float> rows(40, 1.0F);
  REQUIRE(memory->append(rows.data(), nullptr, 10).ok());
  REQUIRE(save_memory(*memory, folder.file("m"), {}).ok());
  std::string text = testing::read_file(folder.file("m"));
  text.back() ^= 1;
  testing::write_file(folder.file("m"), text);
  CHECK(open_memory(folder.file("m"), false).ok());
  CHECK(open_memory(folder.file("m"), true).status().code() == StatusCode::kFormat);
}

}  // namespace
}  // namespace engram::dense
