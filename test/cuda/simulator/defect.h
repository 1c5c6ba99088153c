// Mistakes of the code under test.
#pragma once

#include <stdexcept>
#include <string>

namespace engram::simulator {

class Defect : public std::logic_error {
  using std::logic_error::logic_error;
};

// Prints the message, says which thread of which block was running, and aborts; where a DefectsThrow is
// alive, throws a Defect instead.
[[noreturn]] void report_defect(const std::string& message);

// While one is alive, defects are thrown: through the CUDA call that ran the work.
class DefectsThrow {
 public:
  DefectsThrow();
  ~DefectsThrow();
  DefectsThrow(const DefectsThrow&) = delete;
  DefectsThrow& operator=(const DefectsThrow&) = delete;
};

}  // namespace engram::simulator
