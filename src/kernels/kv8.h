/* kv8.h — one head's keys and values in 8 bits. Quants are -127 to 127.
 *
 *     keys    (capacity / 4) groups of four positions:
 *                 scale[4]                  f32
 *                 quants[head_dim / 4][4][4]   four elements of each position
 *     values  (capacity / 32) blocks of 32 positions:
 *                 scale[32]                 f32
 *                 quants[head_dim / 4][8][4][4]   of each four elements, of each
 *                     four positions: element by element
 *
 * A position has one scale for its key and one for its value, so both take
 * head_dim + 4 bytes. What the kernels do with them, so that integers can be
 * summed in 16 bits (attention8.h):
 *
 *   A query becomes quants with one unit, the larger of amax / 127 and of the
 *   largest sum of amounts of four elements 8 i + {0, 1, 4, 5} or {2, 3, 6, 7},
 *   divided by 253. A score is dot * key scale * (unit * scale).
 *
 *   Weights (of softmax, none below 0) are taken block by block, in order. A
 *   block in which none is more than PIPIT_KV8_LEAST of the row's sum is left
 *   out. Weights times their positions' scales become quants with one unit, the
 *   larger of the largest / 127 and of the sum of those of either half at
 *   4 i + {0, 1} or {2, 3}, divided by 251; then out += unit * dot. Where a weight is more than
 *   PIPIT_KV8_LARGE of the sum, its block's quants are rounded down and what
 *   they leave is mixed in the same way after them: else the neighbours of a
 *   large weight would be lost. Units below 2^-100 count as 0.
 *
 * Sums of amounts are formed by fours: elements 8 i + j and 8 i + 4 + j first, or
 * positions j, 4 + j, 8 + j and 12 + j of a half in order; then j = 0 and 1, 2
 * and 3. */
#ifndef PIPIT_KV8_H
#define PIPIT_KV8_H

#include "kernels.h"

#include <string.h>

#define PIPIT_KV8_BLOCK 32u /* head_dim is a multiple of it, and the capacity */
#define PIPIT_KV8_LEAST 0x1p-20f
#define PIPIT_KV8_LARGE 0.0625f
#define PIPIT_KV8_LEAST_UNIT 0x1p-100f
#define PIPIT_KV8_QUERY_BOUND 253.0f
#define PIPIT_KV8_WEIGHT_BOUND 251.0f

static inline uint64_t pipit_kv8_whole_blocks(uint64_t n_pos) {
    return (n_pos + PIPIT_KV8_BLOCK - 1) / PIPIT_KV8_BLOCK * PIPIT_KV8_BLOCK;
}

static inline size_t pipit_kv8_group_bytes(uint32_t head_dim) {
    return 4 * ((size_t)head_dim + 4);
}
static inline size_t pipit_kv8_block_bytes(uint32_t head_dim) {
    return PIPIT_KV8_BLOCK * ((size_t)head_dim + 4);
}

typedef struct pipit_kv8_unit {
    float unit, inverse; /* 0: all quants are */
} pipit_kv8_unit;

/* For amounts of `most` at most, whose sums are `sum` at most. */
static inline pipit_kv8_unit pipit_kv8_unit_of(float most, float sum,
                                               float bound) {
    pipit_kv8_unit u = {most / 127.0f, 0};
    float other = sum / bound;
    if (other > u.unit) u.unit = other;
    if (u.unit >= PIPIT_KV8_LEAST_UNIT) u.inverse = 1.0f / u.unit;
    return u;
}

/* The scales of a block's first n positions, zeros after them: what stands there
 * was never stored. Threads store positions of a block at the same time, so that
 * none of them can clear it. */
static inline const float *pipit_kv8_scales(const uint8_t *block, uint32_t n,
                                            float buffer[PIPIT_KV8_BLOCK]) {
    if (n >= PIPIT_KV8_BLOCK) return (const float *)(const void *)block;
    memset(buffer, 0, PIPIT_KV8_BLOCK * sizeof *buffer);
    memcpy(buffer, block, n * sizeof *buffer);
    return buffer;
}

/* One block: the rows' weights p, scales and values of 32 positions. */
typedef void pipit_kv8_mix_block(const float *p, size_t p_stride,
                                 const float *sums, uint32_t n_heads,
                                 const float *scales, const uint8_t *values,
                                 uint32_t head_dim, float *out);

/* The kernels' attn_mix, block by block. */
static inline void pipit_kv8_mix(pipit_kv8_mix_block *mix_block,
                                 const float *p, size_t p_stride,
                                 const float *sums, uint32_t n_heads,
                                 const pipit_kv_span *kv, float *out) {
    uint32_t dim = kv->head_dim;
    const uint8_t *block = kv->values;
    for (uint32_t i = 0; i < kv->n_pos; i += PIPIT_KV8_BLOCK) {
        float buffer[PIPIT_KV8_BLOCK];
        const float *scales = pipit_kv8_scales(block, kv->n_pos - i, buffer);
        mix_block(p + i, p_stride, sums, n_heads, scales,
                  block + sizeof buffer, dim, out);
        block += pipit_kv8_block_bytes(dim);
    }
}

/* The kernels' kv_store. NaN is kept as 0, and so is all that shares a scale with
 * an infinity. */
void pipit_kv8_store(const float *key, const float *value, uint32_t head_dim,
                     uint32_t pos, void *keys, void *values);

#endif
