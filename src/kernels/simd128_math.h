/* simd128_math.h — mathf.h's functions of floats, lane for lane. */
#ifndef PIPIT_SIMD128_MATH_H
#define PIPIT_SIMD128_MATH_H

#include "simd.h"

#include <math.h>

/* pipit_expf, four at a time. */
PIPIT_INLINE v128_t pipit_exp_4(v128_t x) {
    const v128_t magic = wasm_f32x4_splat(12582912.0f);
    v128_t shifted = wasm_f32x4_add(
        wasm_f32x4_mul(x, wasm_f32x4_splat(1.44269504088896341f)), magic);
    v128_t n = wasm_f32x4_sub(shifted, magic);
    v128_t r =
        wasm_f32x4_sub(x, wasm_f32x4_mul(n, wasm_f32x4_splat(0.693359375f)));
    r = wasm_f32x4_sub(r, wasm_f32x4_mul(n, wasm_f32x4_splat(-2.12194440e-4f)));
    static const float c[5] = {1.3981999507e-3f, 8.3334519073e-3f,
                               4.1665795894e-2f, 1.6666665459e-1f,
                               5.0000001201e-1f};
    v128_t p = wasm_f32x4_splat(1.9875691500e-4f);
    for (int i = 0; i < 5; i++)
        p = wasm_f32x4_add(wasm_f32x4_mul(p, r), wasm_f32x4_splat(c[i]));
    p = wasm_f32x4_add(wasm_f32x4_mul(p, wasm_f32x4_mul(r, r)), r);
    p = wasm_f32x4_add(p, wasm_f32x4_splat(1.0f));
    v128_t whole = wasm_i32x4_trunc_sat_f32x4(n);
    v128_t half = wasm_i32x4_shr(whole, 1);
    v128_t bias = wasm_i32x4_splat(127);
    v128_t a = wasm_i32x4_shl(wasm_i32x4_add(half, bias), 23);
    v128_t b = wasm_i32x4_shl(
        wasm_i32x4_add(wasm_i32x4_sub(whole, half), bias), 23);
    p = wasm_f32x4_mul(wasm_f32x4_mul(p, a), b);
    v128_t low = wasm_f32x4_gt(x, wasm_f32x4_splat(-104.0f));
    v128_t high = wasm_f32x4_gt(x, wasm_f32x4_splat(88.73f));
    v128_t nan = wasm_f32x4_ne(x, x);
    p = wasm_v128_and(p, low);
    p = wasm_v128_bitselect(wasm_f32x4_splat(INFINITY), p, high);
    return wasm_v128_bitselect(x, p, nan);
}

/* pipit_expf_below_0, four at a time. */
PIPIT_INLINE v128_t pipit_exp_below_0_4(v128_t x) {
    const v128_t magic = wasm_f32x4_splat(12582912.0f);
    static const float c[3] = {4.189034e-2f, 0.16667116f, 0.4999923f};
    v128_t shifted = wasm_f32x4_add(
        wasm_f32x4_mul(x, wasm_f32x4_splat(1.44269504088896341f)), magic);
    v128_t n = wasm_f32x4_sub(shifted, magic);
    v128_t r =
        wasm_f32x4_sub(x, wasm_f32x4_mul(n, wasm_f32x4_splat(0.693359375f)));
    r = wasm_f32x4_sub(r, wasm_f32x4_mul(n, wasm_f32x4_splat(-2.12194440e-4f)));
    v128_t p = wasm_f32x4_splat(8.31251e-3f);
    for (int i = 0; i < 3; i++)
        p = wasm_f32x4_add(wasm_f32x4_mul(p, r), wasm_f32x4_splat(c[i]));
    p = wasm_f32x4_add(wasm_f32x4_mul(p, wasm_f32x4_mul(r, r)), r);
    p = wasm_f32x4_add(p, wasm_f32x4_splat(1.0f));
    p = wasm_i32x4_add(p, wasm_i32x4_shl(shifted, 23));
    return wasm_v128_and(p, wasm_f32x4_gt(x, wasm_f32x4_splat(-87.0f)));
}

/* pipit_tanhf, four at a time. */
PIPIT_INLINE v128_t pipit_tanh_4(v128_t x) {
    static const float c[4] = {2.06390887954e-2f, -5.37397155531e-2f,
                               1.33314422036e-1f, -3.33332819422e-1f};
    v128_t a = wasm_f32x4_abs(x), s = wasm_f32x4_mul(x, x);
    v128_t p = wasm_f32x4_splat(-5.70498872745e-3f);
    for (int i = 0; i < 4; i++)
        p = wasm_f32x4_add(wasm_f32x4_mul(p, s), wasm_f32x4_splat(c[i]));
    p = wasm_f32x4_add(wasm_f32x4_mul(wasm_f32x4_mul(p, s), x), x);
    v128_t one = wasm_f32x4_splat(1.0f);
    v128_t e = pipit_exp_4(wasm_f32x4_mul(wasm_f32x4_splat(-2.0f), a));
    v128_t t = wasm_f32x4_div(wasm_f32x4_sub(one, e), wasm_f32x4_add(one, e));
    v128_t negative = wasm_f32x4_lt(x, wasm_f32x4_splat(0.0f));
    t = wasm_v128_bitselect(wasm_f32x4_neg(t), t, negative);
    return wasm_v128_bitselect(p, t,
                               wasm_f32x4_lt(a, wasm_f32x4_splat(0.625f)));
}

#endif
