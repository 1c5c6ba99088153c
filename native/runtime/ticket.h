// The handle that whoever asks for heavy work gets back.
#pragma once

#include <functional>

#include "base/status.h"

namespace engram::runtime {

// A request under way. Dropping it does not cancel.
class Ticket {
 public:
  virtual ~Ticket() = default;
  // The request ends soon with kAborted unless it has ended already; others that share its work go on.
  virtual void cancel() noexcept = 0;
};

// Called exactly once when a request ends, on a pool thread.
using Done = std::function<void(const Status&)>;

}  // namespace engram::runtime
