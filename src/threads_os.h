/* threads_os.h — what a pool asks of the system: threads, and sleeping until a
 * word changes. threads_native.c (pthreads) or web/threads_wasm.c (the host
 * starts the threads, memory.atomic.wait32 puts them to sleep). */
#ifndef PIPIT_THREADS_OS_H
#define PIPIT_THREADS_OS_H

#include "threads.h"

#include <stdatomic.h>

#define PIPIT_MAX_THREADS 64u

typedef struct pipit_os_threads pipit_os_threads;

size_t pipit_os_bytes(uint32_t n_threads);
/* Starts threads 1 .. n-1 in pipit_pool_worker, where that is ours to do. How
 * many there are then, the caller included: fewer when the system refuses. */
uint32_t pipit_os_start(pipit_os_threads *os, pipit_pool *pool, uint32_t n_threads);
/* After every worker has returned, or is about to. */
void pipit_os_stop(pipit_os_threads *os);
/* Sleeps while *word == seen; may return early. */
void pipit_os_wait(pipit_os_threads *os, atomic_uint *word, uint32_t seen);
/* Wakes all that sleep on word. */
void pipit_os_wake(pipit_os_threads *os, atomic_uint *word);

static inline void pipit_os_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
