#include "simd128_floats.h"

#include "simd.h"

#define GROUPS 8

/* Exactly, infinities and NaN too: the largest exponent is filled up. */
PIPIT_INLINE v128_t floats_of_f16(const void *p) {
    const v128_t largest = pipit_constant(PIPIT_K_F16_LARGEST);
    v128_t half = wasm_u32x4_load16x4(p);
    v128_t special =
        wasm_i32x4_eq(wasm_v128_and(half, largest), largest);
    return wasm_v128_or(pipit_f16x4(p),
                        wasm_v128_and(special,
                                      pipit_constant(PIPIT_K_INFINITY)));
}

PIPIT_INLINE v128_t load_weights(const uint8_t *group, uint32_t c,
                                 uint32_t type) {
    if (type == PIPIT_TYPE_F32) return wasm_v128_load(group + 16 * (size_t)c);
    if (type == PIPIT_TYPE_F16) return floats_of_f16(group + 8 * (size_t)c);
    return wasm_i32x4_shl(wasm_u32x4_load16x4(group + 8 * (size_t)c), 16);
}

/* n_groups * n_tokens <= 8 sums: enough to hide an addition's latency, few
 * enough for 16 registers. */
PIPIT_INLINE void float_tile(const pipit_matrix *w, uint32_t type, uint32_t g0,
                             int n_groups, const float *x, size_t x_stride,
                             int n_tokens, bool add, float *y,
                             size_t y_stride) {
    v128_t acc[4][GROUPS];
    const uint8_t *groups = w->groups + g0 * w->group_bytes;
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        PIPIT_UNROLL
        for (int g = 0; g < n_groups; g++)
            acc[t][g] =
                add ? wasm_v128_load(y + (size_t)t * y_stride +
                                     4 * (g0 + (uint32_t)g))
                    : wasm_f32x4_splat(0);
    for (uint32_t c = 0; c < w->n_cols; c++) {
        v128_t at[4];
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++)
            at[t] = wasm_v128_load32_splat(x + (size_t)t * x_stride + c);
        PIPIT_UNROLL
        for (int g = 0; g < n_groups; g++) {
            v128_t v =
                load_weights(groups + (size_t)g * w->group_bytes, c, type);
            PIPIT_UNROLL
            for (int t = 0; t < n_tokens; t++)
                acc[t][g] =
                    wasm_f32x4_add(acc[t][g], wasm_f32x4_mul(v, at[t]));
        }
    }
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        PIPIT_UNROLL
        for (int g = 0; g < n_groups; g++)
            wasm_v128_store(y + (size_t)t * y_stride + 4 * (g0 + (uint32_t)g),
                            acc[t][g]);
}

/* add: each sum begins with y instead of 0. */
PIPIT_INLINE void multiply(const pipit_matrix *w, uint32_t type, uint32_t g0,
                           uint32_t g1, const pipit_acts *x, uint32_t n_tokens,
                           bool add, float *y, size_t y_stride) {
    uint32_t t = 0;
    for (; t + 4 <= n_tokens; t += 4) {
        const float *from = x->x + t * x->x_stride;
        uint32_t g = g0;
        for (; g + 2 <= g1; g += 2)
            float_tile(w, type, g, 2, from, x->x_stride, 4, add,
                       y + t * y_stride, y_stride);
        if (g < g1)
            float_tile(w, type, g, 1, from, x->x_stride, 4, add,
                       y + t * y_stride, y_stride);
    }
    for (; t < n_tokens; t++) {
        const float *from = x->x + t * x->x_stride;
        float *to = y + t * y_stride;
        uint32_t g = g0;
        for (; g + 8 <= g1; g += 8)
            float_tile(w, type, g, 8, from, 0, 1, add, to, 0);
        /* An addition waits four cycles for the one before: the few rows of an
         * adapter's A are not taken one group at a time. */
        for (; add && g + 4 <= g1; g += 4)
            float_tile(w, type, g, 4, from, 0, 1, add, to, 0);
        for (; add && g + 2 <= g1; g += 2)
            float_tile(w, type, g, 2, from, 0, 1, add, to, 0);
        for (; g < g1; g++)
            float_tile(w, type, g, 1, from, 0, 1, add, to, 0);
    }
}

static void multiply_f32(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                         const pipit_acts *x, uint32_t n_tokens, float *y,
                         size_t y_stride) {
    multiply(w, PIPIT_TYPE_F32, g0, g1, x, n_tokens, false, y,
             y_stride);
}

static void multiply_f16(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                         const pipit_acts *x, uint32_t n_tokens, float *y,
                         size_t y_stride) {
    multiply(w, PIPIT_TYPE_F16, g0, g1, x, n_tokens, false, y,
             y_stride);
}

static void multiply_bf16(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                          const pipit_acts *x, uint32_t n_tokens, float *y,
                          size_t y_stride) {
    multiply(w, PIPIT_TYPE_BF16, g0, g1, x, n_tokens, false, y,
             y_stride);
}

void pipit_simd128_floats(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                          const pipit_acts *x, uint32_t n_tokens, float *y,
                          size_t y_stride) {
    if (w->type == PIPIT_TYPE_F32)
        multiply_f32(w, g0, g1, x, n_tokens, y, y_stride);
    else if (w->type == PIPIT_TYPE_F16)
        multiply_f16(w, g0, g1, x, n_tokens, y, y_stride);
    else
        multiply_bf16(w, g0, g1, x, n_tokens, y, y_stride);
}

void pipit_simd128_accumulate(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                              const pipit_acts *x, uint32_t n_tokens, float *y,
                              size_t y_stride) {
    PIPIT_ASSERT(w->type == PIPIT_TYPE_F32); /* all that adapters have */
    multiply(w, PIPIT_TYPE_F32, g0, g1, x, n_tokens, true, y, y_stride);
}
