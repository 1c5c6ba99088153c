#include "storage/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <random>
#include <utility>

namespace engram::storage {
namespace {

// The system writes at most 2 GiB at once.
constexpr size_t kMostAtOnce = size_t{1} << 30;

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Where symbolic links lead: the rename must replace the file, not the link. A path that leads nowhere yet
// is taken as it is.
std::string follow_links(const std::string& path) {
  char* const real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string resolved = real;
  std::free(real);
  return resolved;
}

// Beside the target, so that the rename stays within one file system. Named after it, so that a file left
// behind by a killed process tells what it was to become; cut where the file system's limit asks for it.
std::string temporary_name(const std::string& target) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::random_device random;
  std::string suffix = ".tmp-" + std::to_string(::getpid()) + "-";
  for (int i = 0; i < 12; ++i) suffix += kDigits[random() % 16];
  const size_t name_at = target.rfind('/') + 1;  // 0 where there is no slash
  return target.substr(0, name_at + std::min(target.size() - name_at, NAME_MAX - suffix.size())) + suffix;
}

// Calls until a signal no longer interrupts.
template <typename Call>
auto retried(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

// Calls `write_some(bytes)`, which may write less than asked for, until all is written. 0 or errno.
template <typename WriteSome>
int write_all(std::span<const std::byte> bytes, WriteSome write_some) {
  while (!bytes.empty()) {
    const std::span<const std::byte> part =
        bytes.first(bytes.size() < kMostAtOnce ? bytes.size() : kMostAtOnce);
    const ssize_t written = retried([&] { return write_some(part); });
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return 0;
}

Status sync_folder(const std::string& folder) {
  const int fd = retried([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (fd < 0) return io_error("cannot open folder '" + folder + "'", errno);
  // Some file systems cannot sync a folder and say EINVAL; the rename is as durable there as it gets.
  const int error = retried([&] { return ::fsync(fd); }) != 0 && errno != EINVAL ? errno : 0;
  ::close(fd);
  return error == 0 ? Status() : io_error("cannot sync folder '" + folder + "'", error);
}

}  // namespace

AtomicFile::AtomicFile(int fd, std::string path, std::string temporary)
    : fd_(fd), path_(std::move(path)), temporary_(std::move(temporary)) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  return *this;
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  // A C string ends at the first NUL: another file than the one named would be written.
  if (path.find('\0') != std::string::npos) {
    return io_error("cannot write to a path that contains a NUL character", EINVAL);
  }
  const std::string target = follow_links(path);
  std::string temporary = temporary_name(target);
  const int fd =
      retried([&] { return ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
  if (fd < 0) return io_error("cannot create a file in '" + folder_of(target) + "'", errno);
  AtomicFile file(fd, target, std::move(temporary));
  // statx rather than stat, which a new glibc binds to a version of itself that old systems lack.
  struct statx existing;
  if (::statx(AT_FDCWD, target.c_str(), 0, STATX_TYPE | STATX_MODE, &existing) == 0) {
    if (!S_ISREG(existing.stx_mode))
      return io_error("cannot replace '" + path + "': not a regular file", EINVAL);
    (void)::fchmod(fd, existing.stx_mode & 07777);  // as far as allowed
  }
  return file;
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  const int error = write_all(
      bytes, [this](std::span<const std::byte> part) { return ::write(fd_, part.data(), part.size()); });
  return error == 0 ? Status() : io_error("cannot write '" + path_ + "'", error);
}

Status AtomicFile::overwrite(uint64_t offset, std::span<const std::byte> bytes) {
  const int error = write_all(bytes, [this, &offset](std::span<const std::byte> part) {
    const ssize_t written = ::pwrite(fd_, part.data(), part.size(), static_cast<off_t>(offset));
    if (written > 0) offset += static_cast<uint64_t>(written);
    return written;
  });
  return error == 0 ? Status() : io_error("cannot write '" + path_ + "'", error);
}

Status AtomicFile::commit() {
  if (retried([this] { return ::fsync(fd_); }) != 0) return io_error("cannot sync '" + path_ + "'", errno);
  const int fd = std::exchange(fd_, -1);
  // An interrupted close has closed; the bytes are on disk since the sync.
  int error = ::close(fd) != 0 && errno != EINTR ? errno : 0;
  if (error == 0 && ::rename(temporary_.c_str(), path_.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary_.c_str());
    return io_error("cannot replace '" + path_ + "'", error);
  }
  return sync_folder(folder_of(path_));
}

}  // namespace engram::storage
