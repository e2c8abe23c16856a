// Internal: 16 lanes, and the choice between builds of one kernel. A file of kernels includes its body once per
// instruction set, each time with another SUFFIX.
#pragma once
#include <stdint.h>

// The helpers on lanes are always inlined: no vector crosses a call, so the ABI note does not apply.
#pragma clang diagnostic ignored "-Wpsabi"
typedef float v8 __attribute__((ext_vector_type(8)));
typedef float v16 __attribute__((ext_vector_type(16)));
typedef int32_t i16x __attribute__((ext_vector_type(16)));
typedef uint32_t u16x __attribute__((ext_vector_type(16)));
typedef uint64_t w16x __attribute__((ext_vector_type(16)));
typedef double d4 __attribute__((ext_vector_type(4)));
typedef double d8 __attribute__((ext_vector_type(8)));
typedef double d16 __attribute__((ext_vector_type(16)));

#if defined(__x86_64__)
#define DISPATCH(name, ...)                                                                                            \
  do {                                                                                                                 \
    int isa = vk_isa();                                                                                                \
    if (isa == 2) name##_avx512(__VA_ARGS__);                                                                          \
    else if (isa == 1) name##_avx2(__VA_ARGS__);                                                                       \
    else name##_plain(__VA_ARGS__);                                                                                    \
  } while (0)
#else
#define DISPATCH(name, ...) name##_plain(__VA_ARGS__)
#endif
