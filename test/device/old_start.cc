// Keeps the runner startable where glibc is older than the compiler's, beside what
// native/cuda/old_runtimes.cc does for everything with the CUDA runtime in it: what an executable, and libgcc
// inside it, ask of newer ones.
#if defined(__linux__) && defined(__x86_64__)

#include <dlfcn.h>
#include <link.h>

#include <cstdint>
#include <cstring>

// NOLINTBEGIN(bugprone-reserved-identifier): names that the C runtime asks for

extern "C" {

using Initialiser = void (*)(int, char**, char**);
extern Initialiser __init_array_start[] __attribute__((visibility("hidden")));
extern Initialiser __init_array_end[] __attribute__((visibility("hidden")));

int engram_old_start(int (*)(int, char**, char**), int, char**, Initialiser, void (*)(), void (*)(), void*);
__asm__(".symver engram_old_start,__libc_start_main@GLIBC_2.2.5");

// Since glibc 2.34 the start code leaves constructors to libc; before, it brought them along.
static void construct(int count, char** words, char** environment) {
  for (Initialiser* at = __init_array_start; at != __init_array_end; ++at) (*at)(count, words, environment);
}

__attribute__((visibility("hidden"))) int __libc_start_main(int (*main)(int, char**, char**), int count,
                                                            char** words, Initialiser, void (*fini)(),
                                                            void (*rtld_fini)(), void* stack_end) {
  return engram_old_start(main, count, words, &construct, fini, rtld_fini, stack_end);
}

// Where the unwinding tables of a code address lie; glibc has this function since 2.35.
namespace {

struct Search {
  uintptr_t address;
  dl_find_object* found;
};

int look_at(dl_phdr_info* info, size_t, void* context) {
  auto* search = static_cast<Search*>(context);
  uintptr_t tables = 0;
  uintptr_t begin = UINTPTR_MAX;
  uintptr_t end = 0;
  bool inside = false;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    const uintptr_t at = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_GNU_EH_FRAME) tables = at;
    if (segment.p_type != PT_LOAD) continue;
    begin = begin < at ? begin : at;
    end = end > at + segment.p_memsz ? end : at + segment.p_memsz;
    inside = inside || (at <= search->address && search->address < at + segment.p_memsz);
  }
  if (!inside || tables == 0) return 0;
  std::memset(search->found, 0, sizeof *search->found);
  search->found->dlfo_map_start = reinterpret_cast<void*>(begin);
  search->found->dlfo_map_end = reinterpret_cast<void*>(end);
  search->found->dlfo_eh_frame = reinterpret_cast<void*>(tables);
  return 1;
}

}  // namespace

__attribute__((visibility("hidden"))) int _dl_find_object(void* address, dl_find_object* found) noexcept {
  Search search{reinterpret_cast<uintptr_t>(address), found};
  return dl_iterate_phdr(&look_at, &search) == 1 ? 0 : -1;
}

}  // extern "C"

// NOLINTEND(bugprone-reserved-identifier)

#endif
