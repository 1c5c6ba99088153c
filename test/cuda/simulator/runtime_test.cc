// The simulated runtime: lazy streams, memory, faults.
#include <cuda/launch.h>
#include <cuda_runtime.h>
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "defect.h"
#include "faults.h"

using engram::cuda::launch;
using engram::simulator::Defect;
using engram::simulator::DefectsThrow;
using engram::simulator::Machine;
using engram::simulator::MachineScope;

namespace {

__global__ void add(int* numbers, int count, int addend) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) numbers[i] += addend;
}

// An array of a device and of pinned host memory, and a stream.
struct Setup {
  static constexpr int kCount = 100;
  static constexpr size_t kBytes = kCount * sizeof(int);

  Setup() {
    REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    REQUIRE(cudaMalloc(&device, kBytes) == cudaSuccess);
    REQUIRE(cudaMallocHost(&host, kBytes) == cudaSuccess);
    for (int i = 0; i < kCount; ++i) host[i] = i;
  }
  ~Setup() {
    cudaStreamSynchronize(stream);
    if (device != nullptr) cudaFree(device);
    cudaFreeHost(host);
    cudaStreamDestroy(stream);
    cudaGetLastError();
  }
  cudaError_t send() { return cudaMemcpyAsync(device, host, kBytes, cudaMemcpyHostToDevice, stream); }
  cudaError_t fetch() { return cudaMemcpyAsync(host, device, kBytes, cudaMemcpyDeviceToHost, stream); }
  cudaError_t add_to_all(int addend) {
    return launch(add, {dim3(4), dim3(32)}, stream, device, kCount, addend);
  }

  cudaStream_t stream = nullptr;
  int* device = nullptr;
  int* host = nullptr;
};

template <typename Body>
std::string defect_of(const Body& body) {
  const DefectsThrow throwing;
  try {
    body();
  } catch (const Defect& defect) {
    return defect.what();
  }
  return "";
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool nothing_left() {
  const engram::simulator::Outstanding left = engram::simulator::outstanding();
  return left.device_allocations + left.pinned_allocations + left.streams + left.events == 0;
}

}  // namespace

TEST_CASE("work of a simulated stream runs when it is waited for, in order") {
  Setup setup;
  REQUIRE(setup.send() == cudaSuccess);
  REQUIRE(setup.add_to_all(1000) == cudaSuccess);
  REQUIRE(setup.fetch() == cudaSuccess);
  CHECK(setup.host[7] == 7);
  setup.host[8] = -8;  // read only when the copy runs
  REQUIRE(cudaStreamSynchronize(setup.stream) == cudaSuccess);
  CHECK(setup.host[7] == 1007);
  CHECK(setup.host[8] == 992);
}

TEST_CASE("simulated device memory is poison at first and is filled") {
  Setup setup;
  REQUIRE(setup.fetch() == cudaSuccess);
  REQUIRE(cudaStreamSynchronize(setup.stream) == cudaSuccess);
  CHECK(setup.host[3] == -1);
  REQUIRE(cudaMemsetAsync(setup.device, 1, Setup::kBytes, setup.stream) == cudaSuccess);
  REQUIRE(setup.fetch() == cudaSuccess);
  REQUIRE(cudaStreamSynchronize(setup.stream) == cudaSuccess);
  CHECK(setup.host[99] == 0x01010101);
}

TEST_CASE("copies from pageable memory read it at once") {
  Setup setup;
  std::vector<int> from(Setup::kCount, 5);
  REQUIRE(cudaMemcpyAsync(setup.device, from.data(), Setup::kBytes, cudaMemcpyHostToDevice, setup.stream) ==
          cudaSuccess);
  from.assign(from.size(), 6);
  REQUIRE(setup.fetch() == cudaSuccess);
  REQUIRE(cudaStreamSynchronize(setup.stream) == cudaSuccess);
  CHECK(setup.host[0] == 5);
}

TEST_CASE("rectangles are copied row by row") {
  Setup setup;
  std::array<int, 6> from{1, 2, 3, 4, 5, 6};  // two columns of three rows of two
  REQUIRE(cudaMemsetAsync(setup.device, 0, Setup::kBytes, setup.stream) == cudaSuccess);
  REQUIRE(cudaMemcpy2DAsync(setup.device, 12, from.data(), 8, 8, 3, cudaMemcpyHostToDevice, setup.stream) ==
          cudaSuccess);
  REQUIRE(setup.fetch() == cudaSuccess);
  REQUIRE(cudaStreamSynchronize(setup.stream) == cudaSuccess);
  CHECK(std::vector<int>(setup.host, setup.host + 9) == std::vector<int>{1, 2, 0, 3, 4, 0, 5, 6, 0});
}

TEST_CASE("events order streams and can be waited for") {
  Setup setup;
  cudaStream_t other = nullptr;
  cudaEvent_t sent = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking) == cudaSuccess);
  REQUIRE(cudaEventCreateWithFlags(&sent, cudaEventDisableTiming) == cudaSuccess);
  CHECK(cudaEventQuery(sent) == cudaSuccess);  // never recorded
  CHECK(cudaEventSynchronize(sent) == cudaSuccess);
  REQUIRE(setup.send() == cudaSuccess);
  REQUIRE(cudaEventRecord(sent, setup.stream) == cudaSuccess);
  REQUIRE(setup.add_to_all(1) == cudaSuccess);  // behind the event
  int fetched[Setup::kCount];
  const auto fetch_other = [&] {
    return cudaMemcpyAsync(fetched, setup.device, Setup::kBytes, cudaMemcpyDeviceToHost, other);
  };
  SUBCASE("one stream waits for the other") {
    REQUIRE(cudaStreamWaitEvent(other, sent, 0) == cudaSuccess);
    REQUIRE(fetch_other() == cudaSuccess);
    REQUIRE(cudaStreamSynchronize(other) == cudaSuccess);
    CHECK(fetched[9] == 9);
  }
  SUBCASE("what was not waited for has not happened") {
    REQUIRE(fetch_other() == cudaSuccess);
    REQUIRE(cudaStreamSynchronize(other) == cudaSuccess);
    CHECK(fetched[9] == -1);
  }
  SUBCASE("queries say for a while that it is not ready") {
    CHECK(cudaEventQuery(sent) == cudaErrorNotReady);
    CHECK(cudaEventQuery(sent) == cudaErrorNotReady);
    CHECK(cudaEventQuery(sent) == cudaSuccess);
    CHECK(cudaStreamQuery(setup.stream) == cudaErrorNotReady);
    CHECK(cudaStreamQuery(setup.stream) == cudaErrorNotReady);
    CHECK(cudaStreamQuery(setup.stream) == cudaSuccess);
    cudaGetLastError();
  }
  SUBCASE("all of a device") {
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(cudaStreamQuery(setup.stream) == cudaSuccess);
  }
  CHECK(cudaEventDestroy(sent) == cudaSuccess);
  CHECK(cudaStreamDestroy(other) == cudaSuccess);
}

TEST_CASE("an eager machine runs work as it comes") {
  Machine machine;
  machine.eager = true;
  const MachineScope scope(machine);
  Setup setup;
  REQUIRE(setup.send() == cudaSuccess);
  REQUIRE(setup.add_to_all(1) == cudaSuccess);
  REQUIRE(setup.fetch() == cudaSuccess);
  CHECK(setup.host[5] == 6);
}

TEST_CASE("launches are checked") {
  Setup setup;
  const auto with = [&](dim3 grid, dim3 block, size_t shared_bytes) {
    return launch(add, {grid, block, shared_bytes}, setup.stream, setup.device, 0, 0);
  };
  CHECK(with(dim3(1), dim3(1025), 0) == cudaErrorInvalidConfiguration);
  CHECK(with(dim3(0), dim3(32), 0) == cudaErrorInvalidConfiguration);
  CHECK(with(dim3(1, 65536), dim3(32), 0) == cudaErrorInvalidConfiguration);
  CHECK(with(dim3(1), dim3(32), 227 << 10) == cudaSuccess);
  CHECK(with(dim3(1), dim3(32), (227 << 10) + 1) == cudaErrorInvalidValue);
  CHECK(cudaGetLastError() == cudaErrorInvalidValue);
  CHECK(cudaGetLastError() == cudaSuccess);
  cudaLaunchConfig_t config{};
  config.dynamicSmemBytes = 50 << 10;  // nobody asked for it
  config.stream = setup.stream;
  CHECK(cudaLaunchKernelEx(&config, +[](int) {}, 1) == cudaErrorInvalidValue);
  cudaGetLastError();
}

TEST_CASE("a launch takes no shared memory away from others that are about to start") {
  Setup setup;
  const auto launch_with = [&](size_t shared_bytes) {
    return launch(add, {dim3(1), dim3(32), shared_bytes}, setup.stream, setup.device, 0, 0);
  };
  REQUIRE(launch_with(200 << 10) == cudaSuccess);
  REQUIRE(launch_with(60 << 10) == cudaSuccess);
  cudaFuncAttributes attributes{};
  REQUIRE(cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(add)) == cudaSuccess);
  CHECK(attributes.maxDynamicSharedSizeBytes >= 200 << 10);
}

TEST_CASE("misuse of simulated memory is a defect") {
  Setup setup;
  const size_t bytes = Setup::kBytes;
  CHECK(says(defect_of([&] { cudaMemcpy(setup.device, setup.host, bytes + 1, cudaMemcpyHostToDevice); }),
             "leaves an allocation"));
  CHECK(says(defect_of([&] { cudaMemcpy(setup.host, setup.host, bytes, cudaMemcpyHostToDevice); }),
             "target of a copy is not in memory of a device"));
  CHECK(says(defect_of([&] { cudaMemcpy(setup.device, setup.device, bytes, cudaMemcpyHostToDevice); }),
             "source of a copy is in memory of a device"));
  CHECK(says(defect_of([&] { cudaFree(setup.host); }), "not device memory"));
  CHECK(says(defect_of([&] { cudaFreeHost(setup.device); }), "not pinned host memory"));
  SUBCASE("freed while used") {
    setup.add_to_all(1);
    CHECK(says(defect_of([&] { cudaFree(setup.device); }), "freed while queued work uses them"));
  }
  SUBCASE("freed twice") {
    int* const before = setup.device;
    cudaFree(setup.device);
    setup.device = nullptr;
    CHECK(says(defect_of([&] { cudaFree(before); }), "freed before"));
  }
#if !defined(__SANITIZE_ADDRESS__)  // it sees that itself
  SUBCASE("written around") {
    launch(add, {dim3(1), dim3(128)}, setup.stream, setup.device, 101, 1);
    cudaStreamSynchronize(setup.stream);
    CHECK(says(defect_of([&] { cudaFree(setup.device); }), "written around 400 bytes"));
    setup.device = nullptr;
  }
#endif
}

TEST_CASE("a deadlock shows where the stream is waited for") {
  Setup setup;
  const auto kernel = +[](int) {
    if (threadIdx.x != 0) __syncwarp();
  };
  REQUIRE(launch(kernel, {dim3(1), dim3(32)}, setup.stream, 1) == cudaSuccess);
  CHECK(says(defect_of([&] { cudaStreamSynchronize(setup.stream); }), "deadlock"));
}

TEST_CASE("a machine as described") {
  Machine machine;
  CHECK(engram::simulator::read_machine("devices=2,memory=1000,driver=good,major=9,minor=0,eager=0",
                                        &machine) == "");
  CHECK(engram::simulator::read_machine("devices=x", &machine) == "not understood: devices=x");
  CHECK(engram::simulator::read_machine("colour=1", &machine) == "not understood: colour=1");
  const MachineScope scope(machine);
  int count = 0;
  CHECK(cudaGetDeviceCount(&count) == cudaSuccess);
  CHECK(count == 2);
  CHECK(cudaSetDevice(2) == cudaErrorInvalidDevice);
  CHECK(cudaSetDevice(1) == cudaSuccess);
  cudaDeviceProp properties{};
  CHECK(cudaGetDeviceProperties(&properties, 1) == cudaSuccess);
  CHECK(properties.major == 9);
  CHECK(properties.sharedMemPerBlockOptin == 227 << 10);
  int blocks = 0;
  CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, add, 256, 100 << 10) == cudaSuccess);
  CHECK(blocks == 2);
  void* memory = nullptr;
  CHECK(cudaMalloc(&memory, 600) == cudaSuccess);
  void* more = nullptr;
  CHECK(cudaMalloc(&more, 600) == cudaErrorMemoryAllocation);
  CHECK(more == nullptr);
  size_t free = 0;
  size_t total = 0;
  CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess);
  CHECK(free == 400);
  CHECK(total == 1000);
  CHECK(cudaFree(memory) == cudaSuccess);
  CHECK(cudaSetDevice(0) == cudaSuccess);
  cudaGetLastError();
}

TEST_CASE("machines without driver or devices") {
  const auto count_with = [](const char* text, int* version) {
    Machine machine;
    CHECK(engram::simulator::read_machine(text, &machine) == "");
    const MachineScope scope(machine);
    int count = -1;
    const cudaError_t error = cudaGetDeviceCount(&count);
    CHECK(count == 0);
    CHECK(cudaDriverGetVersion(version) == cudaSuccess);
    void* memory = nullptr;
    CHECK(cudaMalloc(&memory, 1) == error);
    cudaGetLastError();
    return error;
  };
  int version = -1;
  CHECK(count_with("driver=none", &version) == cudaErrorInsufficientDriver);
  CHECK(version == 0);
  CHECK(count_with("driver=old", &version) == cudaErrorInsufficientDriver);
  CHECK(version == 11040);
  CHECK(count_with("devices=0", &version) == cudaErrorNoDevice);
  CHECK(version == 13000);
}

TEST_CASE("the n-th allocation is refused") {
  Machine machine;
  machine.fail_allocation = 2;
  const MachineScope scope(machine);
  std::array<void*, 3> memory{};
  CHECK(cudaMalloc(&memory[0], 8) == cudaSuccess);
  CHECK(cudaMalloc(&memory[1], 8) == cudaErrorMemoryAllocation);
  CHECK(cudaMalloc(&memory[2], 8) == cudaSuccess);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
  CHECK(engram::simulator::counts().device_allocations == 3);
  for (void* data : memory) CHECK(cudaFree(data) == cudaSuccess);
}

TEST_CASE("a kernel that fails takes its device with it") {
  Machine machine;
  machine.devices = 2;
  machine.fail_launch = 2;
  {
    const MachineScope scope(machine);
    {
      Setup setup;
      REQUIRE(setup.send() == cudaSuccess);
      REQUIRE(setup.add_to_all(1) == cudaSuccess);
      REQUIRE(setup.add_to_all(2) == cudaSuccess);  // queued; it fails when it runs
      CHECK(setup.fetch() == cudaSuccess);
      CHECK(cudaStreamSynchronize(setup.stream) == cudaErrorLaunchFailure);
      CHECK(setup.host[4] == 4);
      CHECK(setup.add_to_all(3) == cudaErrorLaunchFailure);
      CHECK(cudaGetLastError() == cudaErrorLaunchFailure);
      CHECK(cudaGetLastError() == cudaErrorLaunchFailure);
      CHECK(cudaSetDevice(1) == cudaSuccess);  // the other one works
      void* memory = nullptr;
      CHECK(cudaMalloc(&memory, 8) == cudaSuccess);
      CHECK(cudaFree(memory) == cudaSuccess);
      CHECK(cudaSetDevice(0) == cudaErrorLaunchFailure);
    }
    CHECK(nothing_left());
    CHECK(cudaSetDevice(1) == cudaSuccess);
  }
  CHECK(cudaSetDevice(0) == cudaSuccess);
}

TEST_CASE("a device is lost") {
  Machine machine;
  machine.lose_after = 4;
  const MachineScope scope(machine);
  {
    Setup setup;
    CHECK(setup.send() == cudaSuccess);
    CHECK(setup.add_to_all(1) == cudaErrorUnknown);
    CHECK(cudaStreamSynchronize(setup.stream) == cudaErrorUnknown);
  }
  CHECK(nothing_left());
  CHECK(cudaDeviceReset() == cudaSuccess);
  CHECK(cudaGetLastError() == cudaSuccess);
}

TEST_CASE("kernels of several host threads") {
  std::vector<std::thread> threads;
  std::array<int, 4> results{};
  for (size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&results, i] {
      int* device = nullptr;
      int* host = nullptr;
      cudaStream_t stream = nullptr;
      cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
      cudaMalloc(&device, 4000);
      cudaMallocHost(&host, 4000);
      cudaMemsetAsync(device, 0, 4000, stream);
      for (int round = 0; round < 10; ++round)
        launch(add, {dim3(10), dim3(128)}, stream, device, 1000, round);
      cudaMemcpyAsync(host, device, 4000, cudaMemcpyDeviceToHost, stream);
      cudaStreamSynchronize(stream);
      results[i] = host[999];
      cudaFree(device);
      cudaFreeHost(host);
      cudaStreamDestroy(stream);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(results == std::array<int, 4>{45, 45, 45, 45});
  CHECK(nothing_left());
}
