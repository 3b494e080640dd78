/* kvcache.h — 6: keys and values of one session.
 *
 * Layer after layer, KV head after KV head; each head has
 *
 *     keys    (capacity / 4, head_dim, 4)   four positions side by side
 *     values  (capacity, head_dim)
 *
 * in f16 or f32, keys after RoPE; or in 8 bits, as kernels/kv8.h draws it. A layer
 * that sees every position has room for the whole context, position p at slot p.
 * A windowed layer keeps a ring: p at slot p % capacity, capacity = window + the
 * largest batch + a margin for rewinding, so rounded up that groups of four and
 * blocks of 8-bit values stay whole.
 *
 * A layer that is a short convolution keeps a ring of its inputs instead, f32,
 * since a position needs only the n_taps - 1 before it:
 *
 *     ring         (capacity, n_embd)                  p at slot p % capacity
 *     checkpoints  (n, n_taps - 1, n_embd)             i: before position 256 i
 *
 * To go back further than the ring, the nearest checkpoint is laid into it and
 * what follows is evaluated again; a state for every position would take more
 * than all the keys and values. */
#ifndef PIPIT_KVCACHE_H
#define PIPIT_KVCACHE_H

#include "kernels/kv8.h"
#include "model.h"

typedef struct pipit_kv_layer {
    uint8_t *keys, *values; /* of KV head 0 */
    size_t head_bytes;      /* from one head's keys, or values, to the next's */
    uint32_t capacity;             /* slots */
    uint32_t window;               /* 0: none */
} pipit_kv_layer;

/* Positions from one checkpoint to the next. */
#define PIPIT_CHECKPOINT 256u

typedef struct pipit_conv_layer { /* all 0: no convolution */
    float *ring, *checkpoints;
    uint32_t capacity;
} pipit_conv_layer;

typedef struct pipit_kvcache {
    pipit_kv_type type; /* not AUTO */
    uint32_t head_dim;
    uint32_t n_context;
    pipit_kv_layer *layers;  /* (n_layers) */
    pipit_conv_layer *convs; /* (n_layers), or NULL: the family has none */
    uint32_t n_taps, n_embd; /* of convolutions */
    uint32_t n_restored;     /* positions before it are not in the rings */
} pipit_kvcache;

/* What AUTO means for a model; others are as they are. */
pipit_kv_type pipit_kv_type_for(const pipit_hparams *h, pipit_kv_type type);

/* Takes the cache's memory from the arena; type is not AUTO. While measuring
 * *kv is not complete. */
void pipit_kvcache_carve(const pipit_hparams *h,
                         const pipit_layer_params *layers, uint32_t n_context,
                         uint32_t n_batch, pipit_kv_type type,
                         pipit_arena *arena, pipit_kvcache *kv);

/* Where position pos of a head goes; slot as kv_store wants it. */
static inline uint32_t pipit_kv_slot(const pipit_kv_layer *l, uint32_t pos) {
    return pos % l->capacity;
}

/* The positions that a query at pos sees, first of them rounded down to a whole
 * block of 8-bit values: [first, pos]. */
static inline uint32_t pipit_kv_first(const pipit_kv_layer *l, uint32_t pos) {
    if (l->window == 0 || pos < l->window) return 0;
    return (pos - l->window + 1) & ~(PIPIT_KV8_BLOCK - 1);
}

/* Slots [first, first + n) of a head as a span for the attention kernels; first
 * is a multiple of 32 and the slots don't wrap. */
pipit_kv_span pipit_kv_span_of(const pipit_kvcache *kv,
                               const pipit_kv_layer *l, uint32_t head,
                               uint32_t first, uint32_t n);

/* A convolution's input at a position, (n_embd); pos >= 0. */
static inline float *pipit_conv_row(const pipit_kvcache *kv,
                                    const pipit_conv_layer *c, uint32_t pos) {
    return c->ring + (size_t)(pos % c->capacity) * kv->n_embd;
}
/* Columns [begin, end) of position pos are in the ring: those that a checkpoint
 * wants go there too. */
void pipit_conv_keep(const pipit_kvcache *kv, const pipit_conv_layer *c,
                     uint32_t pos, uint32_t begin, uint32_t end);

/* Copies what `from`, of the same model and type, holds of positions 0 .. n-1.
 * Rings are copied whole: then `to` is as if it had held all that `from` did.
 * False, and nothing is copied, where rings differ in size. */
bool pipit_kv_copy(pipit_kvcache *to, const pipit_kvcache *from,
                   const pipit_model *model, uint32_t n);

/* With the cache having held positions 0 .. n-1, the smallest length it can be
 * cut back to without losing what a windowed layer or a convolution needs. */
uint32_t pipit_kv_oldest_rewind(const pipit_kvcache *kv, uint32_t n_layers,
                                uint32_t n);
/* To cut back further, to n or less: the length that is left. */
uint32_t pipit_kv_restore(pipit_kvcache *kv, uint32_t n_layers, uint32_t n);

#endif
