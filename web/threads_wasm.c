/* threads_wasm.c — the host starts the threads; they sleep in memory.atomic
 * waits. Without threads a pool is always of one. */
#include "../src/threads_os.h"

size_t pipit_os_bytes(uint32_t n_threads) {
    (void)n_threads;
    return 1;
}

uint32_t pipit_os_start(pipit_os_threads *os, pipit_pool *pool,
                        uint32_t n_threads) {
    (void)os;
    (void)pool;
#ifdef PIPIT_WASM_THREADS
    return n_threads;
#else
    (void)n_threads;
    return 1;
#endif
}

void pipit_os_stop(pipit_os_threads *os) {
    (void)os;
}

void pipit_os_wait(pipit_os_threads *os, atomic_uint *word, uint32_t seen) {
    (void)os;
#ifdef PIPIT_WASM_THREADS
    __builtin_wasm_memory_atomic_wait32((int *)word, (int)seen, -1);
#else
    (void)word;
    (void)seen;
#endif
}

void pipit_os_wake(pipit_os_threads *os, atomic_uint *word) {
    (void)os;
#ifdef PIPIT_WASM_THREADS
    __builtin_wasm_memory_atomic_notify((int *)word, ~0u);
#else
    (void)word;
#endif
}
