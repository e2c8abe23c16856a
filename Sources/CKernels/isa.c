#include "CKernels.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic int current_isa = -1;
static _Thread_local int forced_isa = -1;

int vk_isa_best(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq"))
    return 2;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
  return 0;
}

// NULL for none; an unknown one is refused before anything is computed (KernelEnvironment.swift).
static const char *wanted_kernels(void) {
  const char *text = getenv("VERNIER_KERNELS");
  return text && *text ? text : NULL;
}

int vk_has_bfloat16_dots(void) {
#if defined(__x86_64__)
  static _Atomic int known = -1;
  int has = atomic_load_explicit(&known, memory_order_relaxed);
  if (has >= 0) return has;
  // By the environment, not by what a test forces meanwhile: whoever has packed for it relies on it.
  const char *wanted = wanted_kernels();
  __builtin_cpu_init();
  has = vk_isa_best() == 2 && __builtin_cpu_supports("avx512bf16") && (!wanted || !strcmp(wanted, "avx512"));
  atomic_store_explicit(&known, has, memory_order_relaxed);
  return has;
#else
  return 0;
#endif
}

int vk_isa(void) {
  if (forced_isa >= 0) return forced_isa;
  int isa = atomic_load_explicit(&current_isa, memory_order_relaxed);
  if (isa >= 0) return isa;
  isa = vk_isa_best();
  const char *wanted = wanted_kernels();
  if (wanted) {
    int asked = !strcmp(wanted, "plain") ? 0 : !strcmp(wanted, "avx2") ? 1 : !strcmp(wanted, "avx512") ? 2 : isa;
    if (asked < isa) isa = asked;
  }
  atomic_store_explicit(&current_isa, isa, memory_order_relaxed);
  return isa;
}

void vk_isa_force(int isa) {
  int best = vk_isa_best();
  forced_isa = isa < best ? isa : best;
}
