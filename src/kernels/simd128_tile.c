/* simd128_tile.c — unpacks row groups into tiles. */
#include "quants.h"
#include "tile.h"

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
        if (wide) {
            out[4 * i] = wasm_i16x8_shr(wasm_i16x8_shl(v[i], 8), 8);
            out[4 * i + 2] = wasm_i16x8_shr(v[i], 8);
        } else {
            out[2 * i] = v[i];
        }
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

static void put_mins(const pipit_form_info *form, const uint8_t *block,
                     uint32_t sub, v128_t *out) {
    const uint8_t *half = block + form->scales_at + 8 * sub;
    if (form->scales == PIPIT_SCALES_U4_16) {
        out[0] = pipit_floats_of_high(half);
        out[2] = pipit_floats_of_high(half + 4);
    } else if (form->mins_at > 0) {
        out[0] = pipit_floats_of_u8(block + form->mins_at + 4 * sub);
    } else {
        out[0] = pipit_f16x4(block + 8);
    }
}

/* The loop over one group's blocks; its own for each way to store quants. */
PIPIT_INLINE void put_group(pipit_form_code code, int bits,
                            const pipit_form_info *form, const uint8_t *block,
                            bool wide, const pipit_tile *t, uint32_t g) {
    uint32_t stride = pipit_tile_stride(t);
    v128_t *out = t->blocks + g, *mins = t->mins + g, *m = t->m + g;
    for (uint32_t b = 0; b < t->n_blocks / form->n_subs;
         b++, block += form->block_bytes) {
        for (uint32_t s = 0; s < form->n_subs; s++, out += stride) {
            put_quants(code, bits,
                       block + form->quants_at + s * form->sub_bytes, s,
                       wide, out);
            put_scales(form, block, s, out + 2 * t->n_q);
            out[2 * t->n_q + 4] = code == PIPIT_CODE_FP4 ? pipit_e8m0x4(block)
                                                         : pipit_f16x4(block);
            if (!form->has_min) continue;
            put_mins(form, block, s, mins);
            mins += 2 * t->mins_per_block;
        }
        if (!form->has_min || form->n_subs == 1) continue;
        *m = wasm_f32x4_neg(pipit_f16x4(block + 8));
        m += 2;
    }
    if (form->has_min && form->n_subs == 1) *m = wasm_f32x4_splat(1);
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

void pipit_tile_unpack(const pipit_matrix *w, uint32_t g0, uint32_t n_groups,
                       bool wide, uint8_t *scratch, pipit_tile *tile) {
    const pipit_form_info *form = pipit_form(w->type);
    set_shape(form, w->n_cols, wide, scratch, tile);
    for (uint32_t g = 0; g < PIPIT_TILE_GROUPS; g++) {
        uint32_t from = g0 + (g < n_groups ? g : n_groups - 1);
        const uint8_t *block = w->groups + from * w->group_bytes;
#define CASE(code, bits)                                                  \
    case code: put_group(code, bits, form, block, wide, tile, g); break;
        switch (form->code) {
            case PIPIT_CODE_OFFSET: put_offset(form, block, wide, tile, g); break;
            CASE(PIPIT_CODE_SIGNED, 8)
            CASE(PIPIT_CODE_IQ4, 4)
            CASE(PIPIT_CODE_FP4, 4)
            CASE(PIPIT_CODE_TRITS, 0)
        }
#undef CASE
    }
}
