/* simd128_tile.c — unpacks row groups into tiles. */
#include "quants.h"
#include "tile.h"
#include "vectors.h"

#define MOST_VECTORS (2 * (16 + 3) + 4 + 2) /* of a block, with its minimums */

size_t pipit_tile_bytes(uint32_t n_cols) {
    return (size_t)(n_cols / 32) * MOST_VECTORS * sizeof(v128_t);
}

static void set_shape(const pipit_form_info *form, uint32_t n_cols,
                      bool wide, uint8_t *scratch, pipit_tile *t) {
    *t = (pipit_tile){.n_blocks = n_cols / 32, .n_subs = form->n_subs,
                      .offset = pipit_offset_of(form)};
    t->is_signed = pipit_is_signed(form->code);
    t->n_q = wide ? 16 : 8;
    t->two_scales = form->scales >= PIPIT_SCALES_I8_16;
    t->two_sums = form->bits == 5 && form->offset == 0;
    t->blocks = (v128_t *)(void *)scratch;
    t->mins = t->blocks + (size_t)t->n_blocks * pipit_tile_stride(t);
    t->mins_per_block = form->scales == PIPIT_SCALES_U4_16 ? 2 : 1;
    /* The minimums of small blocks: one super-block of them all, times 1. */
    if (form->has_min) t->min_subs = form->n_subs > 1 ? 8 : t->n_blocks;
    t->m = t->mins + (size_t)t->n_blocks * t->mins_per_block * 2;
}

/* A module without plain products widens only signed quants, one without others
 * all. */
PIPIT_INLINE bool is_wide(pipit_form_code code, bool wide) {
#if !defined(PIPIT_HAVE_PLAIN)
    return wide && pipit_is_signed(code);
#elif !defined(PIPIT_HAVE_RELAXED)
    return (void)code, (void)wide, true;
#else
    return (void)code, wide;
#endif
}

/* One sub-block's vectors: out[2 i] for i < n_q. */
PIPIT_INLINE void put_quants(pipit_form_code code, int bits, const uint8_t *at,
                             uint32_t sub, bool wide, v128_t *out) {
    v128_t v[8];
    if (code == PIPIT_CODE_TRITS)
        pipit_split_trits(at, sub, v);
    else
        pipit_split(bits, at, v);
    PIPIT_UNROLL
    for (int i = 0; i < 8; i++) {
        v[i] = pipit_decoded(code, v[i]);
        if (bits == 1) v[i] = wasm_i8x16_add(v[i], v[i]);
        if (is_wide(code, wide)) {
            out[4 * i] = wasm_i16x8_shr(wasm_i16x8_shl(v[i], 8), 8);
            out[4 * i + 2] = wasm_i16x8_shr(v[i], 8);
        } else {
            out[2 * i] = v[i];
        }
    }
}

/* The loop over one group's blocks; its own for each way to store quants. */
PIPIT_INLINE void put_group(pipit_form_code code, int bits,
                            const pipit_form_info *form, const uint8_t *block,
                            bool wide, const pipit_tile *t, uint32_t g) {
    uint32_t stride = pipit_tile_stride(t), n_subs = form->n_subs;
    v128_t *out = t->blocks + g;
    for (uint32_t b = t->n_blocks; b > 0; b -= n_subs) {
        const uint8_t *at = block + form->quants_at;
        for (uint32_t s = 0; s < n_subs; s++, out += stride) {
            put_quants(code, bits, at, s, wide, out);
            at += form->sub_bytes;
        }
        block += form->block_bytes;
    }
}

static void put_scales(const pipit_form_info *form, const uint8_t *block,
                       uint32_t sub, v128_t *out) {
    const uint8_t *at = block + form->scales_at + 4 * sub, *half = at + 4 * sub;
    switch (form->scales) {
        case PIPIT_SCALES_U8:
            out[0] = out[2] = pipit_scale_pairs(at, false);
            break;
        case PIPIT_SCALES_I8:
            out[0] = out[2] = pipit_scale_pairs(at, true);
            break;
        case PIPIT_SCALES_I8_16:
            out[0] = pipit_scale_pairs(half, true);
            out[2] = pipit_scale_pairs(half + 4, true);
            break;
        case PIPIT_SCALES_U4_16:
            out[0] = pipit_low_pairs(half);
            out[2] = pipit_low_pairs(half + 4);
            break;
        default: out[0] = out[2] = wasm_i16x8_splat(1);
    }
}

/* What stands beside the quants of one group. */
static void put_factors(const pipit_form_info *form, const uint8_t *block,
                        const pipit_tile *t, uint32_t g) {
    uint32_t stride = pipit_tile_stride(t);
    v128_t *out = t->blocks + 2 * t->n_q + g;
    for (uint32_t b = t->n_blocks; b > 0; b -= form->n_subs) {
        v128_t d = form->code == PIPIT_CODE_FP4 ? pipit_e8m0x4(block)
                                                : pipit_f16x4(block);
        for (uint32_t s = 0; s < form->n_subs; s++, out += stride) {
            put_scales(form, block, s, out);
            out[4] = d;
        }
        block += form->block_bytes;
    }
}

static void put_group_mins(const pipit_form_info *form, const uint8_t *block,
                           const pipit_tile *t, uint32_t g) {
    v128_t *mins = t->mins + g, *m = t->m + g;
    uint32_t n = t->n_blocks / form->n_subs;
    if (form->n_subs == 1)
        for (; n > 0; n--, mins += 2, block += form->block_bytes)
            *mins = pipit_f16x4(block + 8);
    if (form->n_subs == 1) *m = wasm_f32x4_splat(1);
    for (; n > 0; n--, m += 2, block += form->block_bytes) {
        const uint8_t *at = block + form->mins_at, *half = block + 16;
        *m = wasm_f32x4_neg(pipit_f16x4(block + 8));
        if (form->scales == PIPIT_SCALES_U4_16)
            for (uint32_t i = 0; i < 16; i++, mins += 2)
                *mins = pipit_floats_of_high(half + 4 * i);
        else
            for (uint32_t i = 0; i < 8; i++, mins += 2)
                *mins = pipit_floats_of_u8(at + 4 * i);
    }
}

static void put_offset(const pipit_form_info *form, const uint8_t *block,
                       bool wide, const pipit_tile *t, uint32_t g) {
#define CASE(n)                                                           \
    case n:                                                               \
        put_group(PIPIT_CODE_OFFSET, n, form, block, wide, t, g);        \
        break;
    switch (form->bits) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
        default: PIPIT_ASSERT(false);
    }
#undef CASE
}

static const uint8_t *group_at(const pipit_matrix *w, uint32_t g0,
                               uint32_t n_groups, uint32_t g) {
    return w->groups + (g0 + (g < n_groups ? g : n_groups - 1)) * w->group_bytes;
}

void pipit_tile_unpack(const pipit_matrix *w, uint32_t g0, uint32_t n_groups,
                       bool wide, uint8_t *scratch, pipit_tile *tile) {
    const pipit_form_info *form = pipit_form(w->type);
    set_shape(form, w->n_cols, wide, scratch, tile);
    if (form->has_min)
        for (uint32_t g = 0; g < PIPIT_TILE_GROUPS; g++)
            put_group_mins(form, group_at(w, g0, n_groups, g), tile, g);
    for (uint32_t g = 0; g < PIPIT_TILE_GROUPS; g++) {
        const uint8_t *block = group_at(w, g0, n_groups, g);
        put_factors(form, block, tile, g);
#define CASE(code, bits)                                                  \
    case code: put_group(code, bits, form, block, wide, tile, g); break;
        switch (form->code) {
            case PIPIT_CODE_OFFSET:
                put_offset(form, block, wide, tile, g);
                break;
            CASE(PIPIT_CODE_SIGNED, 8)
            CASE(PIPIT_CODE_IQ4, 4)
            CASE(PIPIT_CODE_FP4, 4)
            CASE(PIPIT_CODE_TRITS, 0)
        }
#undef CASE
    }
}

/* ---- minimums ------------------------------------------------------------ */

typedef v128_t tile_sums[PIPIT_TILE_TOKENS][PIPIT_TILE_GROUPS];

/* u[t][g] += min * d_sum. */
PIPIT_INLINE void add_min(const v128_t *mins, const float *sums, tile_sums u) {
    PIPIT_UNROLL
    for (int t = 0; t < PIPIT_TILE_TOKENS; t++) {
        v128_t sum = wasm_v128_load32_splat(sums + t);
        PIPIT_UNROLL
        for (int g = 0; g < PIPIT_TILE_GROUPS; g++)
            u[t][g] = wasm_f32x4_add(u[t][g], wasm_f32x4_mul(mins[g], sum));
    }
}

PIPIT_INLINE void clear(tile_sums u) {
    PIPIT_UNROLL
    for (int t = 0; t < PIPIT_TILE_TOKENS; t++)
        PIPIT_UNROLL
        for (int g = 0; g < PIPIT_TILE_GROUPS; g++)
            u[t][g] = wasm_f32x4_splat(0);
}

PIPIT_INLINE const float *next(const float *sums, size_t stride) {
    return (const float *)(const void *)((const uint8_t *)sums + stride);
}

/* out += (sum of m * (sum of min * d_sum)). */
static void add_mins(const pipit_tile *tile, const float *sums, size_t stride,
                     tile_sums out) {
    const v128_t *mins = tile->mins, *m = tile->m;
    tile_sums all, u;
    clear(all);
    for (uint32_t b = tile->n_blocks; b > 0; b -= tile->min_subs, m += 2) {
        const v128_t *end = mins + 2 * tile->min_subs * tile->mins_per_block;
        clear(u);
        if (tile->mins_per_block == 1) {
            PIPIT_NO_UNROLL
            for (; mins < end; mins += 2) {
                PIPIT_BUMP(mins);
                PIPIT_BUMP(sums);
                add_min(mins, sums, u);
                sums = next(sums, stride);
            }
        } else {
            PIPIT_NO_UNROLL
            for (; mins < end; mins += 4) {
                add_min(mins, sums + PIPIT_TILE_TOKENS, u);
                add_min(mins + 2, sums + 2 * PIPIT_TILE_TOKENS, u);
                sums = next(sums, stride);
            }
        }
        PIPIT_UNROLL
        for (int t = 0; t < PIPIT_TILE_TOKENS; t++)
            PIPIT_UNROLL
            for (int g = 0; g < PIPIT_TILE_GROUPS; g++)
                all[t][g] = wasm_f32x4_add(all[t][g],
                                           wasm_f32x4_mul(m[g], u[t][g]));
    }
    PIPIT_UNROLL
    for (int t = 0; t < PIPIT_TILE_TOKENS; t++)
        PIPIT_UNROLL
        for (int g = 0; g < PIPIT_TILE_GROUPS; g++)
            out[t][g] = wasm_f32x4_add(out[t][g], all[t][g]);
}

void pipit_tile_finish(const pipit_tile *tile, const float *sums, size_t stride,
                       v128_t (*out)[PIPIT_TILE_GROUPS], uint32_t n_tokens,
                       uint32_t n_groups, float *y, size_t y_stride) {
    if (sums && tile->min_subs > 0) add_mins(tile, sums, stride, out);
    if (n_tokens >= PIPIT_TILE_TOKENS && n_groups == PIPIT_TILE_GROUPS) {
        PIPIT_UNROLL
        for (uint32_t t = 0; t < PIPIT_TILE_TOKENS; t++, y += y_stride) {
            wasm_v128_store(y, out[t][0]);
            wasm_v128_store(y + 4, out[t][1]);
        }
        return;
    }
    for (uint32_t t = 0; t < n_tokens && t < PIPIT_TILE_TOKENS; t++)
        for (uint32_t g = 0; g < n_groups; g++)
            wasm_v128_store(y + t * y_stride + 4 * g, out[t][g]);
}
