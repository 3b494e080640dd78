/* threads.h — a pool that splits rows; one thread is a pool of one.
 *
 * Every thread of the pool runs the same job at the same time; within a job
 * pipit_pool_barrier lines them up between stages. A barrier spins briefly, then
 * sleeps. The calling thread is number 0 and takes part. */
#ifndef PIPIT_THREADS_H
#define PIPIT_THREADS_H

#include "base.h"

typedef struct pipit_pool pipit_pool;
typedef void (*pipit_job)(void *context, uint32_t thread, uint32_t n_threads);

pipit_status pipit_pool_open(uint32_t n_threads, const pipit_allocator *a,
                             pipit_pool **out);
void pipit_pool_close(pipit_pool *pool);
uint32_t pipit_pool_size(const pipit_pool *pool);
/* Runs the job on all threads and returns when all have. */
void pipit_pool_run(pipit_pool *pool, pipit_job job, void *context);
/* Inside a job, by every thread alike. */
void pipit_pool_barrier(pipit_pool *pool);
/* The life of a further thread, 1 <= thread < n; returns when the pool closes.
 * Natively the pool starts it; in a module the host does. */
void pipit_pool_worker(pipit_pool *pool, uint32_t thread);

/* The part [*begin, *end) of n items that a thread takes. */
static inline void pipit_split(uint32_t n, uint32_t thread, uint32_t n_threads,
                               uint32_t *begin, uint32_t *end) {
    *begin = (uint32_t)((uint64_t)n * thread / n_threads);
    *end = (uint32_t)((uint64_t)n * (thread + 1) / n_threads);
}

#endif
