#include "storage/atomic_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <string>

#include "support/temporary_folder.h"

namespace engram::storage {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

Status replace(const std::string& path, const std::string& text) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file.ok()) return file.status();
  Status status = file.value().write(bytes_of(text));
  return status.ok() ? file.value().commit() : status;
}

TEST_CASE("a committed file replaces the old one and keeps its permissions") {
  const testing::TemporaryFolder folder;
  CHECK(replace(folder.file("x"), "one").ok());
  REQUIRE(chmod(folder.file("x").c_str(), 0640) == 0);
  CHECK(replace(folder.file("x"), "two").ok());
  CHECK(testing::read_file(folder.file("x")) == "two");
  struct stat facts{};
  REQUIRE(stat(folder.file("x").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0640);
  CHECK(folder.entries() == 1);
}

TEST_CASE("a file dropped without commit leaves nothing") {
  const testing::TemporaryFolder folder;
  {
    Result<AtomicFile> file = AtomicFile::create(folder.file("x"));
    REQUIRE(file.ok());
    CHECK(file.value().write(bytes_of("half")).ok());
    AtomicFile moved = std::move(file).value();
    CHECK(folder.entries() == 1);
  }
  CHECK(folder.entries() == 0);
}

TEST_CASE("unwritable targets are an I/O error with errno") {
  const testing::TemporaryFolder folder;
  const Status missing = AtomicFile::create(folder.file("no/such/folder/x")).status();
  CHECK(missing.code() == StatusCode::kIo);
  CHECK(missing.system_error() == ENOENT);
  REQUIRE(mkdir(folder.file("folder").c_str(), 0755) == 0);
  CHECK(AtomicFile::create(folder.file("folder")).status().code() == StatusCode::kIo);
  CHECK(folder.entries() == 1);
}

TEST_CASE("bytes written before can be written over") {
  const testing::TemporaryFolder folder;
  Result<AtomicFile> file = AtomicFile::create(folder.file("x"));
  REQUIRE(file.ok());
  CHECK(file.value().write(bytes_of("head----")).ok());
  CHECK(file.value().write(bytes_of("tail")).ok());
  CHECK(file.value().overwrite(4, bytes_of("1234")).ok());
  CHECK(file.value().write(bytes_of("!")).ok());
  CHECK(file.value().commit().ok());
  CHECK(testing::read_file(folder.file("x")) == "head1234tail!");
}

TEST_CASE("a symbolic link stays a link and the file it leads to is replaced") {
  const testing::TemporaryFolder folder;
  REQUIRE(mkdir(folder.file("elsewhere").c_str(), 0755) == 0);
  testing::write_file(folder.file("elsewhere/x"), "old");
  REQUIRE(symlink("elsewhere/x", folder.file("link").c_str()) == 0);
  CHECK(replace(folder.file("link"), "new").ok());
  CHECK(testing::read_file(folder.file("elsewhere/x")) == "new");
  struct stat facts{};
  REQUIRE(lstat(folder.file("link").c_str(), &facts) == 0);
  CHECK(S_ISLNK(facts.st_mode));
}

TEST_CASE("names may be as long as the file system allows, and never end at a NUL") {
  const testing::TemporaryFolder folder;
  CHECK(replace(folder.file(std::string(255, 'n')), "long").ok());
  CHECK(testing::read_file(folder.file(std::string(255, 'n'))) == "long");
  const Status status = replace(folder.file(std::string("x\0y", 3)), "text");
  CHECK(status.code() == StatusCode::kIo);
  CHECK(status.system_error() == EINVAL);
  CHECK(folder.entries() == 1);
}

TEST_CASE("a full disk is an I/O error and the old file stays") {
  const testing::TemporaryFolder folder;
  REQUIRE(replace(folder.file("x"), "old").ok());
  const pid_t child = fork();
  if (child == 0) {
    // A file-size limit stands in for the full disk: write() fails with EFBIG instead of ENOSPC.
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const Status status = replace(folder.file("x"), std::string(5000, 'n'));
    _exit(status.code() == StatusCode::kIo && status.system_error() == EFBIG ? 0 : 1);
  }
  int result = -1;
  REQUIRE(waitpid(child, &result, 0) == child);
  CHECK(result == 0);
  CHECK(testing::read_file(folder.file("x")) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a process killed while saving leaves the old file or the new one") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("x");
  const size_t size = 300'000;
  REQUIRE(replace(path, std::string(size, 'a')).ok());
  std::mt19937 random(7);
  for (int round = 0; round < 40; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      for (char letter = 'b';; letter = letter == 'z' ? 'b' : static_cast<char>(letter + 1)) {
        if (!replace(path, std::string(size, letter)).ok()) _exit(1);
      }
    }
    usleep(1000 + random() % 20000);
    kill(child, SIGKILL);
    int result = 0;
    waitpid(child, &result, 0);
    CHECK(WIFSIGNALED(result));
    const std::string content = testing::read_file(path);
    REQUIRE(content.size() == size);
    CHECK(content.find_first_not_of(content[0]) == std::string::npos);
  }
}

}  // namespace
}  // namespace engram::storage
