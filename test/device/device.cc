#include "device/device.h"

#include "device/copy_threads.h"

namespace engram::device_test {
namespace {

void demand(int32_t code, const EngramFailure& failure) {
  if (code != 0) throw Refusal(code, failure.message);
}

}  // namespace

Device::Device(const EngramDeviceTable& table, uint32_t number) : table_(table), number_(number) {
  EngramFailure failure{};
  demand(table_.facts(number, &facts_, &failure), failure);
}

Rows::Rows(const Device& device, const EngramRowsLayout& layout) : table_(device.table()) {
  EngramFailure failure{};
  demand(table_.create_rows(device.number(), &layout, &rows_, &failure), failure);
}

Rows::~Rows() { table_.destroy_rows(rows_); }

uint64_t Rows::bytes() const { return table_.rows_bytes(rows_); }

Lane::Lane(const Device& device) : table_(device.table()) {
  EngramFailure failure{};
  demand(table_.open_lane(device.number(), &copy_by_threads, &lane_, &failure), failure);
}

Lane::~Lane() { table_.close_lane(lane_); }

uint64_t Lane::bytes() const { return table_.lane_bytes(lane_); }

void Lane::fill(Rows& rows, uint64_t first, uint64_t count, const float* keys, const float* values) {
  EngramFailure failure{};
  demand(table_.fill_rows(lane_, rows.get(), first, count, keys, values, &failure), failure);
}

uint64_t Lane::fold(const EngramFold& fold) {
  EngramFailure failure{};
  int32_t code = table_.begin_fold(lane_, &fold, &failure);
  uint64_t scores = 0;
  for (uint32_t ended = 0; code == 0 && ended == 0;) {
    uint64_t work = 0;
    code = table_.step_fold(lane_, &ended, &work, &failure);
    scores += work;
  }
  table_.end_fold(lane_);
  demand(code, failure);
  return scores;
}

}  // namespace engram::device_test
