// What is said of memory faults before the process dies of them.
#include <cuda/launch.h>
#include <cuda_runtime.h>
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace {

__global__ void write_at(int* numbers, long long index) { numbers[index] = 1; }

// What a process that does this says before it dies.
template <typename Body>
std::string last_words_of(const Body& body) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL);  // not the test program's
    dup2(ends[1], STDERR_FILENO);
    body();
    _exit(0);
  }
  close(ends[1]);
  std::string words(1000, '\0');
  const ssize_t length = read(ends[0], words.data(), words.size());
  words.resize(length > 0 ? static_cast<size_t>(length) : 0);
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(!(WIFEXITED(status) && WEXITSTATUS(status) == 0));
  return words;
}

void run_write_at(long long index) {
  int* device = nullptr;
  cudaMalloc(&device, 400);
  engram::cuda::launch(write_at, {dim3(1), dim3(1)}, nullptr, device, index);
  cudaDeviceSynchronize();
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a kernel that leaves an allocation is told from a host that touches one") {
  CHECK(says(last_words_of([] { run_write_at(200); }),
             "byte 800 of an allocation of 400 is used (block (0, 0, 0), thread (0, 0, 0))"));
  CHECK(says(last_words_of([] { run_write_at(-1024); }), "byte -4096 of an allocation of 400 is used"));
  CHECK(says(last_words_of([] {
               int* device = nullptr;
               cudaMalloc(&device, 400);
               device[3] = 1;
             }),
             "the host follows a pointer into memory of a device"));
}
