/* engine.h — the threads and the arithmetic that models run on. */
#ifndef PIPIT_ENGINE_H
#define PIPIT_ENGINE_H

#include "kernels/kernels.h"
#include "threads.h"

/* Multiply-adds per step: some 10 to 100 ms, so that a caller between steps can
 * cancel or serve others. */
#ifndef PIPIT_STEP_MACS
#define PIPIT_STEP_MACS ((uint64_t)1 << 29)
#endif

struct pipit_engine {
    const pipit_allocator *allocator;
    uint64_t step_macs; /* PIPIT_STEP_MACS; tests take smaller steps */
    const pipit_kernels *kernels;
    pipit_pool *pool;
};

/* The life of thread 1 <= thread < n of a module whose threads the host
 * starts; returns when the engine closes. */
void pipit_engine_worker(pipit_engine *engine, uint32_t thread);

/* One round of a fixed small product with the i-th implementation: what is timed
 * to choose one. */
pipit_status pipit_engine_probe(uint32_t i, const pipit_allocator *a);

#endif
