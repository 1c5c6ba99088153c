// Keeps the binary loadable where glibc and libstdc++ are older than the compiler's.
//
// gcc 12's headers and libm refer to symbols that only newer runtimes have. Definitions of our own, hidden in
// the addon, take their place; scripts/check-artifact.mjs states what the binary then needs.
#if defined(__linux__)

// NOLINTBEGIN(bugprone-reserved-identifier): these are the names that the C and C++ runtimes ask for

namespace std {
// Called by containers when a size overflows. The real one throws bad_array_new_length, which is caught
// like any allocation failure.
[[noreturn]] void __throw_bad_alloc();
[[noreturn]] __attribute__((visibility("hidden"))) void __throw_bad_array_new_length() {
  __throw_bad_alloc();
}
}  // namespace std

extern "C" {

// shared_ptr asks whether the process has one thread, to spare atomic operations. Ours never has.
__attribute__((visibility("hidden"))) char __libc_single_threaded = 0;

#if defined(__x86_64__)
// These four got a new version in glibc 2.29, which differs only in how errors reach errno. The addon is
// linked with --wrap, so that its calls come here and go on to the version every glibc has.
double engram_old_exp(double);
double engram_old_exp2(double);
double engram_old_log(double);
double engram_old_log2(double);
__asm__(".symver engram_old_exp,exp@GLIBC_2.2.5");
__asm__(".symver engram_old_exp2,exp2@GLIBC_2.2.5");
__asm__(".symver engram_old_log,log@GLIBC_2.2.5");
__asm__(".symver engram_old_log2,log2@GLIBC_2.2.5");
__attribute__((visibility("hidden"))) double __wrap_exp(double x) { return engram_old_exp(x); }
__attribute__((visibility("hidden"))) double __wrap_exp2(double x) { return engram_old_exp2(x); }
__attribute__((visibility("hidden"))) double __wrap_log(double x) { return engram_old_log(x); }
__attribute__((visibility("hidden"))) double __wrap_log2(double x) { return engram_old_log2(x); }

// These moved from libdl into libc with glibc 2.34, and got a new version by that.
void* engram_old_dlopen(const char*, int);
void* engram_old_dlsym(void*, const char*);
char* engram_old_dlerror();
__asm__(".symver engram_old_dlopen,dlopen@GLIBC_2.2.5");
__asm__(".symver engram_old_dlsym,dlsym@GLIBC_2.2.5");
__asm__(".symver engram_old_dlerror,dlerror@GLIBC_2.2.5");
__attribute__((visibility("hidden"))) void* __wrap_dlopen(const char* file, int mode) {
  return engram_old_dlopen(file, mode);
}
__attribute__((visibility("hidden"))) void* __wrap_dlsym(void* library, const char* name) {
  return engram_old_dlsym(library, name);
}
__attribute__((visibility("hidden"))) char* __wrap_dlerror() { return engram_old_dlerror(); }
#endif
}

// NOLINTEND(bugprone-reserved-identifier)

#endif
