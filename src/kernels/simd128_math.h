/* simd128_math.h — mathf.h's functions of floats, lane for lane. */
#ifndef PIPIT_SIMD128_MATH_H
#define PIPIT_SIMD128_MATH_H

#include "simd.h"

#include <math.h>

/* A polynomial's value: n coefficients, the highest power's first. */
PIPIT_INLINE v128_t pipit_poly_4(int first, int n, v128_t x) {
    v128_t p = pipit_float(first);
    PIPIT_UNROLL
    for (int i = 1; i < n; i++)
        p = wasm_f32x4_add(wasm_f32x4_mul(p, x), pipit_float(first + i));
    return p;
}

/* x = n log 2 + r: r, and n + 1.5 * 2^23, which has n in its low bits. */
PIPIT_INLINE v128_t pipit_reduced_4(v128_t x, v128_t *shifted) {
    v128_t round = pipit_float(PIPIT_F_ROUND);
    *shifted =
        wasm_f32x4_add(wasm_f32x4_mul(x, pipit_float(PIPIT_F_LOG2_E)), round);
    v128_t n = wasm_f32x4_sub(*shifted, round);
    v128_t r =
        wasm_f32x4_sub(x, wasm_f32x4_mul(n, pipit_float(PIPIT_F_LN2)));
    return wasm_f32x4_sub(r,
                          wasm_f32x4_mul(n, pipit_float(PIPIT_F_LN2_REST)));
}

/* 1 + r + r^2 p */
PIPIT_INLINE v128_t pipit_exp_end_4(v128_t p, v128_t r) {
    p = wasm_f32x4_add(wasm_f32x4_mul(p, wasm_f32x4_mul(r, r)), r);
    return wasm_f32x4_add(p, pipit_float(PIPIT_F_1));
}

/* Exponentials of four, in three steps of one length: a loop does the third of one
 * vector beside the second of the next and the first of the one after that, for
 * each is a chain in which all waits for the one before. */
typedef struct pipit_exp_step {
    v128_t x, shifted, r, p;
} pipit_exp_step;

PIPIT_INLINE pipit_exp_step pipit_exp_first(v128_t x) {
    pipit_exp_step e = {.x = x};
    e.r = pipit_reduced_4(x, &e.shifted);
    return e;
}

/* Of pipit_expf. */
PIPIT_INLINE pipit_exp_step pipit_exp_second(pipit_exp_step e) {
    e.p = pipit_poly_4(PIPIT_F_EXP, 6, e.r);
    return e;
}

PIPIT_INLINE v128_t pipit_exp_third(pipit_exp_step e) {
    v128_t p = pipit_exp_end_4(e.p, e.r);
    v128_t whole = wasm_i32x4_sub(e.shifted, pipit_float(PIPIT_F_ROUND));
    v128_t half = wasm_i32x4_shr(whole, 1), bias = pipit_float(PIPIT_F_1);
    /* 2^half times 2^(whole - half): exponents added to that of 1. */
    v128_t a = wasm_i32x4_add(wasm_i32x4_shl(half, 23), bias);
    v128_t b = wasm_i32x4_add(
        wasm_i32x4_shl(wasm_i32x4_sub(whole, half), 23), bias);
    p = wasm_f32x4_mul(wasm_f32x4_mul(p, a), b);
    v128_t low = wasm_f32x4_gt(e.x, pipit_float(PIPIT_F_EXP_LEAST));
    v128_t high = wasm_f32x4_gt(e.x, pipit_float(PIPIT_F_EXP_MOST));
    v128_t nan = wasm_f32x4_ne(e.x, e.x);
    p = wasm_v128_and(p, low);
    p = wasm_v128_bitselect(pipit_constant(PIPIT_K_INFINITY), p, high);
    return wasm_v128_bitselect(e.x, p, nan);
}

PIPIT_INLINE v128_t pipit_exp_4(v128_t x) {
    return pipit_exp_third(pipit_exp_second(pipit_exp_first(x)));
}

/* Of pipit_expf_below_0. */
PIPIT_INLINE pipit_exp_step pipit_exp_below_0_second(pipit_exp_step e) {
    e.p = pipit_poly_4(PIPIT_F_BELOW, 4, e.r);
    return e;
}

PIPIT_INLINE v128_t pipit_exp_below_0_third(pipit_exp_step e) {
    v128_t p = pipit_exp_end_4(e.p, e.r);
    p = wasm_i32x4_add(p, wasm_i32x4_shl(e.shifted, 23));
    return wasm_v128_and(
        p, wasm_f32x4_gt(e.x, pipit_float(PIPIT_F_BELOW_LEAST)));
}

PIPIT_INLINE v128_t pipit_exp_below_0_4(v128_t x) {
    return pipit_exp_below_0_third(
        pipit_exp_below_0_second(pipit_exp_first(x)));
}

/* pipit_tanhf, four at a time: begins an exponential, and ends with it. What is
 * left out below its least can't be seen beside 1. */
PIPIT_INLINE pipit_exp_step pipit_tanh_first(v128_t x) {
    return pipit_exp_first(
        wasm_f32x4_mul(pipit_float(PIPIT_F_MINUS_2), wasm_f32x4_abs(x)));
}

PIPIT_INLINE v128_t pipit_tanh_third(v128_t x, pipit_exp_step e) {
    v128_t s = wasm_f32x4_mul(x, x), one = pipit_float(PIPIT_F_1);
    v128_t p = pipit_poly_4(PIPIT_F_TANH, 5, s);
    p = wasm_f32x4_add(wasm_f32x4_mul(wasm_f32x4_mul(p, s), x), x);
    v128_t exp = pipit_exp_below_0_third(e);
    v128_t t =
        wasm_f32x4_div(wasm_f32x4_sub(one, exp), wasm_f32x4_add(one, exp));
    t = wasm_v128_or(t, wasm_v128_and(x, pipit_constant(PIPIT_K_SIGN)));
    return wasm_v128_bitselect( /* p where x is NaN */
        t, p,
        wasm_f32x4_ge(wasm_f32x4_abs(x), pipit_float(PIPIT_F_TANH_SMALL)));
}

PIPIT_INLINE v128_t pipit_tanh_4(v128_t x) {
    return pipit_tanh_third(x, pipit_exp_second(pipit_tanh_first(x)));
}

#endif
