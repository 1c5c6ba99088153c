// The C table with owners: what it hands out is given back, and what fails is thrown.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "engine/device_table.h"

namespace engram::device_test {

struct Refusal : std::runtime_error {
  Refusal(int32_t status, const std::string& message) : std::runtime_error(message), code(status) {}
  int32_t code;  // of engram::StatusCode
};

class Device {
 public:
  Device(const EngramDeviceTable& table, uint32_t number);
  const EngramDeviceTable& table() const noexcept { return table_; }
  uint32_t number() const noexcept { return number_; }
  const EngramDeviceFacts& facts() const noexcept { return facts_; }

 private:
  const EngramDeviceTable& table_;
  uint32_t number_;
  EngramDeviceFacts facts_{};
};

class Rows {
 public:
  Rows(const Device& device, const EngramRowsLayout& layout);
  ~Rows();
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  EngramRows* get() const noexcept { return rows_; }
  uint64_t bytes() const;

 private:
  const EngramDeviceTable& table_;
  EngramRows* rows_ = nullptr;
};

class Lane {
 public:
  explicit Lane(const Device& device);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void fill(Rows& rows, uint64_t first, uint64_t count, const float* keys, const float* values);
  EngramLane* get() const noexcept { return lane_; }
  // All steps of a fold; returns how many scores they accounted for.
  uint64_t fold(const EngramFold& fold);
  uint64_t bytes() const;

 private:
  const EngramDeviceTable& table_;
  EngramLane* lane_ = nullptr;
};

}  // namespace engram::device_test
