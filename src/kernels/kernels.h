/* kernels.h — 5: the arithmetic. One interface, several implementations:
 * scalar (the specification), simd128, and relaxed SIMD in two forms. All give
 * the same bits: integer dots are exact, floats are plain multiply and add in
 * the order declared here.
 *
 * Sums
 *   quantized dot   acc = a = 0; for each super-block of n columns in order
 *                       t = u = 0; for each block of 32 in order
 *                           t += dx * (scale * idot)
 *                           u += min * (dx * isum)
 *                       acc += d * t; a += m * u
 *                   the dot is acc, or acc + a for types with minimums;
 *                   idot is the exact integer dot, isum the exact sum of the
 *                   activations. Where 16 columns have a scale of their own,
 *                   (scale0 * idot0 + scale1 * idot1), and u += … once for each
 *                   half. Integer scales times idot stay below 2^24, so these
 *                   products are exact and may be taken as integers. forms.h
 *                   has n, d, m, scale and min of each type.
 *   float dot       acc = 0; for each column in order: acc += w * x
 *   lane sums       four sums, element i to sum i % 4, then (s0+s1)+(s2+s3)
 *
 * f16 scales and the f16 cache are read by pipit_scale_of (forms.h): an infinity
 * there is a large finite number. Activations that are NaN count as 0; a block
 * with an infinity gives NaN.
 */
#ifndef PIPIT_KERNELS_H
#define PIPIT_KERNELS_H

#include "layout.h"

#define PIPIT_ACT_BLOCK 32u

/* Inputs of a matrix product: n_tokens rows of n_cols.
 * Weights of the float types read x, quantized ones read `blocks`. */
typedef struct pipit_acts {
    const float *x;        /* (n_tokens, x_stride) */
    size_t x_stride;       /* floats */
    const uint8_t *blocks; /* (n_tokens, n_cols / 32) blocks, made by quantize */
    size_t block_stride;   /* bytes from one token's blocks to the next's */
} pipit_acts;

/* Keys of one KV head: groups of four positions, (pos / 4, d, pos % 4), so that
 * a lane is a position. Values: (pos, d), so that a lane is a dimension. In 8
 * bits: as kv8.h draws them, from the first of a block on. */
typedef struct pipit_kv_span {
    const void *keys;   /* position 0 of the span first */
    const void *values;
    pipit_kv_type type;
    uint32_t head_dim;  /* of keys and values each; a multiple of 4 */
    uint32_t n_pos;     /* positions to look at, from the first */
} pipit_kv_span;

typedef struct pipit_kernels {
    const char *name;

    /* Activations: 32 floats to one block: signed 8-bit quants, scale
     * d = amax / 127 and what else the implementation keeps. */
    size_t act_block_bytes;
    void (*quantize)(const float *x, size_t n, uint8_t *blocks);

    /* y[t][4 g .. 4 g + 3] for n_tokens rows of x and groups g0 <= g < g1; y is
     * (n_tokens, y_stride), rows rounded up to 4. The same bits for a token
     * whatever others there are. scratch: matmul_scratch_bytes for as many
     * columns and tokens or more, 64-byte aligned; what is prepared there once
     * is used for all groups or tokens. */
    size_t (*matmul_scratch_bytes)(uint32_t n_cols, uint32_t n_tokens);
    void (*matmul)(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                   const pipit_acts *x, uint32_t n_tokens, float *y,
                   size_t y_stride, uint8_t *scratch);

    /* y += w . x for weights of type F32: each sum begins with y, then
     * goes on in the order of columns. y is (n_tokens, y_stride), y_stride a
     * multiple of 4. */
    void (*accumulate)(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                       const pipit_acts *x, uint32_t n_tokens, float *y,
                       size_t y_stride);

    /* y = x / sqrt(lane sum of x*x / n + eps) * w; y may be x. */
    void (*rms_norm)(const float *x, const float *w, size_t n, float eps,
                     float *y);
    void (*add)(float *x, const float *y, size_t n); /* x += y */
    /* Hadamard's transform, not normalized, of n = 2^k >= 4 elements: for h = 1,
     * 2, 4 … < n every two that are h apart become a + b and a - b. */
    void (*hadamard)(float *x, size_t n);
    /* gate = act(gate) * up */
    void (*silu_mul)(float *gate, const float *up, size_t n);
    void (*gelu_mul)(float *gate, const float *up, size_t n); /* tanh form */

    /* scores[h][p] = scale * (q[h] . key p), in column order, for the n_heads
     * query heads that share this KV head. q: (n_heads, head_dim) dense;
     * scores: (n_heads, score_stride), written in whole groups of four: room
     * for n_pos rounded up to 4. scratch: of pipit_attn_scratch_bytes. */
    void (*attn_scores)(const float *q, uint32_t n_heads, float scale,
                        const pipit_kv_span *kv, float *scores,
                        size_t score_stride, uint8_t *scratch);
    /* In place: s[i] = pipit_expf_below_0(s[i] - max), returns the lane sum. */
    float (*softmax)(float *s, size_t n);
    /* out[h][d] += sum over p in order of p[h][p] * value[p][d];
     * out: (n_heads, head_dim) dense. 8 bits: sums[h] of each row's weights,
     * and 0 from n_pos to the next multiple of 32. */
    void (*attn_mix)(const float *p, size_t p_stride, const float *sums,
                     uint32_t n_heads, const pipit_kv_span *kv, float *out);
    /* One position's key and value (head_dim floats each) into a head's
     * storage at position pos. */
    void (*kv_store)(const float *key, const float *value, uint32_t head_dim,
                     pipit_kv_type type, uint32_t pos, void *keys,
                     void *values);
} pipit_kernels;

static inline size_t pipit_attn_scratch_bytes(uint32_t n_heads,
                                              uint32_t head_dim) {
    return n_heads * (16 + 2 * (size_t)head_dim);
}

/* The i-th implementation of this build, slowest first; NULL past the last. */
const pipit_kernels *pipit_kernels_at(uint32_t i);
/* By name; NULL when this build has none of that name. */
const pipit_kernels *pipit_kernels_find(const char *name);

#endif
