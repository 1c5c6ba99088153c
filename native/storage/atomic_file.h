// A file that appears whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/status.h"

namespace engram::storage {

// Writes to a temporary file in the target's folder; commit() syncs it, renames it over the target and
// syncs the folder. Dropped without commit, the temporary file is removed and the target untouched; a
// process killed in between leaves the target untouched and a file `<target>.tmp-<pid>-<random>` beside it.
// A target that exists keeps its permissions, and a symbolic link to it stays a link.
// All failures are kIo with errno (a full disk: ENOSPC).
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  // Appends.
  Status write(std::span<const std::byte> bytes);
  // Writes over bytes that were appended before: a header whose facts are known only at the end.
  Status overwrite(uint64_t offset, std::span<const std::byte> bytes);
  Status commit();

 private:
  AtomicFile(int fd, std::string path, std::string temporary);
  int fd_ = -1;
  std::string path_;
  std::string temporary_;
};

}  // namespace engram::storage
