#include "runtime/file_threads.h"

#include <deque>
#include <mutex>
#include <utility>

#include "runtime/thread_start.h"

namespace engram::runtime {
namespace {

constexpr unsigned kMostThreads = 4;
constexpr unsigned kFirstNumber = 1000;  // after the pool's in the threads' names

struct Line {
  std::mutex mutex;
  std::deque<std::function<void()>> waiting;
  unsigned threads = 0;
};

// Never destroyed: a process may exit while a thread works.
Line& line() {
  static Line* const kLine = new Line();
  return *kLine;
}

void work_until_empty() {
  for (;;) {
    std::function<void()> work;
    {
      const std::lock_guard<std::mutex> lock(line().mutex);
      if (line().waiting.empty()) {
        --line().threads;
        return;
      }
      work = std::move(line().waiting.front());
      line().waiting.pop_front();
    }
    work();
  }
}

}  // namespace

Status run_on_file_thread(std::function<void()> work) {
  const std::lock_guard<std::mutex> lock(line().mutex);
  line().waiting.push_back(std::move(work));
  if (line().threads == kMostThreads) return {};
  if (start_thread(kFirstNumber + line().threads, work_until_empty)) {
    ++line().threads;
    return {};
  }
  if (line().threads > 0) return {};  // those that run will come to it
  line().waiting.pop_back();
  return {StatusCode::kOutOfMemory, "the system refused a thread for reading or writing a file"};
}

}  // namespace engram::runtime
