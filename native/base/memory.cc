#include "base/memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

namespace engram {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// Pages straight from the system: zero already, aligned to a huge page, and given back at once when
// freed. The kernel aligns mappings to small pages only, so one huge page more is asked for and the
// two ends are cut off.
std::byte* map_huge(size_t bytes) noexcept {
  const size_t length = round_up(bytes, kHugePage);
  void* const mapped =
      ::mmap(nullptr, length + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  std::byte* const first = static_cast<std::byte*>(mapped);
  const size_t misaligned = reinterpret_cast<uintptr_t>(first) % kHugePage;
  const size_t head = misaligned == 0 ? 0 : kHugePage - misaligned;
  if (head != 0) ::munmap(first, head);
  ::munmap(first + head + length, kHugePage - head);
  prefer_huge_pages(first + head, length);
  return first + head;
}

std::byte* allocate_small(size_t bytes) noexcept {
  const size_t length = round_up(bytes, kAlignment);  // aligned_alloc wants whole multiples
  void* const memory = std::aligned_alloc(kAlignment, length);
  if (memory != nullptr) std::memset(memory, 0, length);
  return static_cast<std::byte*>(memory);
}

void release(std::byte* data, size_t bytes) noexcept {
  if (data == nullptr) return;
  if (bytes >= kHugePage) {
    ::munmap(data, round_up(bytes, kHugePage));
  } else {
    std::free(data);
  }
}

// A file descriptor closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

int open_for_reading(const std::string& path) {
  int fd;
  do {
    // O_NONBLOCK: opening a FIFO must end in "not a regular file", not wait for a writer.
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

}  // namespace

Result<AlignedBuffer> AlignedBuffer::allocate(size_t bytes) {
  AlignedBuffer buffer;
  if (bytes == 0) return buffer;
  // Rounding up must not wrap around.
  const bool addressable = bytes <= std::numeric_limits<size_t>::max() - 2 * kHugePage;
  if (addressable) buffer.data_ = bytes >= kHugePage ? map_huge(bytes) : allocate_small(bytes);
  if (buffer.data_ == nullptr) {
    return Status(StatusCode::kOutOfMemory,
                  "the system refused " + std::to_string(bytes) + " bytes of memory");
  }
  buffer.size_ = bytes;
  return buffer;
}

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  if (this != &other) {
    release(data_, size_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

AlignedBuffer::~AlignedBuffer() { release(data_, size_); }

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  // A C string ends at the first NUL: another file than the one named would be opened.
  if (path.find('\0') != std::string::npos) {
    return io_error("cannot open a path that contains a NUL character", EINVAL);
  }
  const Descriptor file(open_for_reading(path));
  if (file.get() < 0) return io_error("cannot open " + path, errno);
  // statx rather than fstat, which a new glibc binds to a version of itself that old systems lack.
  struct statx facts;
  if (::statx(file.get(), "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, &facts) != 0) {
    return io_error("cannot examine " + path, errno);
  }
  if (!S_ISREG(facts.stx_mode)) {
    return Status(StatusCode::kFormat, path + " is not a regular file");
  }
  if (facts.stx_size > std::numeric_limits<size_t>::max()) {
    return io_error("cannot map " + path, EFBIG);
  }
  const auto size = static_cast<size_t>(facts.stx_size);

  const std::byte* data = nullptr;
  if (size != 0) {  // an empty mapping is refused by the system; an empty file is none
    // Shared and read-only: the page cache holds the only copy, and pages that do not fit into memory
    // are dropped and read again, so the file may be larger than RAM and swap together.
    void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
    if (mapped == MAP_FAILED) return io_error("cannot map " + path, errno);
    prefer_huge_pages(mapped, size);
    data = static_cast<const std::byte*>(mapped);
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(data, size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void prefer_huge_pages(const void* data, size_t bytes) noexcept {
  // Only whole small pages can be advised.
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) / page * page;
  if (begin >= end) return;
  const int before = errno;  // a hint leaves no trace
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address is rounded, nothing is read through it
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
  errno = before;
}

}  // namespace engram
