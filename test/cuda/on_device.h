// A fixture: the engine's backend of the simulated device, for the length of a test.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <utility>

#include "engine/device_backend.h"
#include "engine/device_table.h"

extern "C" const EngramDeviceTable* engram_device_table(void);

namespace engram::testing {

class OnDevice {
 public:
  OnDevice() : backend_(std::move(engine::make_device_backend(*engram_device_table(), 0)).value()) {
    current() = backend_.get();
  }
  ~OnDevice() { current() = nullptr; }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  // Of the test that runs.
  static const engine::Backend& device() { return *current(); }

 private:
  static const engine::Backend*& current() {
    static const engine::Backend* backend = nullptr;
    return backend;
  }
  std::unique_ptr<engine::Backend> backend_;
};

}  // namespace engram::testing
