/* products.h — products with quantized weights. Included once by each vector
 * implementation, after it has said by PIPIT_DOT how it multiplies integers:
 *
 *   PIPIT_DOT_PLAIN   i32x4.dot_i16x8 of widened quants (SIMD128)
 *   PIPIT_DOT_16      relaxed dot to i16, summed there while that is exact
 *   PIPIT_DOT_ADD     relaxed dot added to i32
 *
 * A few tokens: the quants of some row groups are unpacked in registers, in a
 * loop compiled for each type. Many: two groups are unpacked into a tile
 * (tile.h), over which the tokens are swept four at a time.
 *
 * A relaxed dot's second operand must be 0 to 127. Quants are, once offsets are
 * left out: they come back as the sum's first value, - offset * isum. In i16
 * only the final sum must fit, since what overflows on the way wraps back:
 * |q - offset| * 127 * 2 columns * vectors <= 32512 for all with an offset;
 * without one 4-bit quants fit eight vectors and 5-bit ones four. Signed 8-bit
 * weights are the first operand, and the activations' positive and negative
 * parts the second. */
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
#define TOKENS 4

/* ---- activations -------------------------------------------------------- */

/* A sum of quants, negative, as a first value wants it: for i16 sums those of
 * columns 0, 1 and 2, 3 of each four apart. */
#if PIPIT_DOT == PIPIT_DOT_16
typedef int16_t act_sum[2];
#else
typedef int32_t act_sum[1];
#endif

/* 32 activations. */
typedef struct act_block {
    float d;
    float d_sum, d_half_sum[2]; /* d times the sums of all and of each 16 */
    act_sum minus, minus_half[2];
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    int16_t q[32]; /* of each four columns 0, 2, 1, 3 */
#else
    int8_t q[32];
#endif
} act_block;

PIPIT_INLINE v128_t quantize_4(const float *x, v128_t inverse) {
    const v128_t limit = wasm_f32x4_splat(127.0f);
    v128_t v = wasm_f32x4_mul(wasm_v128_load(x), inverse);
    v = wasm_v128_and(v, wasm_f32x4_eq(v, v)); /* NaN: 0 */
    v = wasm_f32x4_pmin(limit, wasm_f32x4_pmax(wasm_f32x4_neg(limit), v));
    /* Adding 1.5 * 2^23 rounds to even and leaves the integer in the low bits. */
    v = wasm_f32x4_add(v, wasm_f32x4_splat(12582912.0f));
    return wasm_i32x4_sub(v, wasm_i32x4_splat(0x4b400000));
}

PIPIT_INLINE float largest_32(const float *x) {
    v128_t best = wasm_f32x4_splat(0);
    PIPIT_UNROLL
    for (int i = 0; i < 32; i += 4) /* pmax keeps `best` where x is NaN */
        best = wasm_f32x4_pmax(best, wasm_f32x4_abs(wasm_v128_load(x + i)));
    best = wasm_f32x4_pmax(best, wasm_i32x4_shuffle(best, best, 2, 3, 0, 1));
    best = wasm_f32x4_pmax(best, wasm_i32x4_shuffle(best, best, 1, 0, 3, 2));
    return wasm_f32x4_extract_lane(best, 0);
}

/* The sums of 16 quants in i16 vectors: of columns 0, 1 of each four, and of
 * 2, 3. */
PIPIT_INLINE void sums_of_16(v128_t low, v128_t high, int32_t sums[2]) {
    v128_t s = wasm_i32x4_extadd_pairwise_i16x8(wasm_i16x8_add(low, high));
    s = wasm_i32x4_add(s, wasm_i32x4_shuffle(s, s, 2, 3, 0, 1));
    sums[0] = wasm_i32x4_extract_lane(s, 0);
    sums[1] = wasm_i32x4_extract_lane(s, 1);
}

PIPIT_INLINE void set_minus(act_sum *out, int32_t first, int32_t second) {
#if PIPIT_DOT == PIPIT_DOT_16
    (*out)[0] = (int16_t)-first;
    (*out)[1] = (int16_t)-second;
#else
    (*out)[0] = -(first + second);
#endif
}

static void quantize_block(const float *x, act_block *out) {
    float amax = largest_32(x);
    v128_t inverse = wasm_f32x4_splat(amax > 0 ? 127.0f / amax : 0);
    int32_t sum[2][2];
    PIPIT_UNROLL
    for (int h = 0; h < 2; h++) {
        v128_t q[4];
        PIPIT_UNROLL
        for (int i = 0; i < 4; i++)
            q[i] = quantize_4(x + 16 * h + 4 * i, inverse);
        v128_t low = wasm_i16x8_narrow_i32x4(q[0], q[1]);
        v128_t high = wasm_i16x8_narrow_i32x4(q[2], q[3]);
        sums_of_16(low, high, sum[h]);
#if PIPIT_DOT == PIPIT_DOT_PLAIN
        low = wasm_i16x8_shuffle(low, low, 0, 2, 1, 3, 4, 6, 5, 7);
        high = wasm_i16x8_shuffle(high, high, 0, 2, 1, 3, 4, 6, 5, 7);
        wasm_v128_store(out->q + 16 * h, low);
        wasm_v128_store(out->q + 16 * h + 8, high);
#else
        wasm_v128_store(out->q + 16 * h, wasm_i8x16_narrow_i16x8(low, high));
#endif
    }
    out->d = amax / 127.0f;
    out->d_sum = out->d * (float)(sum[0][0] + sum[0][1] + sum[1][0] + sum[1][1]);
    for (int h = 0; h < 2; h++) {
        out->d_half_sum[h] = out->d * (float)(sum[h][0] + sum[h][1]);
        set_minus(&out->minus_half[h], sum[h][0], sum[h][1]);
    }
    set_minus(&out->minus, sum[0][0] + sum[1][0], sum[0][1] + sum[1][1]);
}

static void quantize(const float *x, size_t n, uint8_t *blocks) {
    act_block *out = (act_block *)(void *)blocks;
    for (size_t b = 0; b < n / 32; b++) quantize_block(x + 32 * b, out + b);
}

/* ---- integer sums -------------------------------------------------------- */

/* The activations that meet vector j: four columns, or each two of them. */
typedef struct splats {
    v128_t first, second;
} splats;

PIPIT_INLINE splats splats_of(const act_block *x, int j) {
    splats s = {wasm_v128_load32_splat(x->q + 4 * j), wasm_i32x4_splat(0)};
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    s.second = wasm_v128_load32_splat(x->q + 4 * j + 2);
#endif
    return s;
}

/* The positive and negative parts. */
PIPIT_INLINE splats parts_of(const act_block *x, int j) {
    splats s = splats_of(x, j);
#if PIPIT_DOT != PIPIT_DOT_PLAIN
    v128_t all = s.first;
    s.first = wasm_i8x16_max(all, wasm_i8x16_splat(0));
    s.second = wasm_i8x16_sub(s.first, all);
#endif
    return s;
}

/* - offset * the sum of activations: what a sum begins with. */
PIPIT_INLINE v128_t begin(const act_sum *minus, int offset) {
    if (offset == 0) return wasm_i32x4_splat(0);
#if PIPIT_DOT == PIPIT_DOT_16
    return wasm_i16x8_mul(wasm_v128_load32_splat(minus),
                          wasm_i16x8_splat((int16_t)offset));
#else
    return wasm_i32x4_mul(wasm_v128_load32_splat(minus),
                          wasm_i32x4_splat(offset));
#endif
}

/* sum + the dot of unsigned quants with activations. */
PIPIT_INLINE v128_t add_dot(v128_t sum, splats x, v128_t q) {
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    v128_t even = wasm_v128_and(q, pipit_constant(PIPIT_K_EVEN_BYTES));
    sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(x.first, even));
    return wasm_i32x4_add(
        sum, wasm_i32x4_dot_i16x8(x.second, wasm_u16x8_shr(q, 8)));
#elif PIPIT_DOT == PIPIT_DOT_16
    return wasm_i16x8_add(sum, wasm_i16x8_relaxed_dot_i8x16_i7x16(x.first, q));
#else
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(x.first, q, sum);
#endif
}

/* Sums of signed quants: i32 in all implementations. */
typedef struct signed_sum {
    v128_t plus, minus;
} signed_sum;

PIPIT_INLINE signed_sum add_signed(signed_sum s, splats x, v128_t q) {
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    v128_t even = wasm_i16x8_shr(wasm_i16x8_shl(q, 8), 8);
    s.plus = wasm_i32x4_add(s.plus, wasm_i32x4_dot_i16x8(x.first, even));
    s.plus = wasm_i32x4_add(
        s.plus, wasm_i32x4_dot_i16x8(x.second, wasm_i16x8_shr(q, 8)));
#elif PIPIT_DOT == PIPIT_DOT_16
    v128_t dot =
        wasm_i16x8_sub(wasm_i16x8_relaxed_dot_i8x16_i7x16(q, x.first),
                       wasm_i16x8_relaxed_dot_i8x16_i7x16(q, x.second));
    s.plus = wasm_i32x4_add(s.plus, wasm_i32x4_extadd_pairwise_i16x8(dot));
#else
    s.plus = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(q, x.first, s.plus);
    s.minus = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(q, x.second, s.minus);
#endif
    return s;
}

PIPIT_INLINE v128_t end_signed(signed_sum s) {
#if PIPIT_DOT == PIPIT_DOT_ADD
    return wasm_i32x4_sub(s.plus, s.minus);
#else
    return s.plus;
#endif
}

/* Scale pairs as i32 for sums that are i32. */
PIPIT_INLINE v128_t times_pairs(v128_t sum, v128_t pairs) {
    return wasm_i32x4_mul(sum, wasm_i32x4_shr(pairs, 16));
}

/* An unsigned sum times its scale, exactly: i32. */
PIPIT_INLINE v128_t end_dot(v128_t sum, v128_t pairs) {
#if PIPIT_DOT == PIPIT_DOT_16
    return wasm_i32x4_dot_i16x8(sum, pairs);
#else
    return times_pairs(sum, pairs);
#endif
}

/* And where the scale is 1. */
PIPIT_INLINE v128_t end_plain(v128_t sum) {
#if PIPIT_DOT == PIPIT_DOT_16
    return wasm_i32x4_extadd_pairwise_i16x8(sum);
#else
    return sum;
#endif
}

/* Whether eight vectors of quants can be summed as one. */
PIPIT_INLINE bool fits_whole(int bits, int offset) {
    return PIPIT_DOT != PIPIT_DOT_16 || bits != 5 || offset != 0;
}

PIPIT_INLINE v128_t add_product(v128_t acc, v128_t a, v128_t b) {
    return wasm_f32x4_add(acc, wasm_f32x4_mul(a, b));
}

/* ---- one token ----------------------------------------------------------- */

/* What is known of a type when its loop is compiled. */
typedef struct vec_form {
    pipit_form_code code;
    pipit_form_scales scales;
    int bits, offset;
    bool has_min;
    uint32_t n_subs, block_bytes, scales_at, mins_at, quants_at;
    int n_groups; /* at once */
} vec_form;

#define VEC_GROUPS 4

/* scale * idot of 32 columns; sums: of the two halves, or of all in the first. */
PIPIT_INLINE v128_t vec_scaled(const vec_form *f, const uint8_t *block,
                               uint32_t s, bool split, const v128_t sums[2]) {
    const uint8_t *at = block + f->scales_at + 4 * s, *half = at + 4 * s;
    v128_t total, one;
    switch (f->scales) {
        case PIPIT_SCALES_NONE:
            total = end_plain(sums[0]);
            if (split) total = wasm_i32x4_add(total, end_plain(sums[1]));
            break;
        case PIPIT_SCALES_U8:
        case PIPIT_SCALES_I8:
            one = pipit_scale_pairs(at, f->scales == PIPIT_SCALES_I8);
            total = end_dot(sums[0], one);
            if (split) total = wasm_i32x4_add(total, end_dot(sums[1], one));
            break;
        case PIPIT_SCALES_I8_16:
            total = wasm_i32x4_add(
                end_dot(sums[0], pipit_scale_pairs(half, true)),
                end_dot(sums[1], pipit_scale_pairs(half + 4, true)));
            break;
        case PIPIT_SCALES_U4_16:
            total = wasm_i32x4_add(end_dot(sums[0], pipit_low_pairs(half)),
                                   end_dot(sums[1], pipit_low_pairs(half + 4)));
            break;
        default: /* FP8_16 */
            return wasm_f32x4_add(
                wasm_f32x4_mul(pipit_ue4m3x4(half),
                               wasm_f32x4_convert_i32x4(end_plain(sums[0]))),
                wasm_f32x4_mul(pipit_ue4m3x4(half + 4),
                               wasm_f32x4_convert_i32x4(end_plain(sums[1]))));
    }
    return wasm_f32x4_convert_i32x4(total);
}

PIPIT_INLINE v128_t vec_scaled_signed(const vec_form *f, const uint8_t *block,
                                      uint32_t s, signed_sum sum) {
    v128_t total = end_signed(sum);
    if (f->scales == PIPIT_SCALES_I8)
        total = times_pairs(
            total, pipit_scale_pairs(block + f->scales_at + 4 * s, true));
    return wasm_f32x4_convert_i32x4(total);
}

/* Integer sums of one block and group. */
typedef struct vec_sums {
    v128_t of[2]; /* unsigned quants: of the halves, or of all in the first */
    signed_sum all;
} vec_sums;

/* Vector j of the block, in registers, meets its activations. */
PIPIT_INLINE void vec_add(const vec_form *f, bool split, int j, splats x,
                          v128_t v, vec_sums *sums) {
    if (pipit_is_signed(f->code))
        sums->all = add_signed(sums->all, x, v);
    else if (split && j >= 4)
        sums->of[1] = add_dot(sums->of[1], x, v);
    else
        sums->of[0] = add_dot(sums->of[0], x, v);
}

PIPIT_INLINE splats vec_splats(const vec_form *f, const act_block *x, int j) {
    return pipit_is_signed(f->code) ? parts_of(x, j) : splats_of(x, j);
}

/* Four and eight bits: a loop, since all vectors are alike. The compiler must
 * not unroll it: it would finish one sum after the other, with everything else
 * waiting in memory. */
PIPIT_INLINE void vec_alike(const vec_form *f, const uint8_t *const at[],
                            bool split, const act_block *x, vec_sums *sums) {
    PIPIT_NO_UNROLL
    for (int i = 0; i < f->bits; i++) {
        splats first = vec_splats(f, x, i), second = first;
        if (f->bits == 4) second = vec_splats(f, x, i + 4);
        PIPIT_UNROLL
        for (int g = 0; g < f->n_groups; g++) {
            v128_t packed = wasm_v128_load(at[g] + 16 * i), v = packed;
            if (f->bits == 4) v = pipit_decoded(f->code, pipit_masked(v, 15));
            vec_add(f, split, 0, first, v, &sums[g]);
            if (f->bits != 4) continue;
            v = pipit_decoded(f->code, pipit_moved(packed, 4, 15));
            vec_add(f, split, 4, second, v, &sums[g]);
        }
    }
}

/* The others, group after group. */
PIPIT_INLINE void vec_mixed(const vec_form *f, const uint8_t *at, uint32_t s,
                            bool split, const act_block *x, vec_sums *sums) {
    v128_t v[8];
    if (f->code == PIPIT_CODE_TRITS)
        pipit_split_trits(at, s, v);
    else
        pipit_split(f->bits, at, v);
    PIPIT_UNROLL
    for (int j = 0; j < 8; j++) {
        if (f->bits == 1) v[j] = wasm_i8x16_add(v[j], v[j]);
        vec_add(f, split, j, vec_splats(f, x, j), v[j], sums);
    }
}

/* scale * idot of each group, from quants and activations. */
PIPIT_INLINE void vec_dots(const vec_form *f, const uint8_t *const blocks[],
                           uint32_t s, const act_block *x, v128_t *out) {
    bool split = f->scales >= PIPIT_SCALES_I8_16 ||
                 !fits_whole(f->bits, f->offset);
    const uint8_t *at[VEC_GROUPS];
    vec_sums sums[VEC_GROUPS];
    PIPIT_UNROLL
    for (int g = 0; g < f->n_groups; g++) {
        at[g] = blocks[g] + f->quants_at + s * 16 * (uint32_t)f->bits;
        sums[g].all.plus = sums[g].all.minus = wasm_i32x4_splat(0);
        sums[g].of[0] =
            begin(split ? &x->minus_half[0] : &x->minus, f->offset);
        sums[g].of[1] = begin(&x->minus_half[1], f->offset);
    }
    if (f->bits == 4 || f->bits == 8) {
        vec_alike(f, at, split, x, sums);
    } else {
        PIPIT_UNROLL
        for (int g = 0; g < f->n_groups; g++)
            vec_mixed(f, at[g], s, split, x, &sums[g]);
    }
    PIPIT_UNROLL
    for (int g = 0; g < f->n_groups; g++)
        out[g] = pipit_is_signed(f->code)
                     ? vec_scaled_signed(f, blocks[g], s, sums[g].all)
                     : vec_scaled(f, blocks[g], s, split, sums[g].of);
}

/* u + min * d_sum of 32 columns. */
PIPIT_INLINE v128_t vec_min(const vec_form *f, const uint8_t *block, uint32_t s,
                            const act_block *x, v128_t u) {
    const uint8_t *half = block + f->scales_at + 8 * s;
    if (f->n_subs == 1) return wasm_v128_load32_splat(&x->d_sum);
    if (f->scales != PIPIT_SCALES_U4_16)
        return add_product(u, pipit_floats_of_u8(block + f->mins_at + 4 * s),
                           wasm_v128_load32_splat(&x->d_sum));
    u = add_product(u, pipit_floats_of_high(half),
                    wasm_v128_load32_splat(&x->d_half_sum[0]));
    return add_product(u, pipit_floats_of_high(half + 4),
                       wasm_v128_load32_splat(&x->d_half_sum[1]));
}

/* acc + d * t, where the block has a d. */
PIPIT_INLINE v128_t vec_block(const vec_form *f, const uint8_t *block, v128_t t,
                              v128_t acc) {
    if (f->scales == PIPIT_SCALES_FP8_16) return wasm_f32x4_add(acc, t);
    return add_product(acc,
                       f->code == PIPIT_CODE_FP4 ? pipit_e8m0x4(block)
                                                 : pipit_f16x4(block),
                       t);
}

/* And acc + m * u; super-blocks' minimums are taken away. */
PIPIT_INLINE v128_t vec_block_min(const vec_form *f, const uint8_t *block,
                                  v128_t u, v128_t acc) {
    v128_t product = wasm_f32x4_mul(pipit_f16x4(block + 8), u);
    return f->n_subs == 1 ? wasm_f32x4_add(acc, product)
                          : wasm_f32x4_sub(acc, product);
}

/* Groups g and g + 1; past the last group the last one twice. */
PIPIT_INLINE void vec_groups(const vec_form *f, const pipit_matrix *w,
                             uint32_t g0, uint32_t g1, const act_block *x,
                             float *y) {
    uint32_t at[VEC_GROUPS];
    const uint8_t *blocks[VEC_GROUPS];
    v128_t acc[VEC_GROUPS], acc_min[VEC_GROUPS];
    PIPIT_UNROLL
    for (int g = 0; g < f->n_groups; g++) {
        at[g] = g0 + (uint32_t)g < g1 ? g0 + (uint32_t)g : g1 - 1;
        blocks[g] = w->groups + at[g] * w->group_bytes;
        acc[g] = acc_min[g] = wasm_f32x4_splat(0);
    }
    for (uint32_t b = w->n_cols / 32 / f->n_subs; b > 0; b--) {
        v128_t t[VEC_GROUPS], u[VEC_GROUPS];
        PIPIT_UNROLL
        for (int g = 0; g < f->n_groups; g++) t[g] = u[g] = wasm_f32x4_splat(0);
        PIPIT_NO_UNROLL
        for (uint32_t s = 0; s < f->n_subs; s++, x++) {
            v128_t dots[VEC_GROUPS], d = wasm_v128_load32_splat(&x->d);
            vec_dots(f, blocks, s, x, dots);
            PIPIT_UNROLL
            for (int g = 0; g < f->n_groups; g++) {
                t[g] = f->n_subs == 1 ? wasm_f32x4_mul(dots[g], d)
                                      : add_product(t[g], dots[g], d);
                if (f->has_min) u[g] = vec_min(f, blocks[g], s, x, u[g]);
            }
        }
        PIPIT_UNROLL
        for (int g = 0; g < f->n_groups; g++) {
            acc[g] = vec_block(f, blocks[g], t[g], acc[g]);
            if (f->has_min)
                acc_min[g] = vec_block_min(f, blocks[g], u[g], acc_min[g]);
            blocks[g] += f->block_bytes;
        }
    }
    PIPIT_UNROLL
    for (int g = 0; g < f->n_groups; g++) {
        if (f->has_min) acc[g] = wasm_f32x4_add(acc[g], acc_min[g]);
        wasm_v128_store(y + 4 * (size_t)at[g], acc[g]);
    }
}

PIPIT_INLINE void vec_rows(const vec_form *f, const pipit_matrix *w,
                           uint32_t g0, uint32_t g1, const uint8_t *blocks,
                           float *y) {
    const act_block *x = (const act_block *)(const void *)blocks;
    for (; g0 < g1; g0 += (uint32_t)f->n_groups) vec_groups(f, w, g0, g1, x, y);
}

/* ---- many tokens --------------------------------------------------------- */

/* Tokens that are swept together, and the columns they are at. */
typedef const act_block *act_rows[TOKENS];

/* How a tile's integer dots are made. */
typedef enum sweep_kind {
    SWEEP_WHOLE,   /* one sum for 32 columns */
    SWEEP_HALVES,  /* one for each 16 */
    SWEEP_SIGNED,  /* signed quants; with nibble planes where the dot is i16 */
} sweep_kind;

#if PIPIT_DOT == PIPIT_DOT_16
#define NIBBLES true
#else
#define NIBBLES false
#endif

/* Columns [4 j0, 4 j1) of one block: sums[t][g] += dot. */
PIPIT_INLINE void sweep_columns(const v128_t *q, int j0, int j1,
                                const act_rows x, int n_tokens,
                                v128_t sums[TOKENS][GROUPS]) {
    PIPIT_NO_UNROLL
    for (int j = j0; j < j1; j++) {
        v128_t v[GROUPS];
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++) v[g] = q[2 * j + g];
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++) {
            splats at = splats_of(x[t], j);
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                sums[t][g] = add_dot(sums[t][g], at, v[g]);
        }
    }
}

#if PIPIT_DOT == PIPIT_DOT_16
/* quant = low + 16 (high - 8), two nibbles: two sums that fit i16. */
PIPIT_INLINE void sweep_signed(const v128_t *q, const v128_t *scales,
                               const act_rows x, int n_tokens,
                               v128_t dots[TOKENS][GROUPS]) {
    PIPIT_UNROLL
    for (int g = 0; g < GROUPS; g++) {
        v128_t low[TOKENS], high[TOKENS];
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++) {
            low[t] = wasm_i32x4_splat(0);
            high[t] = begin(&x[t]->minus, 8);
        }
        PIPIT_NO_UNROLL
        for (int j = 0; j < 8; j++)
            PIPIT_UNROLL
            for (int t = 0; t < n_tokens; t++) {
                splats at = splats_of(x[t], j);
                low[t] = add_dot(low[t], at, q[4 * j + g]);
                high[t] = add_dot(high[t], at, q[4 * j + 2 + g]);
            }
        v128_t scale_high = wasm_i16x8_shl(scales[g], 4);
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++)
            dots[t][g] = wasm_i32x4_add(end_dot(low[t], scales[g]),
                                        end_dot(high[t], scale_high));
    }
}
#else
PIPIT_INLINE void sweep_signed(const v128_t *q, const v128_t *scales,
                               const act_rows x, int n_tokens,
                               v128_t dots[TOKENS][GROUPS]) {
    signed_sum sums[TOKENS][GROUPS];
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            sums[t][g].plus = sums[t][g].minus = wasm_i32x4_splat(0);
    PIPIT_NO_UNROLL
    for (int j = 0; j < 8; j++)
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++) {
            splats at = parts_of(x[t], j);
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                sums[t][g] = add_signed(sums[t][g], at, q[2 * j + g]);
        }
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            dots[t][g] = times_pairs(end_signed(sums[t][g]), scales[g]);
}
#endif

/* scale * idot of one block of the tile. */
PIPIT_INLINE void sweep_block(sweep_kind kind, const v128_t *q,
                              const v128_t *scales, int offset,
                              const act_rows x, int n_tokens,
                              v128_t dots[TOKENS][GROUPS]) {
    v128_t sums[TOKENS][GROUPS];
    if (kind == SWEEP_SIGNED) {
        sweep_signed(q, scales, x, n_tokens, dots);
        return;
    }
    int n_halves = kind == SWEEP_HALVES ? 2 : 1;
    PIPIT_UNROLL
    for (int h = 0; h < n_halves; h++) {
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                sums[t][g] = begin(
                    n_halves == 2 ? &x[t]->minus_half[h] : &x[t]->minus,
                    offset);
        sweep_columns(q, 8 / n_halves * h, 8 / n_halves * (h + 1), x, n_tokens,
                      sums);
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++) {
                v128_t dot = end_dot(sums[t][g], scales[2 * h + g]);
                dots[t][g] = h == 0 ? dot : wasm_i32x4_add(dots[t][g], dot);
            }
    }
}

PIPIT_INLINE void clear(int n_tokens, v128_t acc[TOKENS][GROUPS]) {
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++) acc[t][g] = wasm_f32x4_splat(0);
}

/* acc[t][g] += (sum of m * (sum of min * d_sum)). */
PIPIT_INLINE void add_mins(const pipit_tile *tile, const act_rows x,
                           int n_tokens, v128_t acc[TOKENS][GROUPS]) {
    const v128_t *mins = tile->mins, *m = tile->m;
    uint32_t per_block = tile->mins_per_block;
    /* Where an act_block has the sums: of all, or of the two halves. */
    size_t at = offsetof(act_block, d_sum) + (per_block == 2 ? 4 : 0);
    v128_t all[TOKENS][GROUPS], u[TOKENS][GROUPS];
    clear(n_tokens, all);
    for (uint32_t b = 0; b < tile->n_blocks; b += tile->min_subs, m += 2) {
        clear(n_tokens, u);
        for (uint32_t s = 0; s < tile->min_subs * per_block; s++, mins += 2) {
            size_t from = (b + s / per_block) * sizeof(act_block) + at +
                          4 * (s % per_block);
            PIPIT_UNROLL
            for (int t = 0; t < n_tokens; t++) {
                v128_t sum =
                    wasm_v128_load32_splat((const uint8_t *)x[t] + from);
                PIPIT_UNROLL
                for (int g = 0; g < GROUPS; g++)
                    u[t][g] = add_product(u[t][g], mins[g], sum);
            }
        }
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                all[t][g] = add_product(all[t][g], m[g], u[t][g]);
    }
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        PIPIT_UNROLL
        for (int g = 0; g < GROUPS; g++)
            acc[t][g] = wasm_f32x4_add(acc[t][g], all[t][g]);
}

/* acc[t][g]: the sums without minimums. super: whether blocks share a d. */
PIPIT_INLINE void sweep_dots(sweep_kind kind, bool super,
                             const pipit_tile *tile, act_rows x, int n_tokens,
                             v128_t acc[TOKENS][GROUPS]) {
    v128_t dots[TOKENS][GROUPS], sub[TOKENS][GROUPS];
    const v128_t *q = tile->blocks;
    uint32_t stride = pipit_tile_stride(tile), n_q = tile->n_q;
    for (uint32_t b = 0; b < tile->n_blocks; b += tile->n_subs) {
        clear(n_tokens, sub);
        for (uint32_t s = 0; s < (super ? tile->n_subs : 1u); s++, q += stride) {
            sweep_block(kind, q, q + 2 * n_q, tile->offset, x, n_tokens, dots);
            PIPIT_UNROLL
            for (int t = 0; t < n_tokens; t++) {
                v128_t d = wasm_v128_load32_splat(&x[t]->d);
                PIPIT_UNROLL
                for (int g = 0; g < GROUPS; g++) {
                    v128_t dot = wasm_f32x4_convert_i32x4(dots[t][g]);
                    sub[t][g] = super ? add_product(sub[t][g], dot, d)
                                      : wasm_f32x4_mul(dot, d);
                }
                x[t]++;
            }
        }
        const v128_t *d = q - stride + 2 * n_q + 4;
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++)
            PIPIT_UNROLL
            for (int g = 0; g < GROUPS; g++)
                acc[t][g] = add_product(acc[t][g], d[g], sub[t][g]);
    }
}

/* n_tokens tokens over the whole tile: y[t][4 g .. 4 g + 3] for g < n_groups. */
PIPIT_INLINE void sweep(sweep_kind kind, bool super, const pipit_tile *tile,
                        const pipit_acts *acts, int n_tokens,
                        uint32_t n_groups, float *y, size_t y_stride) {
    act_rows x;
    v128_t acc[TOKENS][GROUPS];
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        x[t] = (const act_block *)(const void *)(acts->blocks +
                                                 (size_t)t *
                                                     acts->block_stride);
    clear(n_tokens, acc);
    sweep_dots(kind, super, tile, x, n_tokens, acc);
    if (tile->min_subs > 0) {
        PIPIT_UNROLL
        for (int t = 0; t < n_tokens; t++) x[t] -= tile->n_blocks;
        add_mins(tile, x, n_tokens, acc);
    }
    PIPIT_UNROLL
    for (int t = 0; t < n_tokens; t++)
        PIPIT_UNROLL
        for (uint32_t g = 0; g < GROUPS; g++)
            if (g < n_groups)
                wasm_v128_store(y + (size_t)t * y_stride + 4 * g, acc[t][g]);
}

/* Out of line and once for each kind: what else differs between types went into
 * the tile. */
typedef void sweep_function(const pipit_tile *tile, pipit_acts x,
                            uint32_t n_tokens, uint32_t n_groups, float *y,
                            size_t y_stride);
#define SWEEP(name, kind, super)                                            \
    PIPIT_OUTLINE void name(const pipit_tile *tile, pipit_acts x,           \
                            uint32_t n_tokens, uint32_t n_groups, float *y, \
                            size_t y_stride) {                              \
        for (; n_tokens > 0; n_tokens -= TOKENS) {                          \
            sweep(kind, super, tile, &x, TOKENS, n_groups, y, y_stride);    \
            y += TOKENS * y_stride;                                         \
            x.blocks += TOKENS * x.block_stride;                            \
        }                                                                   \
    }
SWEEP(sweep_whole, SWEEP_WHOLE, false)
SWEEP(sweep_whole_super, SWEEP_WHOLE, true)
SWEEP(sweep_halves, SWEEP_HALVES, true)
SWEEP(sweep_signed_quants, SWEEP_SIGNED, true)

static sweep_function *sweep_of(const pipit_tile *tile) {
    if (tile->is_signed) return sweep_signed_quants;
    if (tile->two_scales || (tile->two_sums && !fits_whole(5, 0)))
        return sweep_halves;
    return tile->n_subs > 1 ? sweep_whole_super : sweep_whole;
}

static size_t matmul_scratch_bytes(uint32_t n_cols) {
    return pipit_tile_bytes(n_cols);
}

/* n_tokens: a multiple of TOKENS. */
static void multiply_tiles(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                           const pipit_acts *x, uint32_t n_tokens, float *y,
                           size_t y_stride, uint8_t *scratch) {
    for (; g0 < g1; g0 += GROUPS) {
        uint32_t n_groups = g1 - g0 < GROUPS ? g1 - g0 : GROUPS;
        pipit_tile tile;
        pipit_tile_unpack(w, g0, n_groups, NIBBLES, scratch, &tile);
        sweep_of(&tile)(&tile, *x, n_tokens, n_groups, y + 4 * g0, y_stride);
    }
}

/* ---- by type ------------------------------------------------------------- */

/* Numbers as in forms.c, constants here so that each type's loop is its own. */
#define VEC_TYPES(CASE)                                        \
    CASE(Q4_0, OFFSET, NONE, 4, 8, false, 1, 72, 0, 0, 8)      \
    CASE(Q4_1, OFFSET, NONE, 4, 0, true, 1, 80, 0, 0, 16)      \
    CASE(Q5_0, OFFSET, NONE, 5, 16, false, 1, 88, 0, 0, 8)     \
    CASE(Q5_1, OFFSET, NONE, 5, 0, true, 1, 96, 0, 0, 16)      \
    CASE(Q8_0, SIGNED, NONE, 8, 0, false, 1, 136, 0, 0, 8)     \
    CASE(Q2_K, OFFSET, U4_16, 2, 0, true, 8, 336, 16, 0, 80)   \
    CASE(Q3_K, OFFSET, I8_16, 3, 4, false, 8, 456, 8, 0, 72)   \
    CASE(Q4_K, OFFSET, U8, 4, 0, true, 8, 592, 16, 48, 80)     \
    CASE(Q5_K, OFFSET, U8, 5, 0, true, 8, 720, 16, 48, 80)     \
    CASE(Q6_K, OFFSET, I8_16, 6, 32, false, 8, 840, 8, 0, 72)  \
    CASE(IQ4_NL, IQ4, NONE, 4, 0, false, 1, 72, 0, 0, 8)       \
    CASE(IQ4_XS, IQ4, I8, 4, 0, false, 8, 552, 8, 0, 40)       \
    CASE(TQ1_0, TRITS, NONE, 0, 1, false, 8, 216, 0, 0, 8)     \
    CASE(TQ2_0, OFFSET, NONE, 2, 1, false, 8, 264, 0, 0, 8)    \
    CASE(MXFP4, FP4, NONE, 4, 12, false, 1, 68, 0, 0, 4)       \
    CASE(NVFP4, FP4, FP8_16, 4, 12, false, 2, 144, 0, 0, 16)   \
    CASE(Q1_0, OFFSET, NONE, 1, 1, false, 4, 72, 0, 0, 8)      \
    CASE(Q2_0, OFFSET, NONE, 2, 1, false, 2, 72, 0, 0, 8)

/* A function each: V8 compiles and tiers them up one by one. */
#define VEC_FUNCTION(type, code, scales, bits, offset, has_min, subs, bytes, \
                     scales_at, mins_at, quants_at)                         \
    PIPIT_OUTLINE void vec_##type(const pipit_matrix *w, uint32_t g0,       \
                                  uint32_t g1, const uint8_t *blocks,       \
                                  float *y) {                               \
        const vec_form f = {                                                \
            PIPIT_CODE_##code, PIPIT_SCALES_##scales, bits,  offset,        \
            has_min,           subs,                  bytes, scales_at,     \
            mins_at,           quants_at,             1};                                  \
        vec_rows(&f, w, g0, g1, blocks, y);                                 \
    }
VEC_TYPES(VEC_FUNCTION)

static void matvec(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                   const pipit_acts *x, float *y) {
#define VEC_CASE(type, ...)                          \
    case PIPIT_TYPE_##type:                          \
        vec_##type(w, g0, g1, x->blocks, y);         \
        return;
    switch (w->type) {
        VEC_TYPES(VEC_CASE)
        default: pipit_simd128_floats(w, g0, g1, x, 1, y, 0);
    }
}

/* Token by token, over some groups at a time: their bytes stay in the cache. */
static void multiply_vectors(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                             const pipit_acts *x, uint32_t t0,
                             uint32_t n_tokens, float *y, size_t y_stride) {
    for (uint32_t g = g0; g < g1; g += 16)
        for (uint32_t t = t0; t < n_tokens; t++) {
            pipit_acts one = {.blocks = x->blocks + t * x->block_stride};
            matvec(w, g, pipit_min_u32(g + 16, g1), &one, y + t * y_stride);
        }
}

/* From how many tokens on it pays to unpack tiles, by measurement. */
static uint32_t least_for_tiles(const pipit_form_info *form) {
    if (form->scales == PIPIT_SCALES_FP8_16) return UINT32_MAX;
    return form->code == PIPIT_CODE_FP4 || form->bits % 4 != 0 ||
                   form->code == PIPIT_CODE_TRITS
               ? 4
               : 8;
}

static void matmul(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                   const pipit_acts *x, uint32_t n_tokens, float *y,
                   size_t y_stride, uint8_t *scratch) {
    const pipit_form_info *form = pipit_form(w->type);
    uint32_t n_swept = 0;
    if (form->kind == PIPIT_FORM_FLOAT) {
        pipit_simd128_floats(w, g0, g1, x, n_tokens, y, y_stride);
        return;
    }
    if (n_tokens >= least_for_tiles(form)) {
        n_swept = n_tokens / TOKENS * TOKENS;
        multiply_tiles(w, g0, g1, x, n_swept, y, y_stride, scratch);
    }
    multiply_vectors(w, g0, g1, x, n_swept, n_tokens, y, y_stride);
}

#define PIPIT_KERNELS_OF(label)                       \
    {                                                 \
        .name = label,                                \
        .act_block_bytes = sizeof(act_block),         \
        .quantize = quantize,                         \
        .matvec = matvec,                             \
        .matmul_scratch_bytes = matmul_scratch_bytes, \
        .matmul = matmul,                             \
        .accumulate = pipit_simd128_accumulate,       \
        .rms_norm = pipit_simd128_rms_norm,           \
        .add = pipit_simd128_add,                     \
        .silu_mul = pipit_simd128_silu_mul,           \
        .gelu_mul = pipit_simd128_gelu_mul,           \
        .attn_scores = pipit_simd128_attn_scores,     \
        .softmax = pipit_simd128_softmax,             \
        .attn_mix = pipit_simd128_attn_mix,           \
        .kv_store = pipit_simd128_kv_store,           \
    }
