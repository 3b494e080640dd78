/* threads_native.c — pthreads; one mutex and condition for all words, since
 * sleeping is the rare case. */
#ifndef PIPIT_WASM

#include "threads_os.h"

#include <pthread.h>

typedef struct os_thread {
    pthread_t handle;
    pipit_pool *pool;
    uint32_t index;
} os_thread;

struct pipit_os_threads {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint32_t n; /* started */
    os_thread threads[];
};

size_t pipit_os_bytes(uint32_t n_threads) {
    return sizeof(pipit_os_threads) + n_threads * sizeof(os_thread);
}

static void *run_worker(void *context) {
    const os_thread *t = context;
    pipit_pool_worker(t->pool, t->index);
    return NULL;
}

uint32_t pipit_os_start(pipit_os_threads *os, pipit_pool *pool,
                        uint32_t n_threads) {
    pthread_mutex_init(&os->mutex, NULL);
    pthread_cond_init(&os->changed, NULL);
    for (os->n = 0; os->n + 1 < n_threads; os->n++) {
        os_thread *t = &os->threads[os->n];
        *t = (os_thread){.pool = pool, .index = os->n + 1};
        if (pthread_create(&t->handle, NULL, run_worker, t) != 0) break;
    }
    return os->n + 1;
}

void pipit_os_stop(pipit_os_threads *os) {
    for (uint32_t i = 0; i < os->n; i++)
        pthread_join(os->threads[i].handle, NULL);
    pthread_cond_destroy(&os->changed);
    pthread_mutex_destroy(&os->mutex);
}

void pipit_os_wait(pipit_os_threads *os, atomic_uint *word, uint32_t seen) {
    pthread_mutex_lock(&os->mutex);
    if (atomic_load(word) == seen) pthread_cond_wait(&os->changed, &os->mutex);
    pthread_mutex_unlock(&os->mutex);
}

void pipit_os_wake(pipit_os_threads *os, atomic_uint *word) {
    (void)word;
    pthread_mutex_lock(&os->mutex);
    pthread_cond_broadcast(&os->changed);
    pthread_mutex_unlock(&os->mutex);
}

#endif
