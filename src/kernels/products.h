/* products.h — matrix products of the vector implementations. Included once by
 * each, after it has said by PIPIT_DOT how it multiplies integers:
 *
 *   PIPIT_DOT_PLAIN   i32x4.dot_i16x8 of widened quants (SIMD128)
 *   PIPIT_DOT_16      relaxed dot to i16, summed there while that is exact
 *   PIPIT_DOT_ADD     relaxed dot added to i32
 *
 * A unit is one vector of quants of four rows that meets one 32-bit splat of
 * activations: for relaxed dots four unsigned columns (8-bit quants: low and
 * high nibble apart, since the second operand has 7 bits), for plain ones two
 * i16 columns, first the even and then the odd ones of four.
 *
 * The product of a matrix and many tokens unpacks two row groups at a time into
 * scratch (units, then scales, block after block: it stays in the first-level
 * cache) and sweeps the tokens four at a time over it. */
#include "scalar.h"
#include "simd.h"
#include "simd128_rows.h"

#define PIPIT_DOT_PLAIN 0
#define PIPIT_DOT_16 1
#define PIPIT_DOT_ADD 2

#define TILE_GROUPS 2
#define TILE_TOKENS 4

/* ---- activations -------------------------------------------------------- */

/* 32 activations: sums of each 16 quants, and d times the sum of all. */
typedef struct act_block {
    float d, d_sum;
    int32_t sum[2];
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    int16_t q[32]; /* of each four columns 0, 2, 1, 3 */
#else
    int8_t q[32];
#endif
} act_block;

PIPIT_INLINE v128_t quantize_4(const float *x, v128_t inverse) {
    const v128_t limit = wasm_f32x4_splat(127.0f);
    v128_t v = wasm_f32x4_mul(wasm_v128_load(x), inverse);
    v128_t nan = wasm_f32x4_ne(v, v);
    v = wasm_v128_andnot(v, nan);
    v = wasm_f32x4_pmin(limit, wasm_f32x4_pmax(wasm_f32x4_neg(limit), v));
    return wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(v));
}

PIPIT_INLINE float largest_32(const float *x) {
    v128_t best = wasm_f32x4_splat(0);
    float lanes[4], amax = 0;
    for (int i = 0; i < 32; i += 4) {
        v128_t a = wasm_f32x4_abs(wasm_v128_load(x + i));
        best = wasm_v128_bitselect(a, best, wasm_f32x4_gt(a, best));
    }
    wasm_v128_store(lanes, best);
    for (int i = 0; i < 4; i++)
        if (lanes[i] > amax) amax = lanes[i];
    return amax;
}

PIPIT_INLINE int32_t sum_i32(v128_t v) {
    return wasm_i32x4_extract_lane(v, 0) + wasm_i32x4_extract_lane(v, 1) +
           wasm_i32x4_extract_lane(v, 2) + wasm_i32x4_extract_lane(v, 3);
}

static void quantize(const float *x, size_t n, uint8_t *blocks) {
    for (size_t b = 0; b < n / 32; b++, x += 32) {
        act_block *out = (act_block *)(void *)(blocks + b * sizeof *out);
        float amax = largest_32(x), one = amax > 0 ? 127.0f / amax : 0;
        v128_t inverse = wasm_f32x4_splat(one);
        for (int half = 0; half < 2; half++) {
            v128_t q[4], sum;
            for (int i = 0; i < 4; i++)
                q[i] = quantize_4(x + 16 * half + 4 * i, inverse);
            sum = wasm_i32x4_add(wasm_i32x4_add(q[0], q[1]),
                                 wasm_i32x4_add(q[2], q[3]));
            out->sum[half] = sum_i32(sum);
            v128_t low = wasm_i16x8_narrow_i32x4(q[0], q[1]);
            v128_t high = wasm_i16x8_narrow_i32x4(q[2], q[3]);
#if PIPIT_DOT == PIPIT_DOT_PLAIN
            low = wasm_i16x8_shuffle(low, low, 0, 2, 1, 3, 4, 6, 5, 7);
            high = wasm_i16x8_shuffle(high, high, 0, 2, 1, 3, 4, 6, 5, 7);
            wasm_v128_store(out->q + 16 * half, low);
            wasm_v128_store(out->q + 16 * half + 8, high);
#else
            wasm_v128_store(out->q + 16 * half,
                            wasm_i8x16_narrow_i16x8(low, high));
#endif
        }
        out->d = amax / 127.0f;
        out->d_sum = out->d * (float)(out->sum[0] + out->sum[1]);
    }
}

/* ---- units -------------------------------------------------------------- */

/* Vector j (0..7) of a sub-block's quants: four rows times four columns. */
PIPIT_INLINE v128_t quants_of(const uint8_t *vectors, int bits, int j) {
    if (bits == 8) return wasm_v128_load(vectors + 16 * j);
    v128_t packed = wasm_v128_load(vectors + 16 * (j % 4));
    v128_t q = j < 4 ? wasm_v128_and(packed, wasm_u8x16_splat(15))
                     : wasm_u8x16_shr(packed, 4);
    if (bits == 5) {
        v128_t plane = wasm_v128_load(vectors + 64);
        v128_t bit = wasm_v128_and(wasm_u8x16_splat((uint8_t)(1 << j)), plane);
        /* bit j to bit 4, within 16-bit lanes: nothing crosses a byte */
        bit = j < 4 ? wasm_i16x8_shl(bit, (uint32_t)(4 - j))
                    : wasm_u16x8_shr(bit, (uint32_t)(j - 4));
        q = wasm_v128_or(q, bit);
    }
    if (bits == 6) {
        int at = 2 * (j % 4);
        v128_t plane = wasm_v128_load(vectors + 64 + 16 * (j / 4));
        v128_t two =
            wasm_v128_and(wasm_u8x16_splat((uint8_t)(3 << at)), plane);
        two = at < 4 ? wasm_i16x8_shl(two, (uint32_t)(4 - at))
                     : wasm_u16x8_shr(two, (uint32_t)(at - 4));
        q = wasm_v128_or(q, two);
    }
    return q;
}

#if PIPIT_DOT == PIPIT_DOT_PLAIN
#define UNITS_PER_VECTOR(bits) 2
#else
#define UNITS_PER_VECTOR(bits) ((bits) == 8 ? 2 : 1)
#endif

/* The units of vector q: as many as UNITS_PER_VECTOR says. */
PIPIT_INLINE void split_units(v128_t q, int bits, v128_t units[2]) {
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    if (bits == 8) {
        units[0] = wasm_i16x8_shr(wasm_i16x8_shl(q, 8), 8);
        units[1] = wasm_i16x8_shr(q, 8);
    } else {
        units[0] = wasm_v128_and(q, wasm_i16x8_splat(255));
        units[1] = wasm_u16x8_shr(q, 8);
    }
#else
    units[0] = q;
    if (bits == 8) { /* q + 128 = low + 16 high */
        q = wasm_v128_xor(q, wasm_u8x16_splat(128));
        units[0] = wasm_v128_and(q, wasm_u8x16_splat(15));
        units[1] = wasm_u8x16_shr(q, 4);
    }
#endif
}

/* The activations that meet unit u of vector j. */
PIPIT_INLINE v128_t splat_of(const act_block *x, int j, int u) {
#if PIPIT_DOT == PIPIT_DOT_PLAIN
    return wasm_v128_load32_splat(x->q + 4 * j + 2 * u);
#else
    (void)u;
    return wasm_v128_load32_splat(x->q + 4 * j);
#endif
}

/* ---- integer sums ------------------------------------------------------- */

/* The running integer sums of one row group and one token. `narrow` is i16 and
 * exact only for so many additions: flush moves it to `wide`. */
typedef struct int_sum {
    v128_t wide, narrow, wide_high, narrow_high; /* high: of high nibbles */
} int_sum;

PIPIT_INLINE void clear(int_sum *s) {
    s->wide = s->narrow = s->wide_high = s->narrow_high = wasm_i32x4_splat(0);
}

#if PIPIT_DOT == PIPIT_DOT_PLAIN
PIPIT_INLINE void add_dot(int_sum *s, v128_t x, v128_t unit, int bits, int u) {
    (void)bits;
    (void)u;
    s->wide = wasm_i32x4_add(s->wide, wasm_i32x4_dot_i16x8(x, unit));
}
PIPIT_INLINE void flush(int_sum *s, int bits) {
    (void)s;
    (void)bits;
}
#elif PIPIT_DOT == PIPIT_DOT_16
PIPIT_INLINE void add_dot(int_sum *s, v128_t x, v128_t unit, int bits, int u) {
    v128_t dot = wasm_i16x8_relaxed_dot_i8x16_i7x16(x, unit);
    if (bits == 8 && u == 1)
        s->narrow_high = wasm_i16x8_add(s->narrow_high, dot);
    else
        s->narrow = wasm_i16x8_add(s->narrow, dot);
}
PIPIT_INLINE void flush(int_sum *s, int bits) {
    s->wide = wasm_i32x4_add(s->wide, wasm_i32x4_extadd_pairwise_i16x8(s->narrow));
    s->narrow = wasm_i32x4_splat(0);
    if (bits != 8) return;
    s->wide_high = wasm_i32x4_add(
        s->wide_high, wasm_i32x4_extadd_pairwise_i16x8(s->narrow_high));
    s->narrow_high = wasm_i32x4_splat(0);
}
#else
PIPIT_INLINE void add_dot(int_sum *s, v128_t x, v128_t unit, int bits, int u) {
    if (bits == 8 && u == 1)
        s->wide_high =
            wasm_i32x4_relaxed_dot_i8x16_i7x16_add(x, unit, s->wide_high);
    else
        s->wide = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(x, unit, s->wide);
}
PIPIT_INLINE void flush(int_sum *s, int bits) {
    (void)s;
    (void)bits;
}
#endif

/* Vectors that may be added in i16: a pair is at most 2 * 127 * (2^bits - 1). */
PIPIT_INLINE int vectors_per_flush(int bits) {
    return bits == 5 ? 4 : bits == 6 ? 2 : 8;
}

/* The exact dot of 32 (or 16) columns, the offset taken out. */
PIPIT_INLINE v128_t total_of(const int_sum *s, int bits, int offset,
                             int32_t x_sum) {
    v128_t total = s->wide;
#if PIPIT_DOT != PIPIT_DOT_PLAIN
    if (bits == 8) {
        total = wasm_i32x4_add(total, wasm_i32x4_shl(s->wide_high, 4));
        offset = 128;
    }
#endif
    (void)bits;
    if (offset == 0) return total;
    return wasm_i32x4_sub(total, wasm_i32x4_splat(offset * x_sum));
}

/* ---- scales ------------------------------------------------------------- */

/* Of one sub-block, four rows; scale[1] only where halves of 16 columns have
 * their own. */
typedef struct sub_scales {
    v128_t scale[2], min;
} sub_scales;

PIPIT_INLINE v128_t widen_u8x4(const uint8_t *p) {
    v128_t bytes = wasm_v128_load32_zero(p);
    return wasm_f32x4_convert_i32x4(
        wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(bytes)));
}

PIPIT_INLINE v128_t widen_i8x4(const uint8_t *p) {
    v128_t bytes = wasm_v128_load32_zero(p);
    return wasm_f32x4_convert_i32x4(
        wasm_i32x4_extend_low_i16x8(wasm_i16x8_extend_low_i8x16(bytes)));
}

/* What the super-block (or the block itself) says, once. */
typedef struct super_scales {
    v128_t d, min;
} super_scales;

PIPIT_INLINE super_scales super_of(const uint8_t *block, bool has_min,
                                   bool is_k) {
    super_scales s = {pipit_f16x4(block), wasm_f32x4_splat(0)};
    if (has_min) s.min = pipit_f16x4(block + 8);
    if (has_min && is_k) s.min = wasm_f32x4_neg(s.min);
    return s;
}

PIPIT_INLINE sub_scales scales_of(const super_scales *super,
                                  const uint8_t *block, int s, int bits,
                                  bool is_k) {
    sub_scales out = {{super->d, super->d}, super->min};
    if (!is_k) return out;
    if (bits == 6) {
        for (int i = 0; i < 2; i++)
            out.scale[i] = wasm_f32x4_mul(
                super->d, widen_i8x4(block + 8 + 4 * (2 * s + i)));
    } else {
        out.scale[0] = wasm_f32x4_mul(super->d, widen_u8x4(block + 16 + 4 * s));
        out.min = wasm_f32x4_mul(super->min, widen_u8x4(block + 48 + 4 * s));
    }
    return out;
}

PIPIT_INLINE v128_t add_scaled(v128_t acc, v128_t scale, v128_t d,
                               v128_t total) {
    return wasm_f32x4_add(acc,
                          wasm_f32x4_mul(wasm_f32x4_mul(scale, d),
                                         wasm_f32x4_convert_i32x4(total)));
}

PIPIT_INLINE v128_t add_min(v128_t acc, v128_t min, v128_t d_sum) {
    return wasm_f32x4_add(acc, wasm_f32x4_mul(min, d_sum));
}

/* ---- one token: matvec -------------------------------------------------- */

/* The constants of a type's form; always known where this is inlined. */
typedef struct form {
    int bits, offset;
    bool has_min, is_k;
    uint32_t subs; /* sub-blocks of 32 in a block */
    uint32_t block_bytes, quants_at, sub_bytes;
} form;

PIPIT_INLINE void vec_sub(const form *f, const uint8_t *const blocks[],
                          const super_scales *super, int n_groups, int s,
                          const act_block *x, v128_t *acc) {
    int_sum sums[TILE_GROUPS];
    v128_t d = wasm_v128_load32_splat(&x->d);
    int flush_at = vectors_per_flush(f->bits);
    for (int g = 0; g < n_groups; g++) clear(&sums[g]);
    for (int j = 0; j < 8; j++) {
        int n_units = UNITS_PER_VECTOR(f->bits);
        for (int g = 0; g < n_groups; g++) {
            v128_t units[2];
            split_units(quants_of(blocks[g] + f->quants_at +
                                      (uint32_t)s * f->sub_bytes,
                                  f->bits, j),
                        f->bits, units);
            for (int u = 0; u < n_units; u++)
                add_dot(&sums[g], splat_of(x, j, u), units[u], f->bits, u);
            if ((j + 1) % flush_at == 0) flush(&sums[g], f->bits);
        }
        if (f->bits != 6 || j % 4 != 3) continue;
        for (int g = 0; g < n_groups; g++) {
            sub_scales sc = scales_of(&super[g], blocks[g], s, 6, true);
            acc[g] = add_scaled(acc[g], sc.scale[j / 4], d,
                                total_of(&sums[g], 6, f->offset,
                                         x->sum[j / 4]));
            clear(&sums[g]);
        }
    }
    if (f->bits == 6) return;
    for (int g = 0; g < n_groups; g++) {
        sub_scales sc = scales_of(&super[g], blocks[g], s, f->bits, f->is_k);
        acc[g] = add_scaled(acc[g], sc.scale[0], d,
                            total_of(&sums[g], f->bits, f->offset,
                                     x->sum[0] + x->sum[1]));
        if (f->has_min)
            acc[g] = add_min(acc[g], sc.min, wasm_v128_load32_splat(&x->d_sum));
    }
}

PIPIT_INLINE void vec_groups(const form *f, const pipit_matrix *w, uint32_t g0,
                             int n_groups, const uint8_t *xs, float *y) {
    const act_block *x = (const act_block *)(const void *)xs;
    const uint8_t *blocks[TILE_GROUPS];
    v128_t acc[TILE_GROUPS];
    super_scales super[TILE_GROUPS];
    for (int g = 0; g < n_groups; g++) {
        blocks[g] = w->groups + (g0 + (uint32_t)g) * w->group_bytes;
        acc[g] = wasm_f32x4_splat(0);
    }
    for (uint32_t b = w->n_cols / 32 / f->subs; b > 0; b--) {
        for (int g = 0; g < n_groups; g++)
            super[g] = super_of(blocks[g], f->has_min, f->is_k);
        for (uint32_t s = 0; s < f->subs; s++)
            vec_sub(f, blocks, super, n_groups, (int)s, x++, acc);
        for (int g = 0; g < n_groups; g++) blocks[g] += f->block_bytes;
    }
    for (int g = 0; g < n_groups; g++)
        wasm_v128_store(y + 4 * (g0 + (uint32_t)g), acc[g]);
}

PIPIT_INLINE void vec_form(const form *f, const pipit_matrix *w, uint32_t g0,
                           uint32_t g1, const uint8_t *xs, float *y) {
    for (; g0 + TILE_GROUPS <= g1; g0 += TILE_GROUPS)
        vec_groups(f, w, g0, TILE_GROUPS, xs, y);
    if (g0 < g1) vec_groups(f, w, g0, 1, xs, y);
}

/* ---- many tokens: matmul ------------------------------------------------ */

/* Scratch of one sub-block of both groups: units of vector j, group after
 * group, then for each group scale[0], scale[1], min. */
PIPIT_INLINE int tile_vectors(int bits) {
    (void)bits;
    return TILE_GROUPS * (8 * UNITS_PER_VECTOR(bits) + 3);
}

PIPIT_INLINE void unpack_groups(const form *f, const pipit_matrix *w,
                                uint32_t g0, int n_groups, v128_t *scratch) {
    int n_units = UNITS_PER_VECTOR(f->bits), n = tile_vectors(f->bits);
    for (int g = 0; g < n_groups; g++) {
        const uint8_t *block = w->groups + (g0 + (uint32_t)g) * w->group_bytes;
        v128_t *out = scratch;
        for (uint32_t b = w->n_cols / 32 / f->subs; b > 0; b--) {
            super_scales super = super_of(block, f->has_min, f->is_k);
            for (uint32_t s = 0; s < f->subs; s++, out += n) {
                const uint8_t *vectors = block + f->quants_at + s * f->sub_bytes;
                v128_t *scales = out + n - 3 * TILE_GROUPS + 3 * g;
                sub_scales sc =
                    scales_of(&super, block, (int)s, f->bits, f->is_k);
                for (int j = 0; j < 8; j++) {
                    v128_t units[2];
                    split_units(quants_of(vectors, f->bits, j), f->bits, units);
                    for (int u = 0; u < n_units; u++)
                        out[(j * TILE_GROUPS + g) * n_units + u] = units[u];
                }
                scales[0] = sc.scale[0];
                scales[1] = sc.scale[1];
                scales[2] = sc.min;
            }
            block += f->block_bytes;
        }
    }
}

/* Where a sub-block's units and scales are; for one group alone the second
 * group's begin further on. */
typedef struct tile_place {
    const v128_t *units, *scales;
} tile_place;

PIPIT_INLINE tile_place place_of(const v128_t *tile, int bits, int group) {
    return (tile_place){tile + group * UNITS_PER_VECTOR(bits),
                        tile + tile_vectors(bits) - 3 * TILE_GROUPS +
                            3 * group};
}

/* The constants of a kind of quant. */
typedef struct kind {
    int bits, offset;
    bool has_min;
} kind;

/* One sub-block of the tile for n_tokens tokens and n_groups groups. */
PIPIT_INLINE void mul_sub(const kind *k, tile_place at, int n_groups,
                          const act_block *const x[], int n_tokens,
                          v128_t acc[TILE_TOKENS][TILE_GROUPS]) {
    int_sum sums[TILE_TOKENS][TILE_GROUPS];
    int bits = k->bits;
    int n_units = UNITS_PER_VECTOR(bits), flush_at = vectors_per_flush(bits);
    for (int t = 0; t < n_tokens; t++)
        for (int g = 0; g < n_groups; g++) clear(&sums[t][g]);
    for (int j = 0; j < 8; j++) {
        const v128_t *units = at.units + j * TILE_GROUPS * n_units;
        for (int u = 0; u < n_units; u++)
            for (int t = 0; t < n_tokens; t++) {
                v128_t splat = splat_of(x[t], j, u);
                for (int g = 0; g < n_groups; g++)
                    add_dot(&sums[t][g], splat, units[g * n_units + u], bits,
                            u);
            }
        if ((j + 1) % flush_at == 0)
            for (int t = 0; t < n_tokens; t++)
                for (int g = 0; g < n_groups; g++) flush(&sums[t][g], bits);
        if (bits != 6 || j % 4 != 3) continue;
        for (int t = 0; t < n_tokens; t++)
            for (int g = 0; g < n_groups; g++) {
                acc[t][g] = add_scaled(
                    acc[t][g], at.scales[3 * g + j / 4],
                    wasm_v128_load32_splat(&x[t]->d),
                    total_of(&sums[t][g], bits, k->offset, x[t]->sum[j / 4]));
                clear(&sums[t][g]);
            }
    }
    if (bits == 6) return;
    for (int t = 0; t < n_tokens; t++)
        for (int g = 0; g < n_groups; g++) {
            acc[t][g] = add_scaled(acc[t][g], at.scales[3 * g],
                                   wasm_v128_load32_splat(&x[t]->d),
                                   total_of(&sums[t][g], bits, k->offset,
                                            x[t]->sum[0] + x[t]->sum[1]));
            if (k->has_min)
                acc[t][g] = add_min(acc[t][g], at.scales[3 * g + 2],
                                    wasm_v128_load32_splat(&x[t]->d_sum));
        }
}

/* Tokens [t, t + n_tokens) over n_groups groups from group `group` on. */
PIPIT_INLINE void mul_tokens(const kind *k, const v128_t *tile,
                             uint32_t n_subs, int group, int n_groups,
                             const pipit_acts *acts, uint32_t t0, int n_tokens,
                             float *y, size_t y_stride) {
    const act_block *x[TILE_TOKENS];
    v128_t acc[TILE_TOKENS][TILE_GROUPS];
    for (int t = 0; t < n_tokens; t++) {
        x[t] = (const act_block *)(const void *)(acts->blocks +
                                                 (t0 + (uint32_t)t) *
                                                     acts->block_stride);
        for (int g = 0; g < n_groups; g++) acc[t][g] = wasm_f32x4_splat(0);
    }
    for (uint32_t s = 0; s < n_subs; s++, tile += tile_vectors(k->bits)) {
        mul_sub(k, place_of(tile, k->bits, group), n_groups, x, n_tokens, acc);
        for (int t = 0; t < n_tokens; t++) x[t]++;
    }
    for (int t = 0; t < n_tokens; t++)
        for (int g = 0; g < n_groups; g++)
            wasm_v128_store(y + (t0 + (uint32_t)t) * y_stride +
                                4 * (group + g),
                            acc[t][g]);
}

/* All tokens over one unpacked tile; y is the tile's first row. */
PIPIT_INLINE void mul_tile(const kind *k, const v128_t *tile, uint32_t n_subs,
                           int n_groups, const pipit_acts *x,
                           uint32_t n_tokens, float *y, size_t y_stride) {
    uint32_t t = 0;
    if (n_groups == TILE_GROUPS) {
        for (; t + 4 <= n_tokens; t += 4)
            mul_tokens(k, tile, n_subs, 0, 2, x, t, 4, y, y_stride);
        if (t + 2 <= n_tokens) {
            mul_tokens(k, tile, n_subs, 0, 2, x, t, 2, y, y_stride);
            t += 2;
        }
    }
    for (; t < n_tokens; t++)
        for (int g = 0; g < n_groups; g++)
            mul_tokens(k, tile, n_subs, g, 1, x, t, 1, y, y_stride);
}

/* Out of line and once for each kind: what else differs between types went into
 * the tile. */
typedef void mul_kind(const v128_t *tile, uint32_t n_subs, int n_groups,
                      const pipit_acts *x, uint32_t n_tokens, float *y,
                      size_t y_stride);
#define MUL_KIND(name, bits, offset, has_min)                               \
    static void name(const v128_t *tile, uint32_t n_subs, int n_groups,     \
                     const pipit_acts *x, uint32_t n_tokens, float *y,      \
                     size_t y_stride) {                                     \
        const kind k = {bits, offset, has_min};                             \
        mul_tile(&k, tile, n_subs, n_groups, x, n_tokens, y, y_stride);     \
    }
MUL_KIND(mul_4_offset, 4, 8, false)
MUL_KIND(mul_4_min, 4, 0, true)
MUL_KIND(mul_5_offset, 5, 16, false)
MUL_KIND(mul_5_min, 5, 0, true)
MUL_KIND(mul_6, 6, 32, false)
MUL_KIND(mul_8, 8, 0, false)

PIPIT_INLINE void mul_form(const form *f, mul_kind *mul, const pipit_matrix *w,
                           uint32_t g0, uint32_t g1, const pipit_acts *x,
                           uint32_t n_tokens, float *y, size_t y_stride,
                           uint8_t *scratch) {
    v128_t *tile = (v128_t *)(void *)scratch;
    for (int n; g0 < g1; g0 += (uint32_t)n) {
        n = g1 - g0 < TILE_GROUPS ? 1 : TILE_GROUPS;
        unpack_groups(f, w, g0, n, tile);
        mul(tile, w->n_cols / 32, n, x, n_tokens, y + 4 * g0, y_stride);
    }
}

/* ---- float weights ------------------------------------------------------ */

PIPIT_INLINE v128_t load_weights(const uint8_t *group, uint32_t c,
                                 uint32_t type) {
    if (type == PIPIT_TYPE_F32) return wasm_v128_load(group + 16 * (size_t)c);
    if (type == PIPIT_TYPE_F16) return pipit_f16x4(group + 8 * (size_t)c);
    return pipit_bf16x4(group + 8 * (size_t)c);
}

/* n_groups <= 4 groups, n_tokens <= 4 tokens: sixteen sums at most. */
PIPIT_INLINE void float_tile(const pipit_matrix *w, uint32_t type, uint32_t g0,
                             int n_groups, const float *x, size_t x_stride,
                             int n_tokens, float *y, size_t y_stride) {
    v128_t acc[4][4];
    const uint8_t *groups = w->groups + g0 * w->group_bytes;
    for (int t = 0; t < n_tokens; t++)
        for (int g = 0; g < n_groups; g++) acc[t][g] = wasm_f32x4_splat(0);
    for (uint32_t c = 0; c < w->n_cols; c++) {
        v128_t v[4];
        for (int g = 0; g < n_groups; g++)
            v[g] = load_weights(groups + (size_t)g * w->group_bytes, c, type);
        for (int t = 0; t < n_tokens; t++) {
            v128_t splat = wasm_v128_load32_splat(x + (size_t)t * x_stride + c);
            for (int g = 0; g < n_groups; g++)
                acc[t][g] =
                    wasm_f32x4_add(acc[t][g], wasm_f32x4_mul(v[g], splat));
        }
    }
    for (int t = 0; t < n_tokens; t++)
        for (int g = 0; g < n_groups; g++)
            wasm_v128_store(y + (size_t)t * y_stride + 4 * (g0 + (uint32_t)g),
                            acc[t][g]);
}

PIPIT_INLINE void float_product(const pipit_matrix *w, uint32_t type,
                                uint32_t g0, uint32_t g1, const pipit_acts *x,
                                uint32_t n_tokens, float *y, size_t y_stride) {
    for (; g0 + 2 <= g1; g0 += 2) {
        uint32_t t = 0;
        for (; t + 4 <= n_tokens; t += 4)
            float_tile(w, type, g0, 2, x->x + t * x->x_stride, x->x_stride, 4,
                       y + t * y_stride, y_stride);
        for (; t < n_tokens; t++)
            float_tile(w, type, g0, 2, x->x + t * x->x_stride, 0, 1,
                       y + t * y_stride, 0);
    }
    for (uint32_t t = 0; t < n_tokens && g0 < g1; t++)
        float_tile(w, type, g0, 1, x->x + t * x->x_stride, 0, 1,
                   y + t * y_stride, 0);
}

static void multiply_floats(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                            const pipit_acts *x, uint32_t n_tokens, float *y,
                            size_t y_stride) {
    if (w->type == PIPIT_TYPE_F32)
        float_product(w, PIPIT_TYPE_F32, g0, g1, x, n_tokens, y, y_stride);
    else if (w->type == PIPIT_TYPE_F16)
        float_product(w, PIPIT_TYPE_F16, g0, g1, x, n_tokens, y, y_stride);
    else
        float_product(w, PIPIT_TYPE_BF16, g0, g1, x, n_tokens, y, y_stride);
}

/* ---- by type ------------------------------------------------------------ */

/* Numbers as in forms.c, constants here so that each type's loop is its own. */
#define SIMPLE(bits, offset, has_min, bytes, at, sub) \
    {bits, offset, has_min, false, 1, bytes, at, sub}
#define K_QUANT(bits, offset, has_min, bytes, at, sub) \
    {bits, offset, has_min, true, 8, bytes, at, sub}
static const form form_q4_0 = SIMPLE(4, 8, false, 72, 8, 64);
static const form form_q4_1 = SIMPLE(4, 0, true, 80, 16, 64);
static const form form_q5_0 = SIMPLE(5, 16, false, 88, 8, 80);
static const form form_q5_1 = SIMPLE(5, 0, true, 96, 16, 80);
static const form form_q8_0 = SIMPLE(8, 0, false, 136, 8, 128);
static const form form_q4_k = K_QUANT(4, 0, true, 592, 80, 64);
static const form form_q5_k = K_QUANT(5, 0, true, 720, 80, 80);
static const form form_q6_k = K_QUANT(6, 32, false, 840, 72, 96);

#define EACH_QUANT_TYPE(CASE)                       \
    CASE(PIPIT_TYPE_Q4_0, form_q4_0, mul_4_offset)  \
    CASE(PIPIT_TYPE_Q4_1, form_q4_1, mul_4_min)     \
    CASE(PIPIT_TYPE_Q5_0, form_q5_0, mul_5_offset)  \
    CASE(PIPIT_TYPE_Q5_1, form_q5_1, mul_5_min)     \
    CASE(PIPIT_TYPE_Q8_0, form_q8_0, mul_8)         \
    CASE(PIPIT_TYPE_Q4_K, form_q4_k, mul_4_min)     \
    CASE(PIPIT_TYPE_Q5_K, form_q5_k, mul_5_min)     \
    CASE(PIPIT_TYPE_Q6_K, form_q6_k, mul_6)

static void matvec(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                   const pipit_acts *x, float *y) {
#define VEC_CASE(type, form, mul)                   \
    case type:                                      \
        vec_form(&form, w, g0, g1, x->blocks, y);   \
        return;
    switch (w->type) {
        EACH_QUANT_TYPE(VEC_CASE)
        default: multiply_floats(w, g0, g1, x, 1, y, 0);
    }
}

/* The widest tile of 32 columns is that of 8-bit quants, all scales beside. */
static size_t matmul_scratch_bytes(uint32_t n_cols) {
    return (size_t)(n_cols / 32) * TILE_GROUPS * (8 * 2 + 3) * 16;
}

static void matmul(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                   const pipit_acts *x, uint32_t n_tokens, float *y,
                   size_t y_stride, uint8_t *scratch) {
#define MUL_CASE(type, form, mul)                                          \
    case type:                                                             \
        mul_form(&form, mul, w, g0, g1, x, n_tokens, y, y_stride, scratch); \
        return;
    switch (w->type) {
        EACH_QUANT_TYPE(MUL_CASE)
        default: multiply_floats(w, g0, g1, x, n_tokens, y, y_stride);
    }
}

#define PIPIT_KERNELS_OF(label)                     \
    {                                               \
        .name = label,                              \
        .act_block_bytes = sizeof(act_block),       \
        .quantize = quantize,                       \
        .matvec = matvec,                           \
        .matmul_scratch_bytes = matmul_scratch_bytes, \
        .matmul = matmul,                           \
        .rms_norm = pipit_simd128_rms_norm,         \
        .add = pipit_simd128_add,                   \
        .silu_mul = pipit_simd128_silu_mul,         \
        .gelu_mul = pipit_simd128_gelu_mul,         \
        .attn_scores = pipit_simd128_attn_scores,   \
        .softmax = pipit_simd128_softmax,           \
        .attn_mix = pipit_simd128_attn_mix,         \
        .kv_store = pipit_scalar_kv_store,          \
    }
