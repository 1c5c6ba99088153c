#include "base/memory.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <utility>

namespace engram {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHugePage = size_t{2} << 20;

bool all_zero(const AlignedBuffer& buffer) {
  return std::all_of(buffer.data(), buffer.data() + buffer.size(),
                     [](std::byte byte) { return byte == std::byte{0}; });
}

// A folder that goes away with its contents.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (fs::temp_directory_path() / "engram-memory-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~ScratchFolder() { fs::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name), std::ios::binary) << text;
    return file(name);
  }

 private:
  fs::path path_;
};

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

TEST_CASE("an aligned buffer is zero, aligned and of the size asked for") {
  for (const size_t bytes : {size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{100'000}, kHugePage - 1,
                             kHugePage, kHugePage + 1, 3 * kHugePage + 12'345}) {
    CAPTURE(bytes);
    Result<AlignedBuffer> result = AlignedBuffer::allocate(bytes);
    REQUIRE(result.ok());
    const AlignedBuffer buffer = std::move(result).value();
    CHECK(buffer.size() == bytes);
    CHECK(reinterpret_cast<uintptr_t>(buffer.data()) % kAlignment == 0);
    if (bytes >= kHugePage) CHECK(reinterpret_cast<uintptr_t>(buffer.data()) % kHugePage == 0);
    CHECK(all_zero(buffer));
    buffer.as<unsigned char>()[0] = 1;
    buffer.as<unsigned char>()[bytes - 1] = 1;  // the last byte is ours, too
  }
}

TEST_CASE("memory that is used again is zero again") {
  for (const size_t bytes : {size_t{4096}, kHugePage}) {
    for (int round = 0; round < 3; ++round) {
      const AlignedBuffer buffer = AlignedBuffer::allocate(bytes).value();
      REQUIRE(all_zero(buffer));
      std::fill_n(buffer.data(), bytes, std::byte{0xff});
    }
  }
}

TEST_CASE("no bytes are an empty buffer") {
  const Result<AlignedBuffer> result = AlignedBuffer::allocate(0);
  REQUIRE(result.ok());
  CHECK(result.value().data() == nullptr);
  CHECK(result.value().size() == 0);
}

TEST_CASE("a size no machine has is refused, without wrapping around") {
  for (const size_t bytes :
       {std::numeric_limits<size_t>::max(), std::numeric_limits<size_t>::max() - 63, size_t{1} << 62}) {
    const Result<AlignedBuffer> result = AlignedBuffer::allocate(bytes);
    REQUIRE_FALSE(result.ok());
    CHECK(result.status().code() == StatusCode::kOutOfMemory);
    CHECK(result.status().message().find(std::to_string(bytes)) != std::string::npos);
  }
}

TEST_CASE("a buffer moves") {
  AlignedBuffer first = AlignedBuffer::allocate(1000).value();
  std::byte* const data = first.data();
  AlignedBuffer second(std::move(first));
  CHECK(second.data() == data);
  CHECK(second.size() == 1000);
  CHECK(first.data() == nullptr);  // NOLINT(bugprone-use-after-move): the state is specified
  CHECK(first.size() == 0);

  AlignedBuffer third = AlignedBuffer::allocate(kHugePage).value();
  third = std::move(second);
  CHECK(third.data() == data);
  AlignedBuffer& alias = third;
  third = std::move(alias);
  CHECK(third.data() == data);
}

TEST_CASE("a mapped file shows the file's bytes") {
  const ScratchFolder folder;
  const std::string text(10'000, 'x');
  const auto file = MappedFile::open(folder.write("a", text));
  REQUIRE(file.ok());
  CHECK(text_of(*file.value()) == text);
}

TEST_CASE("an empty file maps to no bytes") {
  const ScratchFolder folder;
  const auto file = MappedFile::open(folder.write("empty", ""));
  REQUIRE(file.ok());
  CHECK(file.value()->size() == 0);
}

TEST_CASE("a mapping survives the file's name") {
  const ScratchFolder folder;
  const std::string path = folder.write("a", "old contents");
  const auto file = MappedFile::open(path);
  REQUIRE(file.ok());
  fs::rename(folder.write("b", "new"), path);
  CHECK(text_of(*file.value()) == "old contents");
  fs::remove(path);
  CHECK(text_of(*file.value()) == "old contents");
}

TEST_CASE("a file much larger than memory is mapped and read at both ends") {
  const ScratchFolder folder;
  const std::string path = folder.write("sparse", "begin");
  constexpr uint64_t kTebibyte = uint64_t{1} << 40;
  if (::truncate(path.c_str(), kTebibyte) != 0) {
    MESSAGE("the file system refuses files of 1 TiB: " << errno);
    return;
  }
  const auto file = MappedFile::open(path);
  REQUIRE(file.ok());
  CHECK(file.value()->size() == kTebibyte);
  CHECK(file.value()->data()[0] == std::byte{'b'});
  CHECK(file.value()->data()[kTebibyte - 1] == std::byte{0});
}

TEST_CASE("what is not there is an I/O error with its errno") {
  const ScratchFolder folder;
  const auto file = MappedFile::open(folder.file("missing"));
  REQUIRE_FALSE(file.ok());
  CHECK(file.status().code() == StatusCode::kIo);
  CHECK(file.status().system_error() == ENOENT);
  CHECK(file.status().message().find("missing") != std::string::npos);
}

TEST_CASE("a path with a NUL character is refused, not cut") {
  const ScratchFolder folder;
  const std::string path = folder.write("a", "text") + std::string(1, '\0') + "b";
  const auto file = MappedFile::open(path);
  REQUIRE_FALSE(file.ok());
  CHECK(file.status().code() == StatusCode::kIo);
}

TEST_CASE("only regular files are mapped, and asking never blocks") {
  const ScratchFolder folder;
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  for (const std::string& path : {folder.file("fifo"), folder.file("."), std::string("/dev/null")}) {
    CAPTURE(path);
    const auto file = MappedFile::open(path);
    REQUIRE_FALSE(file.ok());
    CHECK(file.status().code() == StatusCode::kFormat);
  }
}

TEST_CASE("the huge-page hint takes any range and leaves errno alone") {
  const AlignedBuffer buffer = AlignedBuffer::allocate(3 * 4096).value();
  errno = 77;
  prefer_huge_pages(buffer.data() + 1, 10);
  prefer_huge_pages(buffer.data() + 1, 3 * 4096 - 1);
  prefer_huge_pages(nullptr, 0);
  CHECK(errno == 77);
}

}  // namespace
}  // namespace engram
