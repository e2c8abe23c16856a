#include "CAllocationCounter.h"
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITISED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(SANITISED)
#include <execinfo.h>

static atomic_long count, bytes;
static atomic_int tracing;
static _Thread_local int inside;  // what tracing itself allocates is not traced

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t number, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void seen(size_t size) {
  atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&bytes, (long)size, memory_order_relaxed);
  if (!atomic_load_explicit(&tracing, memory_order_relaxed) || inside) return;
  inside = 1;
  void *frames[14];
  backtrace_symbols_fd(frames, backtrace(frames, 14), 2);
  inside = 0;
}

void *malloc(size_t size) {
  seen(size);
  return __libc_malloc(size);
}
void *calloc(size_t number, size_t size) {
  seen(number * size);
  return __libc_calloc(number, size);
}
void *realloc(void *block, size_t size) {
  seen(size);
  return __libc_realloc(block, size);
}
void *memalign(size_t alignment, size_t size) {
  seen(size);
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **block, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) || alignment & (alignment - 1) || alignment == 0) return EINVAL;
  void *found = memalign(alignment, size);
  if (!found) return ENOMEM;
  *block = found;
  return 0;
}

int allocation_counting_available(void) { return 1; }
long allocation_count(void) { return atomic_load(&count); }
long allocated_bytes(void) { return atomic_load(&bytes); }
void allocation_trace(int on) { atomic_store(&tracing, on); }
#else
int allocation_counting_available(void) { return 0; }
long allocation_count(void) { return 0; }
long allocated_bytes(void) { return 0; }
void allocation_trace(int on) { (void)on; }
#endif
