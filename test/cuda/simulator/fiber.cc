#include "fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <new>

#if defined(__x86_64__) && defined(__linux__)
#define ENGRAM_FIBER_ASSEMBLY 1
#else
#define ENGRAM_FIBER_ASSEMBLY 0
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define ENGRAM_FIBER_ADDRESS_SANITIZER 1
#else
#define ENGRAM_FIBER_ADDRESS_SANITIZER 0
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define ENGRAM_FIBER_THREAD_SANITIZER 1
#else
#define ENGRAM_FIBER_THREAD_SANITIZER 0
#endif

#if ENGRAM_FIBER_ASSEMBLY
// Keeps the registers that a call preserves on the stack, notes the stack in *from, and goes on with `to`: by
// a jump, for the processor would predict that a return goes back to the caller.
extern "C" void engram_switch_stacks(void** from, void* to);
asm(R"(
  .text
  .globl engram_switch_stacks
  .hidden engram_switch_stacks
  .type engram_switch_stacks, @function
engram_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmpq *%rcx
  .size engram_switch_stacks, .-engram_switch_stacks
)");
#endif

namespace engram::simulator {
namespace {

constexpr size_t kStackBytes = (ENGRAM_FIBER_ADDRESS_SANITIZER ? 512 : 128)
                               << 10;  // taken page by page, as used
constexpr size_t kCacheLine = 64;

}  // namespace

struct Fiber::Context {
  std::byte* stack = nullptr;  // lowest address; the page before it is a guard
  size_t unused = 0;           // bytes at the stack's end
#if ENGRAM_FIBER_ASSEMBLY
  void* own = nullptr;
  void* resumer = nullptr;
#else
  ucontext_t own;
  ucontext_t resumer;
#endif
#if ENGRAM_FIBER_ADDRESS_SANITIZER
  void* resumer_fake_stack = nullptr;
  void* own_fake_stack = nullptr;
  const void* resumer_stack = nullptr;
  size_t resumer_stack_bytes = 0;
#endif
#if ENGRAM_FIBER_THREAD_SANITIZER
  void* own_thread = __tsan_create_fiber(0);
  void* resumer_thread = nullptr;
#endif
  Entry entry = nullptr;
};

Fiber::Fiber() : context_(new Context) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const stack = mmap(nullptr, page + kStackBytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED) throw std::bad_alloc();
  mprotect(stack, page, PROT_NONE);
  context_->stack = static_cast<std::byte*>(stack) + page;
  // Stacks that begin at different places in their pages do not drive each other out of the cache.
  static std::atomic<uint32_t> made{0};
  context_->unused = made++ * kCacheLine * 3 % page;
}

Fiber::~Fiber() {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
#if ENGRAM_FIBER_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(context_->stack, kStackBytes);  // whoever is given these addresses next
#endif
  munmap(context_->stack - page, page + kStackBytes);
#if ENGRAM_FIBER_THREAD_SANITIZER
  __tsan_destroy_fiber(context_->own_thread);
#endif
  delete context_;
}

namespace {

thread_local Fiber* beginning = nullptr;  // the fiber whose first resume() is under way

}  // namespace

void Fiber::begin(Entry entry) {
  context_->entry = entry;
#if ENGRAM_FIBER_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(context_->stack, kStackBytes);  // frames that were left without a return
#endif
  // The first frame: says to the sanitizer that the stack has been changed, then calls the entry.
  static constexpr auto kFirst = [] {
#if ENGRAM_FIBER_ADDRESS_SANITIZER
    Context& context = *beginning->context_;
    __sanitizer_finish_switch_fiber(nullptr, &context.resumer_stack, &context.resumer_stack_bytes);
#endif
    beginning->context_->entry();
    __builtin_trap();
  };
  void (*const first)() = kFirst;
#if ENGRAM_FIBER_ASSEMBLY
  // As engram_switch_stacks() finds it: six registers, then where to go on; the stack is aligned as after a
  // call.
  auto* top = reinterpret_cast<uintptr_t*>(context_->stack + kStackBytes - context_->unused) - 1;
  *top = 0;
  *--top = reinterpret_cast<uintptr_t>(first);
  for (int i = 0; i < 6; ++i) *--top = 0;
  context_->own = top;
#else
  getcontext(&context_->own);
  context_->own.uc_stack.ss_sp = context_->stack;
  context_->own.uc_stack.ss_size = kStackBytes;
  context_->own.uc_link = nullptr;
  makecontext(&context_->own, first, 0);
#endif
}

void Fiber::resume() {
  beginning = this;
  Context& context = *context_;
#if ENGRAM_FIBER_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(&context.resumer_fake_stack, context.stack, kStackBytes);
#endif
#if ENGRAM_FIBER_THREAD_SANITIZER
  context.resumer_thread = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(context.own_thread, 0);
#endif
#if ENGRAM_FIBER_ASSEMBLY
  engram_switch_stacks(&context.resumer, context.own);
#else
  swapcontext(&context.resumer, &context.own);
#endif
#if ENGRAM_FIBER_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(context.resumer_fake_stack, nullptr, nullptr);
#endif
}

void Fiber::pause() {
  Context& context = *context_;
#if ENGRAM_FIBER_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(&context.own_fake_stack, context.resumer_stack, context.resumer_stack_bytes);
#endif
#if ENGRAM_FIBER_THREAD_SANITIZER
  __tsan_switch_to_fiber(context.resumer_thread, 0);
#endif
#if ENGRAM_FIBER_ASSEMBLY
  engram_switch_stacks(&context.own, context.resumer);
#else
  swapcontext(&context.own, &context.resumer);
#endif
#if ENGRAM_FIBER_ADDRESS_SANITIZER
  __sanitizer_finish_switch_fiber(context.own_fake_stack, &context.resumer_stack,
                                  &context.resumer_stack_bytes);
#endif
}

bool Fiber::guards(const void* address) const {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return address < context_->stack && address >= context_->stack - page;
}

}  // namespace engram::simulator
