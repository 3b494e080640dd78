#include "kvcache.h"

/* Positions that a windowed layer keeps beyond its window, so that a few can be
 * taken back (a stop string, a retry) without evaluating anew. */
#define REWIND_MARGIN 64u

static uint32_t capacity_of(const pipit_layer_params *p, uint32_t n_context,
                            uint32_t n_batch) {
    uint64_t n = n_context;
    if (p->window > 0) {
        uint64_t ring = (uint64_t)p->window + n_batch + REWIND_MARGIN + 4;
        if (ring < n) n = ring;
    }
    return (uint32_t)((n + 3) & ~(uint64_t)3);
}

void pipit_kvcache_carve(const pipit_hparams *h,
                         const pipit_layer_params *layers, uint32_t n_context,
                         uint32_t n_batch, pipit_kv_type type,
                         pipit_arena *arena, pipit_kvcache *kv) {
    size_t element = type == PIPIT_KV_F32 ? 4 : 2;
    *kv = (pipit_kvcache){.type = type, .head_dim = h->head_dim,
                          .n_context = n_context};
    kv->layers = pipit_arena_take(arena, h->n_layers, sizeof *kv->layers);
    for (uint32_t i = 0; i < h->n_layers; i++) {
        const pipit_layer_params *p = &layers[i];
        uint32_t capacity = capacity_of(p, n_context, n_batch);
        uint64_t head_bytes = (uint64_t)element * h->head_dim * capacity;
        uint64_t all = head_bytes * p->n_kv_heads;
        uint8_t *keys = pipit_arena_take_bytes(arena, all);
        uint8_t *values = pipit_arena_take_bytes(arena, all);
        if (arena->base)
            kv->layers[i] = (pipit_kv_layer){.keys = keys, .values = values,
                                             .head_bytes = (size_t)head_bytes,
                                             .capacity = capacity,
                                             .window = p->window};
    }
}

pipit_kv_span pipit_kv_span_of(const pipit_kvcache *kv,
                               const pipit_kv_layer *l, uint32_t head,
                               uint32_t first, uint32_t n) {
    size_t element = kv->type == PIPIT_KV_F32 ? 4 : 2;
    size_t start = head * l->head_bytes + first * kv->head_dim * element;
    return (pipit_kv_span){.keys = l->keys + start, .values = l->values + start,
                           .type = kv->type, .head_dim = kv->head_dim,
                           .n_pos = n};
}

uint32_t pipit_kv_oldest_rewind(const pipit_kvcache *kv, uint32_t n_layers,
                                uint32_t n) {
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < n_layers; i++) {
        const pipit_kv_layer *l = &kv->layers[i];
        if (l->window == 0 || n <= l->capacity) continue;
        /* Slots hold n - capacity .. n - 1; the next query sees window - 1
         * positions before it, rounded down to a group. */
        uint32_t need = n - l->capacity + l->window + 3;
        if (need > oldest) oldest = need;
    }
    return oldest < n ? oldest : n;
}
