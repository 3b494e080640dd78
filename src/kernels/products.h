/* products.h — products with quantized weights. Included once by each vector
 * implementation, after it has said by PIPIT_DOT how it multiplies integers:
 *
 *   PIPIT_DOT_PLAIN   i32x4.dot_i16x8 of widened quants (SIMD128)
 *   PIPIT_DOT_16      relaxed dot to i16, summed there while that is exact
 *   PIPIT_DOT_ADD     relaxed dot added to i32
 *
 * A relaxed dot's second operand must be 0 to 127. Quants are, once offsets are
 * left out: they come back as the sum's first value, - offset * isum. In i16
 * only the final sum must fit, since what overflows on the way wraps back:
 * |q - offset| * 127 * 2 columns * vectors <= 32512 for all with an offset;
 * without one 4-bit quants fit eight vectors and 5-bit ones four. Signed 8-bit
 * weights are the first operand and the activations' amounts |x| the second:
 * where x < 0 the weights' bits are turned over first, and since ~q is - q - 1,
 * q x = ~q |x| + |x|; the sum of those |x| is added once for the block. */
#include "kv8.h"
#include "quants.h"
#include "scalar.h"
#include "simd.h"

#include <stddef.h>
#include "simd128_floats.h"
#include "simd128_rows.h"
#include "tile.h"

#define PIPIT_DOT_PLAIN 0
#define PIPIT_DOT_16 1
#define PIPIT_DOT_ADD 2

#define GROUPS PIPIT_TILE_GROUPS
#define TOKENS PIPIT_TILE_TOKENS
/* As many activations stay in the second cache with a tile. */
#define PANEL_TOKENS 128

#include "acts.h"
#include "panels.h"
#include "one.h"
#include "pairs.h"
#include "many.h"
#include "attention8.h"


/* Numbers as in forms.c, constants here so that each type's loop is its own. */
#define FORM_Q4_0   OFFSET, NONE, 4, 8, false, 1, 72, 0, 0, 8
#define FORM_Q4_1   OFFSET, NONE, 4, 0, true, 1, 80, 0, 0, 16
#define FORM_Q5_0   OFFSET, NONE, 5, 16, false, 1, 88, 0, 0, 8
#define FORM_Q5_1   OFFSET, NONE, 5, 0, true, 1, 96, 0, 0, 16
#define FORM_Q8_0   SIGNED, NONE, 8, 0, false, 1, 136, 0, 0, 8
#define FORM_Q2_K   OFFSET, U4_16, 2, 0, true, 8, 336, 16, 0, 80
#define FORM_Q3_K   OFFSET, I8_16, 3, 4, false, 8, 456, 8, 0, 72
#define FORM_Q4_K   OFFSET, U8, 4, 0, true, 8, 592, 16, 48, 80
#define FORM_Q5_K   OFFSET, U8, 5, 0, true, 8, 720, 16, 48, 80
#define FORM_Q6_K   OFFSET, I8_16, 6, 32, false, 8, 840, 8, 0, 72
#define FORM_IQ4_NL IQ4, NONE, 4, 0, false, 1, 72, 0, 0, 8
#define FORM_IQ4_XS IQ4, I8, 4, 0, false, 8, 552, 8, 0, 40
#define FORM_TQ1_0  TRITS, NONE, 0, 1, false, 8, 216, 0, 0, 8
#define FORM_TQ2_0  OFFSET, NONE, 2, 1, false, 8, 264, 0, 0, 8
#define FORM_MXFP4  FP4, NONE, 4, 12, false, 1, 68, 0, 0, 4
#define FORM_NVFP4  FP4, FP8_16, 4, 12, false, 2, 144, 0, 0, 16
#define FORM_Q1_0   OFFSET, NONE, 1, 1, false, 4, 72, 0, 0, 8
#define FORM_Q2_0   OFFSET, NONE, 2, 1, false, 2, 72, 0, 0, 8
#define VEC_TYPES(CASE)                                                     \
    CASE(Q4_0) CASE(Q4_1) CASE(Q5_0) CASE(Q5_1) CASE(Q8_0) CASE(Q2_K)       \
    CASE(Q3_K) CASE(Q4_K) CASE(Q5_K) CASE(Q6_K) CASE(IQ4_NL) CASE(IQ4_XS)   \
    CASE(TQ1_0) CASE(TQ2_0) CASE(MXFP4) CASE(NVFP4) CASE(Q1_0) CASE(Q2_0)
/* Those that pairs.h multiplies: quicker there than from a tile, and common enough
 * to be worth the bytes. */
#define FEW_TYPES(CASE)                                                     \
    CASE(Q4_0) CASE(Q4_1) CASE(Q8_0) CASE(Q4_K)

/* A function each: engines compile and tier them up one by one. */
#define VEC_FORM(tokens, code, scales, bits, offset, has_min, subs, bytes,    \
                 scales_at, mins_at, quants_at)                              \
    {PIPIT_CODE_##code, PIPIT_SCALES_##scales, bits,  offset,    has_min,    \
     subs,              bytes,                 scales_at, mins_at, quants_at, \
     tokens}
#define ONE_FUNCTION(type) ONE_FUNCTION_OF(one_##type, 1, FORM_##type)
#define ONE_FUNCTION_OF(name, ...)                                           \
    PIPIT_OUTLINE void name(const pipit_matrix *w, uint32_t g0, uint32_t g1, \
                            const act_block *x, float *y) {                  \
        const vec_form f = VEC_FORM(__VA_ARGS__);                            \
        vec_rows(&f, w, g0, g1, x, y);                                       \
    }
#define TWO_FUNCTION(type) PAIR_FUNCTION_OF(two_##type, 2, FORM_##type)
#define FOUR_FUNCTION(type) PAIR_FUNCTION_OF(four_##type, TOKENS, FORM_##type)
#define PAIR_FUNCTION_OF(name, ...)                                          \
    PIPIT_OUTLINE void name(const pipit_matrix *w, uint32_t g0, uint32_t g1, \
                            uint32_t apart, const pipit_acts *x,             \
                            uint32_t n_tokens, float *y, size_t y_stride) {  \
        const vec_form f = VEC_FORM(__VA_ARGS__);                            \
        pair_rows(&f, w, g0, g1, apart, x, n_tokens, y, y_stride);           \
    }
VEC_TYPES(ONE_FUNCTION)
FEW_TYPES(TWO_FUNCTION)
FEW_TYPES(FOUR_FUNCTION)

static void multiply_one(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                         const act_block *x, float *y) {
#define ONE_CASE(type) \
    case PIPIT_TYPE_##type: one_##type(w, g0, g1, x, y); break;
    switch (w->type) { VEC_TYPES(ONE_CASE) }
}

/* The first 4 to 1 of n_tokens: how many. Row groups g0 <= g < g1 and those
 * `apart` after them. */
static uint32_t multiply_first(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                               uint32_t apart, const pipit_acts *x,
                               uint32_t n_tokens, float *y, size_t y_stride) {
#define FEW_CASE(type)                                               \
    case PIPIT_TYPE_##type:                                          \
        if (n_tokens > 2)                                            \
            four_##type(w, g0, g1, apart, x, n_tokens, y, y_stride); \
        else                                                         \
            two_##type(w, g0, g1, apart, x, 2, y, y_stride);         \
        return n_tokens;
    n_tokens = pipit_min_u32(n_tokens, TOKENS);
    if (n_tokens > 1) switch (w->type) {
            FEW_TYPES(FEW_CASE)
            default: break;
        }
    multiply_one(w, g0, g1, act_row(x, 0), y);
    if (apart > 0) multiply_one(w, g0 + apart, g1 + apart, act_row(x, 0), y);
    return 1;
}

static bool has_pairs(uint32_t type) {
#define PAIR_CASE(type) case PIPIT_TYPE_##type: return true;
    switch (type) {
        FEW_TYPES(PAIR_CASE)
        default: return false;
    }
}

/* From how many tokens on it pays to unpack tiles, by measurement. */
static uint32_t least_for_tiles(uint32_t type) {
    return type == PIPIT_TYPE_NVFP4 ? UINT32_MAX : has_pairs(type) ? 12 : 3;
}

/* Those of n_tokens that panels hold, if one with three tokens is worth it. */
static uint32_t in_panels(uint32_t n_tokens) {
    return n_tokens % TOKENS == TOKENS - 1 ? n_tokens
                                           : n_tokens / TOKENS * TOKENS;
}

static void multiply_pairs(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                           uint32_t apart, const pipit_acts *x,
                           uint32_t n_tokens, float *y, size_t y_stride) {
    for (uint32_t t = 0; t < n_tokens;) {
        pipit_acts rest = {.blocks = x->blocks + t * x->block_stride,
                           .block_stride = x->block_stride};
        t += multiply_first(w, g0, g1, apart, &rest, n_tokens - t,
                            y + t * y_stride, y_stride);
    }
}

/* Some groups at a time, so that their bytes stay in the cache for all tokens; one
 * that is left over is its own neighbour. */
static void multiply_few(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                         const pipit_acts *x, uint32_t n_tokens, float *y,
                         size_t y_stride) {
    uint32_t half = (g1 - g0) / 2, end = g0 + half;
    uint32_t some = has_pairs(w->type) && n_tokens <= TOKENS ? half : 8;
    for (uint32_t g = g0; g < end; g += some)
        multiply_pairs(w, g, pipit_min_u32(g + some, end), half, x, n_tokens,
                       y, y_stride);
    if (end + half < g1)
        multiply_pairs(w, g1 - 1, g1, 0, x, n_tokens, y, y_stride);
}

static size_t matmul_scratch_bytes(uint32_t n_cols, uint32_t n_tokens) {
    n_tokens = pipit_min_u32(n_tokens, PANEL_TOKENS);
    return panels_bytes(n_cols, n_tokens) + pipit_tile_bytes(n_cols);
}

static void matmul(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                   const pipit_acts *x, uint32_t n_tokens, float *y,
                   size_t y_stride, uint8_t *scratch) {
    uint32_t least = least_for_tiles(w->type);
    if (pipit_form(w->type)->kind == PIPIT_FORM_FLOAT) {
        pipit_simd128_floats(w, g0, g1, x, n_tokens, y, y_stride);
        return;
    }
    if (n_tokens == 1) {
        multiply_one(w, g0, g1, act_row(x, 0), y);
        return;
    }
    pipit_acts rest = {.blocks = x->blocks, .block_stride = x->block_stride};
    for (uint32_t n; n_tokens > 0; n_tokens -= n) {
        n = pipit_min_u32(n_tokens, PANEL_TOKENS);
        if (n >= least) {
            n = in_panels(n);
            multiply_tiles(w, g0, g1, &rest, n, y, y_stride, scratch);
        } else {
            multiply_few(w, g0, g1, &rest, n, y, y_stride);
        }
        rest.blocks += n * x->block_stride;
        y += n * y_stride;
    }
}

static void attn_scores(const float *q, uint32_t n_heads, float scale,
                        const pipit_kv_span *kv, float *scores,
                        size_t score_stride, uint8_t *scratch) {
    if (kv->type == PIPIT_KV_Q8)
        scores8(q, n_heads, scale, kv, scores, score_stride, scratch);
    else
        pipit_simd128_attn_scores(q, n_heads, scale, kv, scores, score_stride);
}

static void attn_mix(const float *p, size_t p_stride, const float *sums,
                     uint32_t n_heads, const pipit_kv_span *kv, float *out) {
    if (kv->type == PIPIT_KV_Q8)
        mix8(p, p_stride, sums, n_heads, kv, out);
    else
        pipit_simd128_attn_mix(p, p_stride, n_heads, kv, out);
}

#define PIPIT_KERNELS_OF(label)                       \
    {                                                 \
        .name = label,                                \
        .act_block_bytes = sizeof(act_block),         \
        .quantize = quantize,                         \
        .matmul_scratch_bytes = matmul_scratch_bytes, \
        .matmul = matmul,                             \
        .accumulate = pipit_simd128_accumulate,       \
        .rms_norm = pipit_simd128_rms_norm,           \
        .add = pipit_simd128_add,                     \
        .hadamard = pipit_simd128_hadamard,           \
        .silu_mul = pipit_simd128_silu_mul,           \
        .gelu_mul = pipit_simd128_gelu_mul,           \
        .attn_scores = attn_scores,                   \
        .softmax = pipit_simd128_softmax,             \
        .attn_mix = attn_mix,                         \
        .kv_store = pipit_simd128_kv_store,           \
    }
