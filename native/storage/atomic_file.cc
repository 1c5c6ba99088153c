#include "storage/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <utility>

namespace engram::storage {
namespace {

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Beside the target, so that the rename stays within one file system.
std::string temporary_name(const std::string& path) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::random_device random;
  std::string name = path + ".tmp-" + std::to_string(getpid()) + "-";
  for (int i = 0; i < 12; ++i) name += kDigits[random() % 16];
  return name;
}

Status sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return io_error("cannot open folder '" + folder + "'", errno);
  // Some file systems cannot sync a folder and say EINVAL; the rename is as durable there as it gets.
  const int error = ::fsync(fd) != 0 && errno != EINVAL ? errno : 0;
  ::close(fd);
  return error == 0 ? Status() : io_error("cannot sync folder '" + folder + "'", error);
}

}  // namespace

AtomicFile::AtomicFile(int fd, std::string path, std::string temporary)
    : fd_(fd), path_(std::move(path)), temporary_(std::move(temporary)) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), temporary_(std::move(other.temporary_)) {}

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
  std::string temporary = temporary_name(path);
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return io_error("cannot create a file in '" + folder_of(path) + "'", errno);
  AtomicFile file(fd, path, std::move(temporary));
  struct stat existing {};
  if (::stat(path.c_str(), &existing) == 0) {
    if (!S_ISREG(existing.st_mode)) return io_error("cannot replace '" + path + "': not a regular file", EINVAL);
    (void)::fchmod(fd, existing.st_mode & 07777);  // a replaced file keeps its permissions, as far as allowed
  }
  return file;
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    constexpr size_t kMost = size_t{1} << 30;  // the system writes at most 2 GiB at once
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size() < kMost ? bytes.size() : kMost);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return io_error("cannot write '" + path_ + "'", written < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Status AtomicFile::commit() {
  if (::fsync(fd_) != 0) return io_error("cannot sync '" + path_ + "'", errno);
  const int fd = std::exchange(fd_, -1);
  const int close_error = ::close(fd) != 0 ? errno : 0;
  if (close_error != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = close_error != 0 ? close_error : errno;
    ::unlink(temporary_.c_str());
    return io_error("cannot replace '" + path_ + "'", error);
  }
  return sync_folder(folder_of(path_));
}

}  // namespace engram::storage
