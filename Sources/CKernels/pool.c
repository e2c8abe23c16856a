// One persistent pool: workers spin for a short while after each job (layers follow each other within microseconds),
// then sleep on a condition variable.
#include "CKernels.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_THREADS = VK_MOST_THREADS, SPINS = 20000 };

static pthread_mutex_t caller_lock = PTHREAD_MUTEX_INITIALIZER;  // one job at a time
static pthread_mutex_t sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static atomic_int wanted_threads = 0;
static int started_workers = 0;

static vk_task job_task;
static void *job_context;
static long job_parts;
static int job_workers;                 // workers that take part in this job
static atomic_long job_next;
static atomic_int job_running;          // workers that have not finished this job
static atomic_ulong job_number;         // rises with each job
static _Thread_local int inside_task = 0;
static _Thread_local int thread_index = 0;

int vk_thread_index(void) { return thread_index; }

static pthread_key_t block_key;
static pthread_once_t block_once = PTHREAD_ONCE_INIT;
static _Thread_local struct { void *start; size_t bytes; } thread_block;

static atomic_size_t block_bytes;  // of all threads

static void free_block(void *start) {
  free(start);
  atomic_fetch_sub(&block_bytes, thread_block.bytes);
}
static void make_block_key(void) { pthread_key_create(&block_key, free_block); }
size_t vk_thread_block_bytes(void) { return atomic_load(&block_bytes); }

void *vk_thread_block(size_t bytes) {
  if (bytes <= thread_block.bytes) return thread_block.start;
  pthread_once(&block_once, make_block_key);
  free_block(thread_block.start);
  thread_block.start = NULL;
  thread_block.bytes = 0;
  if (posix_memalign(&thread_block.start, 64, bytes)) thread_block.start = NULL;
  else thread_block.bytes = bytes;
  atomic_fetch_add(&block_bytes, thread_block.bytes);
  pthread_setspecific(block_key, thread_block.start);
  return thread_block.start;
}

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void work(void) {
  inside_task = 1;
  for (;;) {
    long part = atomic_fetch_add_explicit(&job_next, 1, memory_order_relaxed);
    if (part >= job_parts) break;
    job_task(job_context, part);
  }
  inside_task = 0;
}

static void *worker(void *argument) {
  int index = (int)(intptr_t)argument;
  thread_index = index + 1;
  unsigned long seen = 0;
  for (;;) {
    unsigned long number = 0;
    for (int spin = 0; spin < SPINS; spin++) {
      number = atomic_load_explicit(&job_number, memory_order_acquire);
      if (number != seen) break;
      relax();
    }
    if (number == seen) {
      pthread_mutex_lock(&sleep_lock);
      while ((number = atomic_load_explicit(&job_number, memory_order_acquire)) == seen)
        pthread_cond_wait(&wake, &sleep_lock);
      pthread_mutex_unlock(&sleep_lock);
    }
    seen = number;
    // Every worker acknowledges every job, so a new job never starts while one still looks at the old one.
    if (index < job_workers) work();
    atomic_fetch_sub_explicit(&job_running, 1, memory_order_release);
  }
  return NULL;
}

int vk_thread_count(void) {
  int wanted = atomic_load(&wanted_threads);
  if (wanted == 0) {
    const char *text = getenv("VERNIER_THREADS");
    long count = text ? strtol(text, NULL, 10) : 0;
    if (count < 1) count = sysconf(_SC_NPROCESSORS_ONLN);
    if (count < 1) count = 1;
    count = count > MAX_THREADS ? MAX_THREADS : count;
    if (atomic_compare_exchange_strong(&wanted_threads, &wanted, (int)count)) wanted = (int)count;
  }
  return wanted;
}

void vk_thread_count_set(int count) {
  pthread_mutex_lock(&caller_lock);
  wanted_threads = count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count;
  pthread_mutex_unlock(&caller_lock);
}

void vk_parallel(long parts, vk_task task, void *context) {
  if (parts <= 0) return;
  if (parts == 1 || inside_task) {
    for (long part = 0; part < parts; part++) task(context, part);
    return;
  }
  pthread_mutex_lock(&caller_lock);
  int threads = vk_thread_count();
  while (started_workers < threads - 1) {
    // A new worker must not take an old job's number for a new one: it starts having seen none, and the first job it
    // sees counts it, because job_running is set from started_workers below, after this loop.
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int index = started_workers;
    unsigned long number = atomic_load(&job_number);
    if (number != 0) {
      // Let it run an empty job first so that its `seen` catches up: publish nothing, count it once.
      job_parts = 0;
      atomic_store(&job_next, 0);
      atomic_store(&job_running, 1);
    }
    int failed = pthread_create(&thread, &attributes, worker, (void *)(intptr_t)index);
    pthread_attr_destroy(&attributes);
    if (failed) {
      atomic_store(&job_running, 0);
      break;
    }
    started_workers++;
    if (number != 0)
      while (atomic_load_explicit(&job_running, memory_order_acquire) > 0) relax();
  }
  if (started_workers == 0 || threads == 1) {
    pthread_mutex_unlock(&caller_lock);
    for (long part = 0; part < parts; part++) task(context, part);
    return;
  }
  job_task = task;
  job_context = context;
  job_parts = parts;
  job_workers = threads - 1;
  atomic_store_explicit(&job_next, 0, memory_order_relaxed);
  atomic_store_explicit(&job_running, started_workers, memory_order_relaxed);
  pthread_mutex_lock(&sleep_lock);
  atomic_fetch_add_explicit(&job_number, 1, memory_order_release);
  pthread_cond_broadcast(&wake);
  pthread_mutex_unlock(&sleep_lock);
  work();
  for (long spin = 0; atomic_load_explicit(&job_running, memory_order_acquire) > 0; spin++) {
    if (spin < SPINS) relax();
    else usleep(20);
  }
  pthread_mutex_unlock(&caller_lock);
}

// Swift's closures, as its calling convention passes them: code and captures, in two words; the captures go to the code
// in a register of their own. Parallel.swift declares the function.
#if defined(__x86_64__) || defined(__aarch64__)
typedef __attribute__((swiftcall)) void (*closure_code)(long part, __attribute__((swift_context)) void *captures);
typedef struct {
  closure_code code;
  void *captures;
} closure;

static void run_closure(void *context, long part) {
  const closure *body = context;
  body->code(part, body->captures);
}

__attribute__((swiftcall)) void vk_parallel_closure(long parts, closure_code code, void *captures);
__attribute__((swiftcall)) void vk_parallel_closure(long parts, closure_code code, void *captures) {
  closure body = {code, captures};
  vk_parallel(parts, run_closure, &body);
}
#endif
