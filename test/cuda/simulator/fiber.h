// Functions that pause and go on, each on a stack of its own.
#pragma once

#include <cstddef>

namespace engram::simulator {

// Runs a function on its own stack. A fiber is resumed by one host thread at a time and pauses back to it.
class Fiber {
 public:
  using Entry = void (*)();

  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // From the next resume() on, `entry` runs from its beginning; what the fiber did before is forgotten. It
  // must not return: it ends by a pause() after which nobody resumes it.
  void begin(Entry entry);
  // Runs the fiber until it pauses.
  void resume();
  // Called by the running fiber: goes back to who resumed it.
  void pause();
  // Whether the address is just below the fiber's stack: where it came to by using too much of it.
  bool guards(const void* address) const;

 private:
  struct Context;
  Context* context_;
};

}  // namespace engram::simulator
