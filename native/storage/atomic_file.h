// A file that appears whole or not at all.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/status.h"

namespace engram::storage {

// Writes to a temporary file in the target's folder; commit() syncs it, renames it over the target and
// syncs the folder. Dropped without commit, the temporary file is removed and the target untouched.
// All failures are kIo with errno (a full disk: ENOSPC).
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  Status write(std::span<const std::byte> bytes);
  Status commit();

 private:
  AtomicFile(int fd, std::string path, std::string temporary);
  int fd_ = -1;
  std::string path_;
  std::string temporary_;
};

}  // namespace engram::storage
