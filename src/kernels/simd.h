/* simd.h — the vector instructions, wasm's own or through SIMDe natively, and
 * what the vector kernels share. */
#ifndef PIPIT_SIMD_H
#define PIPIT_SIMD_H

#include "kernels.h"

#ifdef PIPIT_SIMDE
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/wasm/simd128.h>
/* What SIMDe 0.7 has no name for. */
#define wasm_u8x16_splat(x) wasm_i8x16_splat((int8_t)(x))
#define wasm_i16x8_relaxed_dot_i8x16_i7x16(a, b)                             \
    wasm_i16x8_narrow_i32x4(                                                 \
        wasm_i32x4_dot_i16x8(wasm_i16x8_extend_low_i8x16(a),                 \
                             wasm_i16x8_extend_low_i8x16(b)),                \
        wasm_i32x4_dot_i16x8(wasm_i16x8_extend_high_i8x16(a),                \
                             wasm_i16x8_extend_high_i8x16(b)))
#define wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, b, c)                      \
    wasm_i32x4_add(wasm_i32x4_extadd_pairwise_i16x8(                         \
                       wasm_i16x8_relaxed_dot_i8x16_i7x16(a, b)),            \
                   c)
#else
#include <wasm_simd128.h>
#endif

#ifdef PIPIT_SANITIZE /* which would take a compiler minutes and gigabytes */
#define PIPIT_INLINE static inline
#define PIPIT_UNROLL
#define PIPIT_NO_UNROLL
#else
#define PIPIT_INLINE static inline __attribute__((always_inline))
/* Before loops of constant length whose arrays must become registers. */
#ifdef __clang__
#define PIPIT_UNROLL _Pragma("clang loop unroll(full)")
#define PIPIT_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define PIPIT_UNROLL _Pragma("GCC unroll 16")
#define PIPIT_NO_UNROLL _Pragma("GCC unroll 1")
#endif
#endif
/* A pointer that is added to, rather than made anew from a counter. */
#if defined(PIPIT_WASM) && defined(__clang__)
#define PIPIT_BUMP(p) __asm__("" : "+r"(p))
#else
#define PIPIT_BUMP(p) (void)(p)
#endif
/* An array that is to stay in this memory, where it is aligned. What finds no
 * register engines keep on a stack of their own, aligned to 8 bytes: depending on
 * who called, vectors there cross lines and pages, which costs up to a fifth. */
#if defined(PIPIT_WASM) && defined(__clang__)
#define PIPIT_IN_MEMORY(a) __asm__ volatile("" : : "r"(a) : "memory")
#else
#define PIPIT_IN_MEMORY(a) (void)(a)
#endif
/* Engines optimize function by function: small ones are ready sooner. */
#define PIPIT_OUTLINE static __attribute__((noinline))

/* Constants of the innermost loops, in memory: engines build a v128.const anew,
 * in three instructions, at each use; a load that the compiler can't see through
 * stays in a register or becomes an operand. */
typedef struct pipit_vector {
    _Alignas(16) uint32_t lanes[4];
} pipit_vector;

enum { PIPIT_K_F16_BITS, PIPIT_K_F16_SCALE, PIPIT_K_F16_LARGEST,
       PIPIT_K_INFINITY, PIPIT_K_EVEN_BYTES, PIPIT_K_IQ4, PIPIT_K_FP4,
       PIPIT_K_ZERO, PIPIT_K_ONES, PIPIT_K_SIGN,
       PIPIT_N_CONSTANTS };
extern const pipit_vector pipit_constants[PIPIT_N_CONSTANTS];
extern const pipit_vector pipit_byte_masks[64]; /* each byte i; some of them */

/* Of mathf.c and of rounding. */
enum { PIPIT_F_ROUND, PIPIT_F_127, PIPIT_F_MINUS_127, PIPIT_F_1,
       PIPIT_F_MINUS_2, PIPIT_F_LOG2_E, PIPIT_F_LN2, PIPIT_F_LN2_REST,
       PIPIT_F_EXP_LEAST, PIPIT_F_EXP_MOST, PIPIT_F_BELOW_LEAST,
       PIPIT_F_TANH_SMALL, PIPIT_F_HALF, PIPIT_F_GELU_CUBE,
       PIPIT_F_GELU_INNER, PIPIT_F_EXP, /* 6, 4 and 5 coefficients */
       PIPIT_F_BELOW = PIPIT_F_EXP + 6, PIPIT_F_TANH = PIPIT_F_BELOW + 4,
       PIPIT_N_FLOATS = PIPIT_F_TANH + 5 };
extern const float pipit_floats[PIPIT_N_FLOATS];

PIPIT_INLINE v128_t pipit_constant(int i) {
    return wasm_v128_load(&pipit_constants[i]);
}
PIPIT_INLINE v128_t pipit_float(int i) {
    return wasm_v128_load32_splat(&pipit_floats[i]);
}
PIPIT_INLINE v128_t pipit_byte_mask(int mask) {
    return wasm_v128_load(&pipit_byte_masks[mask]);
}

/* Where all indices are below 16, what is relaxed makes no difference. */
PIPIT_INLINE v128_t pipit_lookup(v128_t table, v128_t indices) {
#if defined(PIPIT_WASM) && defined(PIPIT_HAVE_RELAXED)
    return wasm_i8x16_relaxed_swizzle(table, indices);
#else
    return wasm_i8x16_swizzle(table, indices);
#endif
}

/* Four f16 as f32, exactly: subnormals too, since 2^112 only moves the
 * exponent. Infinity and NaN come out as finite numbers of 65536 and more. */
PIPIT_INLINE v128_t pipit_f16x4(const void *p) {
    v128_t wide = wasm_i32x4_load16x4(p); /* the sign fills the upper half */
    v128_t bits = wasm_v128_and(wasm_i32x4_shl(wide, 13),
                                pipit_constant(PIPIT_K_F16_BITS));
    return wasm_f32x4_mul(bits, pipit_constant(PIPIT_K_F16_SCALE));
}

PIPIT_INLINE v128_t pipit_bf16x4(const void *p) {
    return wasm_i32x4_shl(wasm_u32x4_load16x4(p), 16);
}

#endif
