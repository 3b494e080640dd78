/* threads.c — one word says which job is current (its count), one how many
 * threads have finished it, one is the barrier. A waiting thread spins for some
 * tens of microseconds, since the next stage usually comes sooner than the system
 * could wake it, then sleeps until the word changes. */
#include "threads.h"

#include "arena.h"
#include "threads_os.h"

#include <stdatomic.h>

#define SPINS 60000u

struct pipit_pool {
    const pipit_allocator *allocator;
    size_t block_bytes;
    uint32_t n_threads;
    pipit_job job;
    void *context;
    pipit_os_threads *os;
    /* Each word on a line of its own: they are written by different threads. */
    _Alignas(64) atomic_uint job_count;
    _Alignas(64) atomic_uint n_finished;
    _Alignas(64) atomic_uint barrier_count;
    _Alignas(64) atomic_uint barrier_phase;
    _Alignas(64) atomic_uint n_sleeping;
    atomic_bool closing;
};

/* Until *word differs from seen. */
static void wait_for_change(pipit_pool *pool, atomic_uint *word, uint32_t seen) {
    for (uint32_t i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != seen) return;
        pipit_os_pause();
    }
    atomic_fetch_add(&pool->n_sleeping, 1);
    while (atomic_load(word) == seen) pipit_os_wait(pool->os, word, seen);
    atomic_fetch_sub(&pool->n_sleeping, 1);
}

static void change(pipit_pool *pool, atomic_uint *word, uint32_t value) {
    atomic_store(word, value);
    if (atomic_load(&pool->n_sleeping) > 0) pipit_os_wake(pool->os, word);
}

/* The count after adding one. By compare and exchange: the result of an atomic
 * addition is wrong in code of Node 20's baseline compiler. */
static uint32_t count_up(atomic_uint *word) {
    uint32_t n = atomic_load(word);
    while (!atomic_compare_exchange_weak(word, &n, n + 1)) {}
    return n + 1;
}

static void finish_job(pipit_pool *pool) {
    uint32_t n = count_up(&pool->n_finished);
    if (n == pool->n_threads && atomic_load(&pool->n_sleeping) > 0)
        pipit_os_wake(pool->os, &pool->n_finished);
}

void pipit_pool_worker(pipit_pool *pool, uint32_t thread) {
    uint32_t seen = 0;
    for (;;) {
        wait_for_change(pool, &pool->job_count, seen);
        if (atomic_load(&pool->closing)) break;
        seen = atomic_load(&pool->job_count);
        pool->job(pool->context, thread, pool->n_threads);
        finish_job(pool);
    }
    finish_job(pool);
}

static void start_job(pipit_pool *pool) {
    atomic_store(&pool->n_finished, 0);
    change(pool, &pool->job_count, atomic_load(&pool->job_count) + 1);
}

static void wait_until_finished(pipit_pool *pool) {
    uint32_t n;
    while ((n = atomic_load(&pool->n_finished)) != pool->n_threads)
        wait_for_change(pool, &pool->n_finished, n);
}

void pipit_pool_run(pipit_pool *pool, pipit_job job, void *context) {
    if (pool->n_threads == 1) {
        job(context, 0, 1);
        return;
    }
    pool->job = job;
    pool->context = context;
    start_job(pool);
    job(context, 0, pool->n_threads);
    finish_job(pool);
    wait_until_finished(pool);
}

void pipit_pool_barrier(pipit_pool *pool) {
    if (pool->n_threads == 1) return;
    uint32_t phase = atomic_load(&pool->barrier_phase);
    if (count_up(&pool->barrier_count) == pool->n_threads) {
        atomic_store(&pool->barrier_count, 0);
        change(pool, &pool->barrier_phase, phase + 1);
    } else {
        wait_for_change(pool, &pool->barrier_phase, phase);
    }
}

uint32_t pipit_pool_size(const pipit_pool *pool) {
    return pool->n_threads;
}

static pipit_pool *carve_pool(pipit_arena *arena, uint32_t n_threads,
                              pipit_os_threads **os) {
    pipit_pool *pool = pipit_arena_take(arena, 1, sizeof *pool);
    *os = pipit_arena_take(arena, 1, pipit_os_bytes(n_threads));
    return pool;
}

pipit_status pipit_pool_open(uint32_t n_threads, const pipit_allocator *a,
                             pipit_pool **out) {
    pipit_arena arena = {0};
    pipit_os_threads *os;
    if (n_threads == 0 || n_threads > PIPIT_MAX_THREADS) return PIPIT_E_ARGUMENT;
    carve_pool(&arena, n_threads, &os);
    a = pipit_allocator_or_platform(a);
    void *block = pipit_take(a, arena.used);
    if (!block) return PIPIT_E_MEMORY;
    size_t bytes = arena.used;
    arena = (pipit_arena){.base = block, .capacity = bytes};
    pipit_pool *pool = carve_pool(&arena, n_threads, &os);
    memset(pool, 0, sizeof *pool);
    pool->allocator = a;
    pool->block_bytes = bytes;
    pool->n_threads = n_threads;
    pool->os = os;
    /* No thread reads n_threads before its first job. */
    pool->n_threads = pipit_os_start(os, pool, n_threads);
    *out = pool;
    return PIPIT_OK;
}

void pipit_pool_close(pipit_pool *pool) {
    if (!pool) return;
    if (pool->n_threads > 1) {
        atomic_store(&pool->closing, true);
        start_job(pool);
        finish_job(pool);
        wait_until_finished(pool);
    }
    pipit_os_stop(pool->os);
    pipit_give(pool->allocator, pool, pool->block_bytes);
}
