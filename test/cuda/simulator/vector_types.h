// The small vectors of CUDA C++.
#pragma once

#define __align__(bytes) __attribute__((aligned(bytes)))

#define ENGRAM_VECTOR_TYPES(type, name, of_two, of_four)                                \
  struct name##1 { type x; };                                                           \
  struct __align__(of_two) name##2 { type x, y; };                                      \
  struct name##3 { type x, y, z; };                                                     \
  struct __align__(of_four) name##4 { type x, y, z, w; };                               \
  inline constexpr name##1 make_##name##1(type x) { return {x}; }                       \
  inline constexpr name##2 make_##name##2(type x, type y) { return {x, y}; }            \
  inline constexpr name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; } \
  inline constexpr name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }

ENGRAM_VECTOR_TYPES(signed char, char, 2, 4)
ENGRAM_VECTOR_TYPES(unsigned char, uchar, 2, 4)
ENGRAM_VECTOR_TYPES(short, short, 4, 8)
ENGRAM_VECTOR_TYPES(unsigned short, ushort, 4, 8)
ENGRAM_VECTOR_TYPES(int, int, 8, 16)
ENGRAM_VECTOR_TYPES(unsigned int, uint, 8, 16)
ENGRAM_VECTOR_TYPES(long long, longlong, 16, 16)
ENGRAM_VECTOR_TYPES(unsigned long long, ulonglong, 16, 16)
ENGRAM_VECTOR_TYPES(float, float, 8, 16)
ENGRAM_VECTOR_TYPES(double, double, 16, 16)
#undef ENGRAM_VECTOR_TYPES

struct dim3 {
  unsigned int x, y, z;
  constexpr dim3(unsigned int x_ = 1, unsigned int y_ = 1, unsigned int z_ = 1) : x(x_), y(y_), z(z_) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
  constexpr operator uint3() const { return {x, y, z}; }
};
