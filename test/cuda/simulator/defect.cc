#include "defect.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "block.h"

namespace engram::simulator {
namespace {

std::atomic<int> throwing{0};

}  // namespace

void report_defect(const std::string& message) {
  const std::string text = "simulated device: " + message + where_running();
  if (throwing.load() > 0) throw Defect(text);
  std::fprintf(stderr, "%s\n", text.c_str());
  std::abort();
}

DefectsThrow::DefectsThrow() { ++throwing; }
DefectsThrow::~DefectsThrow() { --throwing; }

}  // namespace engram::simulator
