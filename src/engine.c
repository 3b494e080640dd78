/* engine.c — opens the pool and picks the arithmetic. */
#include "engine.h"

#include "arena.h"

#define PROBE_ROWS 256u
#define PROBE_COLS 512u

const char *pipit_kernels_list(uint32_t i) {
    const pipit_kernels *k = pipit_kernels_at(i);
    return k ? k->name : NULL;
}

typedef struct probe {
    uint8_t *weights, *blocks, *scratch;
    float *x, *y;
    pipit_matrix w;
} probe;

static void carve_probe(pipit_arena *arena, const pipit_kernels *k, probe *p) {
    size_t group_bytes = 0;
    pipit_layout_group_bytes(PIPIT_TYPE_Q4_0, PROBE_COLS, &group_bytes);
    p->weights = pipit_arena_take(arena, PROBE_ROWS / PIPIT_GROUP_ROWS,
                                  group_bytes);
    p->blocks = pipit_arena_take(arena, PROBE_COLS / PIPIT_ACT_BLOCK,
                                 k->act_block_bytes);
    p->scratch = pipit_arena_take_bytes(
        arena, k->matmul_scratch_bytes(PROBE_COLS, 1));
    p->x = pipit_arena_take(arena, PROBE_COLS, sizeof(float));
    p->y = pipit_arena_take(arena, PROBE_ROWS, sizeof(float));
    p->w = (pipit_matrix){PIPIT_TYPE_Q4_0, PROBE_ROWS, PROBE_COLS, group_bytes,
                          p->weights, NULL};
}

pipit_status pipit_engine_probe(uint32_t i, const pipit_allocator *a) {
    const pipit_kernels *k = pipit_kernels_at(i);
    pipit_arena arena = {0};
    probe p;
    if (!k) return PIPIT_E_ARGUMENT;
    carve_probe(&arena, k, &p);
    size_t bytes = arena.used;
    a = pipit_allocator_or_platform(a);
    arena = (pipit_arena){.base = pipit_take(a, bytes), .capacity = bytes};
    if (!arena.base) return PIPIT_E_MEMORY;
    memset(arena.base, 0, bytes);
    carve_probe(&arena, k, &p);
    pipit_acts acts = {.x = p.x, .blocks = p.blocks};
    k->quantize(p.x, PROBE_COLS, p.blocks);
    for (uint32_t round = 0; round < 4; round++)
        k->matmul(&p.w, 0, PROBE_ROWS / PIPIT_GROUP_ROWS, &acts, 1, p.y, 0,
                  p.scratch);
    pipit_give(a, arena.base, bytes);
    return PIPIT_OK;
}

#ifndef PIPIT_WASM
#include <time.h>

static double now_ms(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static const pipit_kernels *choose(const pipit_allocator *a) {
    const pipit_kernels *best = NULL;
    double best_ms = 0;
    for (uint32_t i = 0; pipit_kernels_at(i); i++)
        for (uint32_t round = 0; round < 3; round++) {
            double start = now_ms();
            if (pipit_engine_probe(i, a) != PIPIT_OK) return NULL;
            double ms = now_ms() - start;
            if (best && ms >= best_ms) continue;
            best = pipit_kernels_at(i);
            best_ms = ms;
        }
    return best;
}
#else
/* A module can't see what a dot is made of: the host does, and names one. */
static const pipit_kernels *choose(const pipit_allocator *a) {
    uint32_t n = 0;
    (void)a;
    while (pipit_kernels_at(n)) n++;
    return pipit_kernels_at(n - 1);
}
#endif

pipit_status pipit_engine_open(uint32_t n_threads, const char *kernels,
                               const pipit_allocator *a, pipit_engine **out) {
    if (!out) return PIPIT_E_ARGUMENT;
    a = pipit_allocator_or_platform(a);
    const pipit_kernels *k = kernels ? pipit_kernels_find(kernels) : choose(a);
    if (!k) return kernels ? PIPIT_E_UNSUPPORTED : PIPIT_E_MEMORY;
    pipit_engine *engine = pipit_take(a, sizeof *engine);
    if (!engine) return PIPIT_E_MEMORY;
    *engine = (pipit_engine){.allocator = a, .step_macs = PIPIT_STEP_MACS,
                              .kernels = k};
    pipit_status s = pipit_pool_open(n_threads, a, &engine->pool);
    if (s != PIPIT_OK) {
        pipit_give(a, engine, sizeof *engine);
        return s;
    }
    *out = engine;
    return PIPIT_OK;
}

void pipit_engine_close(pipit_engine *engine) {
    if (!engine) return;
    pipit_pool_close(engine->pool);
    pipit_give(engine->allocator, engine, sizeof *engine);
}

uint32_t pipit_engine_n_threads(const pipit_engine *engine) {
    return engine ? pipit_pool_size(engine->pool) : 0;
}

const char *pipit_engine_kernels(const pipit_engine *engine) {
    return engine ? engine->kernels->name : NULL;
}

void pipit_engine_worker(pipit_engine *engine, uint32_t thread) {
    pipit_pool_worker(engine->pool, thread);
}
