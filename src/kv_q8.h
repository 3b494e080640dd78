/* kv_q8.h — one head's keys and values in 8 bits, each a matrix of the layout
 * that weights of type Q8_0 have (kernels/layout.h), so that the kernels' integer
 * products are attention's too:
 *
 *     keys    (capacity, head_dim)   a row is a position
 *     values  (capacity / 128, head_dim, 128)  a matrix for each run of
 *             positions, whose rows are dimensions; its scales are all 1
 *     scales  (capacity)             f32: what a position's values are times
 *
 * A position's values share a scale and are columns: whoever mixes them puts the
 * scale into the position's weight. */
#ifndef PIPIT_KV_Q8_H
#define PIPIT_KV_Q8_H

#include "kernels/kernels.h"

#define PIPIT_KV8_BLOCK 32u /* head_dim is a multiple of it */
#define PIPIT_KV8_RUN 128u  /* the capacity is */

typedef struct pipit_kv8_head {
    uint8_t *keys, *values;
    float *scales;
    uint32_t head_dim, capacity;
} pipit_kv8_head;

size_t pipit_kv8_key_bytes(uint32_t head_dim, uint32_t capacity);
size_t pipit_kv8_value_bytes(uint32_t head_dim, uint32_t capacity); /* + scales */

/* The head whose memory begins there, both 16-byte aligned. */
pipit_kv8_head pipit_kv8_head_at(uint8_t *keys, uint8_t *values,
                                 uint32_t head_dim, uint32_t capacity);

/* A position's key and value (head_dim floats each) at a slot. NaN is kept as 0,
 * and so is all that shares a scale with an infinity. A block's first slot must
 * have been stored before its others are read. */
void pipit_kv8_store(const pipit_kv8_head *h, uint32_t slot, const float *key,
                     const float *value);

/* Slots [first, first + n) as weights, first a multiple of 4: y[p] = key p . x. */
pipit_matrix pipit_kv8_keys(const pipit_kv8_head *h, uint32_t first, uint32_t n);
/* The same of values within one run, first a multiple of 32 and n rounded up to
 * one: what is beyond must weigh 0. y[d] = sum over p of (value p [d] / scale p) x[p]. */
pipit_matrix pipit_kv8_values(const pipit_kv8_head *h, uint32_t first,
                              uint32_t n);

/* Slots [0, n) of a head of the same head_dim. */
void pipit_kv8_copy(const pipit_kv8_head *to, const pipit_kv8_head *from,
                    uint32_t n);

#endif
