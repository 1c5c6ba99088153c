// Keeps the plugin loadable where glibc is older than the compiler's, beside what base/old_runtimes.cc does.
//
// With glibc 2.34 these functions moved from libdl, libpthread and librt into libc, and got a new version by
// that. The CUDA runtime, which is linked in, calls them by name: it finds these definitions, hidden in the
// plugin, which go on to the version that every glibc has. The plugin names those three libraries as needed,
// for where they are still apart.
#if defined(__linux__) && defined(__x86_64__)

// Defines `name` as a jump to the function of that name with the given version.
#define ENGRAM_OLD_SYMBOL(name, version)                                            \
  __asm__(".section .text.old_" #name                                               \
          ",\"ax\",@progbits\n"                                                     \
          ".symver engram_old_" #name "," #name "@GLIBC_" version                   \
          "\n"                                                                      \
          ".globl " #name "\n.hidden " #name "\n.type " #name ", @function\n" #name \
          ":\n  jmp engram_old_" #name                                              \
          "@PLT\n"                                                                  \
          ".size " #name ", . - " #name "\n.text\n");

#define ENGRAM_OLD(name) ENGRAM_OLD_SYMBOL(name, "2.2.5")

ENGRAM_OLD(dlclose)
ENGRAM_OLD(dlerror)
ENGRAM_OLD_SYMBOL(dlmopen, "2.3.4")
ENGRAM_OLD(dlopen)
ENGRAM_OLD(dlsym)
ENGRAM_OLD(dlvsym)

ENGRAM_OLD(pthread_condattr_setpshared)
ENGRAM_OLD(pthread_create)
ENGRAM_OLD(pthread_detach)
ENGRAM_OLD(pthread_getspecific)
ENGRAM_OLD(pthread_join)
ENGRAM_OLD(__pthread_key_create)
ENGRAM_OLD(pthread_key_create)
ENGRAM_OLD(pthread_key_delete)
ENGRAM_OLD(pthread_kill)
ENGRAM_OLD(pthread_mutex_trylock)
ENGRAM_OLD(pthread_mutexattr_destroy)
ENGRAM_OLD(pthread_mutexattr_init)
ENGRAM_OLD(pthread_mutexattr_setpshared)
ENGRAM_OLD(pthread_mutexattr_settype)
ENGRAM_OLD(pthread_once)
ENGRAM_OLD(pthread_rwlock_destroy)
ENGRAM_OLD(pthread_rwlock_init)
ENGRAM_OLD(pthread_rwlock_rdlock)
ENGRAM_OLD(pthread_rwlock_timedrdlock)
ENGRAM_OLD(pthread_rwlock_timedwrlock)
ENGRAM_OLD(pthread_rwlock_tryrdlock)
ENGRAM_OLD(pthread_rwlock_trywrlock)
ENGRAM_OLD(pthread_rwlock_unlock)
ENGRAM_OLD(pthread_rwlock_wrlock)
ENGRAM_OLD(pthread_rwlockattr_destroy)
ENGRAM_OLD(pthread_rwlockattr_init)
ENGRAM_OLD(pthread_rwlockattr_setpshared)
ENGRAM_OLD(pthread_setspecific)
ENGRAM_OLD(pthread_spin_destroy)
ENGRAM_OLD(pthread_spin_init)
ENGRAM_OLD(pthread_spin_lock)
ENGRAM_OLD(pthread_spin_trylock)
ENGRAM_OLD(pthread_spin_unlock)
ENGRAM_OLD(sem_destroy)
ENGRAM_OLD(sem_init)
ENGRAM_OLD(sem_post)
ENGRAM_OLD(sem_timedwait)
ENGRAM_OLD(sem_trywait)
ENGRAM_OLD(sem_wait)
ENGRAM_OLD(shm_open)
ENGRAM_OLD(shm_unlink)

#endif
