#include "access_faults.h"

#include <signal.h>

#include <cstdio>
#include <string>

#include "block.h"
#include "memory.h"
#include "simulation.h"

namespace engram::simulator {
namespace {

struct sigaction before_segv;
struct sigaction before_bus;

// The process is lost already: no care is taken of what may be called here.
void on_fault(int signal, siginfo_t* info, void*) {
  const Simulation& simulation = Simulation::get();
  const Allocation* const allocation = simulation.memory.near(info->si_addr);
  std::string text = "simulated device: ";
  if (is_beyond_stack(info->si_addr)) {
    text += "a thread has used up its stack";
  } else if (info->si_code == SI_KERNEL) {
    text += "an access off its alignment, or to no address at all";
  } else if (allocation == nullptr) {
    text += "a fault at no allocation";
  } else if (where_running().empty() && !simulation.memory.is_open()) {
    text += "the host follows a pointer into memory of a device";
  } else {
    const auto offset = static_cast<const std::byte*>(info->si_addr) - allocation->data;
    text += "byte " + std::to_string(offset) + " of an allocation of " + std::to_string(allocation->bytes) +
            " is used";
  }
  text += where_running();
  std::fprintf(stderr, "%s\n", text.c_str());
  sigaction(signal, signal == SIGSEGV ? &before_segv : &before_bus, nullptr);
}

void install(int signal, struct sigaction* before) {
  struct sigaction now{};
  sigaction(signal, nullptr, &now);
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_fault) return;
  *before = now;
  struct sigaction ours{};
  ours.sa_sigaction = on_fault;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(signal, &ours, nullptr);
}

}  // namespace

void report_access_faults() {
  install(SIGSEGV, &before_segv);
  install(SIGBUS, &before_bus);
}

}  // namespace engram::simulator
