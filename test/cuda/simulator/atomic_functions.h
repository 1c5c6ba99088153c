// Atomic functions of CUDA C++. Real ones: kernels of two host threads may meet in memory.
#pragma once

#include <type_traits>

#define ENGRAM_ATOMIC_FETCH(name, operation)                 \
  template <typename T>                                      \
    requires std::is_integral_v<T>                           \
  inline T name(T* address, std::type_identity_t<T> value) { \
    return operation(address, value, __ATOMIC_RELAXED);      \
  }
ENGRAM_ATOMIC_FETCH(atomicAdd, __atomic_fetch_add)
ENGRAM_ATOMIC_FETCH(atomicSub, __atomic_fetch_sub)
ENGRAM_ATOMIC_FETCH(atomicOr, __atomic_fetch_or)
ENGRAM_ATOMIC_FETCH(atomicAnd, __atomic_fetch_and)
ENGRAM_ATOMIC_FETCH(atomicXor, __atomic_fetch_xor)
ENGRAM_ATOMIC_FETCH(atomicExch, __atomic_exchange_n)
#undef ENGRAM_ATOMIC_FETCH

template <typename T>
  requires std::is_integral_v<T>
inline T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  __atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}
template <typename T>
  requires std::is_integral_v<T>
inline T atomicMax(T* address, std::type_identity_t<T> value) {
  T seen = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (seen < value &&
         !__atomic_compare_exchange_n(address, &seen, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return seen;
}
template <typename T>
  requires std::is_integral_v<T>
inline T atomicMin(T* address, std::type_identity_t<T> value) {
  T seen = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (seen > value &&
         !__atomic_compare_exchange_n(address, &seen, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return seen;
}

inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
