#include "dense/files.h"

#include <doctest/doctest.h>

#include <cstring>
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
  CHECK(read.gap_min == calibration.gap_min);
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
