#include "kvcache.h"

/* Positions that a windowed layer keeps beyond its window, so that a few can be
 * taken back (a stop string, a retry) without evaluating anew. */
#define REWIND_MARGIN 64u

static uint32_t capacity_of(const pipit_layer_params *p, uint32_t n_context,
                            uint32_t n_batch) {
    uint64_t n = n_context;
    if (p->window > 0) {
        uint64_t ring = (uint64_t)p->window + n_batch + REWIND_MARGIN +
                        PIPIT_KV8_BLOCK;
        if (ring < n) n = ring;
    }
    return (uint32_t)pipit_kv8_whole_blocks(n);
}

pipit_kv_type pipit_kv_type_for(const pipit_hparams *h, pipit_kv_type type) {
    if (type != PIPIT_KV_AUTO) return type;
    return h->head_dim % PIPIT_KV8_BLOCK == 0 ? PIPIT_KV_Q8 : PIPIT_KV_F16;
}

static uint32_t conv_capacity(uint32_t n_taps, uint32_t n_context,
                              uint32_t n_batch) {
    uint64_t ring = (uint64_t)n_taps + n_batch + REWIND_MARGIN;
    return ring < n_context ? (uint32_t)ring : n_context;
}

static void carve_convolutions(const pipit_hparams *h,
                               const pipit_layer_params *layers,
                               uint32_t n_batch, pipit_arena *arena,
                               pipit_kvcache *kv) {
    kv->n_taps = h->n_taps;
    kv->n_embd = h->n_embd;
    kv->convs = pipit_arena_take(arena, h->n_layers, sizeof *kv->convs);
    for (uint32_t i = 0; i < h->n_layers; i++) {
        pipit_conv_layer c = {0};
        uint64_t row = (uint64_t)h->n_embd * sizeof(float);
        uint64_t n = kv->n_context / PIPIT_CHECKPOINT + 1;
        if (layers[i].is_convolution) {
            c.capacity = conv_capacity(h->n_taps, kv->n_context, n_batch);
            c.ring = pipit_arena_take_bytes(arena, c.capacity * row);
            c.checkpoints =
                pipit_arena_take_bytes(arena, n * (h->n_taps - 1) * row);
        }
        if (arena->base) kv->convs[i] = c;
    }
}

/* Of one head's keys, or values. */
static size_t position_bytes(const pipit_kvcache *kv) {
    size_t n = kv->head_dim;
    return kv->type == PIPIT_KV_Q8 ? n + sizeof(float)
                                   : n * (kv->type == PIPIT_KV_F32 ? 4 : 2);
}

void pipit_kvcache_carve(const pipit_hparams *h,
                         const pipit_layer_params *layers, uint32_t n_context,
                         uint32_t n_batch, pipit_kv_type type,
                         pipit_arena *arena, pipit_kvcache *kv) {
    *kv = (pipit_kvcache){.type = type, .head_dim = h->head_dim,
                          .n_context = n_context};
    kv->layers = pipit_arena_take(arena, h->n_layers, sizeof *kv->layers);
    for (uint32_t i = 0; i < h->n_layers; i++) {
        const pipit_layer_params *p = &layers[i];
        uint32_t capacity = capacity_of(p, n_context, n_batch);
        uint64_t bytes = (uint64_t)capacity * position_bytes(kv);
        uint8_t *keys = pipit_arena_take_bytes(arena, bytes * p->n_kv_heads);
        uint8_t *values = pipit_arena_take_bytes(arena, bytes * p->n_kv_heads);
        if (arena->base)
            kv->layers[i] = (pipit_kv_layer){.keys = keys, .values = values,
                                             .head_bytes = (size_t)bytes,
                                             .capacity = capacity,
                                             .window = p->window};
    }
    if (h->n_taps > 0) carve_convolutions(h, layers, n_batch, arena, kv);
}

pipit_kv_span pipit_kv_span_of(const pipit_kvcache *kv,
                               const pipit_kv_layer *l, uint32_t head,
                               uint32_t first, uint32_t n) {
    size_t start = head * l->head_bytes + first * position_bytes(kv);
    return (pipit_kv_span){.keys = l->keys + start, .values = l->values + start,
                           .type = kv->type, .head_dim = kv->head_dim,
                           .n_pos = n};
}

void pipit_conv_keep(const pipit_kvcache *kv, const pipit_conv_layer *c,
                     uint32_t pos, uint32_t begin, uint32_t end) {
    uint32_t next = (pos / PIPIT_CHECKPOINT + 1) * PIPIT_CHECKPOINT;
    uint32_t kept = kv->n_taps - 1, back = next - pos;
    if (back > kept) return;
    size_t row = (size_t)(next / PIPIT_CHECKPOINT) * kept + kept - back;
    if (next > kv->n_context) return;
    memcpy(c->checkpoints + row * kv->n_embd + begin,
           pipit_conv_row(kv, c, pos) + begin, (end - begin) * sizeof(float));
}

uint32_t pipit_kv_oldest_rewind(const pipit_kvcache *kv, uint32_t n_layers,
                                uint32_t n) {
    uint32_t oldest = kv->n_restored;
    for (uint32_t i = 0; i < n_layers; i++) {
        const pipit_kv_layer *l = &kv->layers[i];
        uint32_t need = 0;
        if (kv->convs && kv->convs[i].ring) {
            if (n > kv->convs[i].capacity)
                need = n - kv->convs[i].capacity + kv->n_taps - 1;
        } else if (l->window > 0 && n > l->capacity) {
            /* Slots hold n - capacity .. n - 1; the next query sees window - 1
             * positions before it, rounded down to a block. */
            need = n - l->capacity + l->window + PIPIT_KV8_BLOCK - 1;
        }
        if (need > oldest) oldest = need;
    }
    return oldest < n ? oldest : n;
}

static void restore_layer(const pipit_kvcache *kv, const pipit_conv_layer *c,
                          uint32_t n) {
    uint32_t kept = kv->n_taps - 1;
    const float *from = c->checkpoints +
                        (size_t)(n / PIPIT_CHECKPOINT) * kept * kv->n_embd;
    for (uint32_t i = 0; i < kept; i++)
        memcpy(pipit_conv_row(kv, c, n - kept + i),
               from + (size_t)i * kv->n_embd, kv->n_embd * sizeof(float));
}

uint32_t pipit_kv_restore(pipit_kvcache *kv, uint32_t n_layers, uint32_t n) {
    n = kv->convs ? n / PIPIT_CHECKPOINT * PIPIT_CHECKPOINT : 0;
    for (uint32_t i = 0; i < n_layers; i++)
        if (kv->layers[i].window > 0) n = 0; /* what it forgot is gone */
    kv->n_restored = n;
    for (uint32_t i = 0; i < n_layers && n > 0; i++)
        if (kv->convs[i].ring) restore_layer(kv, &kv->convs[i], n);
    return n;
}

static bool same_rings(const pipit_kvcache *a, const pipit_kvcache *b,
                       uint32_t n_layers) {
    for (uint32_t i = 0; i < n_layers; i++) {
        if (a->layers[i].window > 0 &&
            a->layers[i].capacity != b->layers[i].capacity)
            return false;
        if (a->convs && a->convs[i].capacity != b->convs[i].capacity)
            return false;
    }
    return true;
}

static void copy_layer(const pipit_kvcache *to, const pipit_kvcache *from,
                       uint32_t layer, uint32_t n_heads, uint32_t n) {
    const pipit_kv_layer *a = &to->layers[layer], *b = &from->layers[layer];
    /* whole blocks; both have room for the last */
    size_t bytes = (size_t)pipit_kv8_whole_blocks(n) * position_bytes(to);
    if (a->window > 0) bytes = a->head_bytes;
    for (uint32_t h = 0; h < n_heads; h++) {
        memcpy(a->keys + h * a->head_bytes, b->keys + h * b->head_bytes, bytes);
        memcpy(a->values + h * a->head_bytes, b->values + h * b->head_bytes,
               bytes);
    }
}

static void copy_convolution(const pipit_kvcache *to, const pipit_kvcache *from,
                             uint32_t layer) {
    const pipit_conv_layer *a = &to->convs[layer], *b = &from->convs[layer];
    size_t row = to->n_embd * sizeof(float);
    uint32_t context = pipit_min_u32(to->n_context, from->n_context);
    size_t n = (size_t)(context / PIPIT_CHECKPOINT + 1) * (to->n_taps - 1);
    memcpy(a->ring, b->ring, a->capacity * row);
    memcpy(a->checkpoints, b->checkpoints, n * row);
}

bool pipit_kv_copy(pipit_kvcache *to, const pipit_kvcache *from,
                   const pipit_model *model, uint32_t n) {
    uint32_t n_layers = model->h.n_layers;
    if (!same_rings(to, from, n_layers)) return false;
    for (uint32_t i = 0; i < n_layers; i++) {
        copy_layer(to, from, i, model->layers[i].params.n_kv_heads, n);
        if (to->convs && to->convs[i].ring) copy_convolution(to, from, i);
    }
    to->n_restored = from->n_restored;
    return true;
}
