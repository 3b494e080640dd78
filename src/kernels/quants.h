/* quants.h — the vectors v0 … v7 of 32 columns out of their packed form, as
 * forms.h draws it. All parameters but pointers are constants where this is
 * inlined. Shifts are of 16-bit lanes, since engines have none of bytes: every
 * one is followed (or undone) by a mask. */
#ifndef PIPIT_QUANTS_H
#define PIPIT_QUANTS_H

#include "forms.h"
#include "simd.h"

PIPIT_INLINE v128_t pipit_masked(v128_t v, int mask) {
    return wasm_v128_and(v, pipit_byte_mask(mask));
}
/* Bits moved down (up, if negative) by `shift`, then masked. */
PIPIT_INLINE v128_t pipit_moved(v128_t v, int shift, int mask) {
    if (shift > 0) v = wasm_u16x8_shr(v, (uint32_t)shift);
    if (shift < 0) v = wasm_i16x8_shl(v, (uint32_t)-shift);
    return pipit_masked(v, mask);
}
PIPIT_INLINE v128_t pipit_or3(v128_t a, v128_t b, v128_t c) {
    return wasm_v128_or(wasm_v128_or(a, b), c);
}

PIPIT_INLINE void pipit_split(int bits, const uint8_t *at, v128_t v[8]) {
    v128_t p[8];
    PIPIT_UNROLL
    for (int i = 0; i < bits; i++) p[i] = wasm_v128_load(at + 16 * i);
    PIPIT_UNROLL
    for (int i = 0; i < 8; i++)
        if (bits == 8)
            v[i] = p[i];
        else if (i < 8 / bits * bits)
            v[i] = pipit_moved(p[i % bits], i / bits * bits, (1 << bits) - 1);
    if (bits == 3) {
        v[6] = wasm_v128_or(pipit_moved(p[0], 6, 3), pipit_moved(p[1], 4, 4));
        v[7] = wasm_v128_or(pipit_moved(p[2], 6, 3), pipit_moved(p[1], 5, 4));
    } else if (bits == 5) {
        v[5] = wasm_v128_or(pipit_moved(p[0], 5, 7), pipit_moved(p[1], 2, 24));
        v[6] = wasm_v128_or(pipit_moved(p[2], 5, 7), pipit_moved(p[3], 2, 24));
        v[7] = pipit_or3(pipit_moved(p[4], 5, 7), pipit_moved(p[1], 4, 8),
                         pipit_moved(p[3], 3, 16));
    } else if (bits == 6) {
        PIPIT_UNROLL
        for (int i = 0; i < 2; i++)
            v[6 + i] = pipit_or3(pipit_moved(p[3 * i], 6, 3),
                                 pipit_moved(p[3 * i + 1], 4, 12),
                                 pipit_moved(p[3 * i + 2], 2, 48));
    }
}

/* Digit `digit` of base-3 bytes: times 3^digit modulo 256, times 3, the part
 * above 256. */
PIPIT_INLINE v128_t pipit_trits(v128_t packed, int power) {
    const v128_t byte = wasm_i16x8_splat(255), three = wasm_i16x8_splat(3);
    v128_t even = wasm_v128_and(packed, byte), odd = wasm_u16x8_shr(packed, 8);
    v128_t times = wasm_i16x8_splat((int16_t)power);
    even = wasm_v128_and(wasm_i16x8_mul(even, times), byte);
    odd = wasm_v128_and(wasm_i16x8_mul(odd, times), byte);
    even = wasm_u16x8_shr(wasm_i16x8_mul(even, three), 8);
    odd = wasm_i16x8_shl(wasm_u16x8_shr(wasm_i16x8_mul(odd, three), 8), 8);
    return wasm_v128_or(even, odd);
}

/* TQ1_0's sub-block: vector j of the block is digit k of word i (forms.c). */
static inline void pipit_split_trits(const uint8_t *at, uint32_t sub,
                                     v128_t v[8]) {
    static const uint8_t powers[5] = {1, 3, 9, 27, 81};
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t j = 8 * sub + i;
        uint32_t word = j < 40 ? i : j < 60 ? 8 + (j - 40) % 4 : 12;
        uint32_t digit = j < 40 ? sub : j < 60 ? (j - 40) / 4 : j - 60;
        v[i] = pipit_trits(wasm_v128_load(at + 16 * word), powers[digit]);
    }
}

/* What the products multiply: unsigned quants below 64 and the offset to be
 * taken from them, or signed bytes. */
PIPIT_INLINE bool pipit_is_signed(pipit_form_code code) {
    return code == PIPIT_CODE_SIGNED || code == PIPIT_CODE_IQ4;
}
PIPIT_INLINE int pipit_offset_of(const pipit_form_info *form) {
    return form->code == PIPIT_CODE_FP4 ? 12 : form->offset;
}

/* Nibbles to the values of a table. */
PIPIT_INLINE v128_t pipit_decoded(pipit_form_code code, v128_t v) {
    if (code == PIPIT_CODE_IQ4)
        return pipit_lookup(pipit_constant(PIPIT_K_IQ4), v);
    if (code == PIPIT_CODE_FP4)
        return pipit_lookup(pipit_constant(PIPIT_K_FP4), v);
    return v;
}

/* Four scale bytes as i16, twice per row; as f32. */
PIPIT_INLINE v128_t pipit_scale_pairs(const uint8_t *p, bool is_signed) {
    v128_t b = wasm_v128_load32_zero(p);
    b = wasm_i8x16_shuffle(b, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6,
                           22, 7, 23);
    return is_signed ? wasm_i16x8_extend_low_i8x16(b)
                     : wasm_u16x8_extend_low_u8x16(b);
}
PIPIT_INLINE v128_t pipit_u32x4_of_u8(const uint8_t *p) {
    return wasm_u32x4_extend_low_u16x8(
        wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(p)));
}
PIPIT_INLINE v128_t pipit_floats_of_u8(const uint8_t *p) {
    return wasm_f32x4_convert_i32x4(pipit_u32x4_of_u8(p));
}
/* The low nibbles of such pairs; the high nibbles as f32. */
PIPIT_INLINE v128_t pipit_low_pairs(const uint8_t *p) {
    return wasm_v128_and(pipit_scale_pairs(p, false), wasm_i16x8_splat(15));
}
PIPIT_INLINE v128_t pipit_floats_of_high(const uint8_t *p) {
    return wasm_f32x4_convert_i32x4(wasm_u32x4_shr(pipit_u32x4_of_u8(p), 4));
}

/* pipit_scale_of_e8m0 and pipit_scale_of_ue4m3 of four bytes. */
PIPIT_INLINE v128_t pipit_e8m0x4(const uint8_t *p) {
    v128_t e = pipit_u32x4_of_u8(p), one = wasm_i32x4_splat(1);
    v128_t normal = wasm_i32x4_shl(wasm_i32x4_sub(e, one), 23);
    v128_t small = wasm_i32x4_shl(wasm_i32x4_add(e, one), 21);
    return wasm_v128_bitselect(normal, small, wasm_i32x4_gt(e, one));
}
PIPIT_INLINE v128_t pipit_ue4m3x4(const uint8_t *p) {
    v128_t b = pipit_u32x4_of_u8(p);
    v128_t nan = wasm_i32x4_eq(b, wasm_i32x4_splat(0x7f));
    v128_t bits =
        wasm_i32x4_shl(wasm_v128_and(b, wasm_i32x4_splat(0x7f)), 20);
    return wasm_v128_andnot(wasm_f32x4_mul(bits, wasm_f32x4_splat(0x1p119f)),
                            nan);
}

#endif
