/* mathf.c — error bounds are those that tests/unit/test_mathf.c measures. */
#include "mathf.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LOG2_E 1.44269504088896340736
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10

static float float_of_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t bits_of_float(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static double double_of_bits(uint64_t bits) {
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint64_t bits_of_double(double d) {
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

float pipit_sqrtf(float x) {
    return sqrtf(x); /* one instruction, correctly rounded everywhere */
}

double pipit_sqrt(double x) {
    return sqrt(x);
}

/* exp(x) = 2^n exp(r), |r| <= ln 2 / 2; the polynomial is Cephes' (Moshier,
 * expf.c). n is found by adding and taking away 1.5 * 2^23, which rounds to
 * nearest in every implementation; 2^n is applied in two halves, so that
 * results that are subnormal come out right. */
float pipit_expf(float x) {
    const float magic = 12582912.0f;
    if (!(x > -104.0f)) return x != x ? x : 0.0f;
    if (x > 88.73f) return INFINITY;
    float shifted = x * 1.44269504088896341f + magic;
    float n = shifted - magic;
    float r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r;
    p = p + 1.0f;
    int32_t whole = (int32_t)n, half = whole >> 1;
    float a = float_of_bits((uint32_t)(half + 127) << 23);
    float b = float_of_bits((uint32_t)(whole - half + 127) << 23);
    return p * a * b;
}

/* The same reduction; the polynomial of degree 5 is of least relative error (1e-7),
 * and 2^n goes into the exponent at once: n stands in the low bits of shifted. */
float pipit_expf_below_0(float x) {
    const float magic = 12582912.0f;
    if (!(x > -87.0f)) return 0.0f;
    float shifted = x * 1.44269504088896341f + magic;
    float n = shifted - magic;
    float r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 8.31251e-3f;
    p = p * r + 4.189034e-2f;
    p = p * r + 0.16667116f;
    p = p * r + 0.4999923f;
    p = p * (r * r) + r;
    p = p + 1.0f;
    return float_of_bits(bits_of_float(p) + (bits_of_float(shifted) << 23));
}

/* (1 - e) / (1 + e) with e = exp(-2|x|); near 0, where that cancels, an odd
 * polynomial (Cephes, tanhf.c). */
float pipit_tanhf(float x) {
    float a = x < 0 ? -x : x;
    if (a < 0.625f) {
        float s = x * x;
        float p = -5.70498872745e-3f;
        p = p * s + 2.06390887954e-2f;
        p = p * s + -5.37397155531e-2f;
        p = p * s + 1.33314422036e-1f;
        p = p * s + -3.33332819422e-1f;
        return p * s * x + x;
    }
    float e = pipit_expf(-2.0f * a);
    float t = (1.0f - e) / (1.0f + e);
    return x < 0 ? -t : t;
}

/* Taylor's series to r^13 / 13! on |r| <= ln 2 / 2. */
double pipit_exp(double x) {
    if (x != x) return x;
    if (x > 709.78) return (double)INFINITY;
    if (x < -745.2) return 0.0;
    double n = (double)(int64_t)(x * LOG2_E + (x < 0 ? -0.5 : 0.5));
    double r = (x - n * LN2_HIGH) - n * LN2_LOW;
    double p = 1.0;
    for (int i = 13; i > 0; i--) p = 1.0 + p * r / i;
    int64_t whole = (int64_t)n, half = whole / 2;
    return p * double_of_bits((uint64_t)(half + 1023) << 52) *
           double_of_bits((uint64_t)(whole - half + 1023) << 52);
}

/* x = 2^n m, m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s), s = (m-1)/(m+1),
 * by its series. */
double pipit_log(double x) {
    if (x != x || x < 0) return (double)NAN;
    if (x == 0) return -(double)INFINITY;
    if (x > 1.7976931348623157e308) return x;
    int64_t n = 0;
    if (x < 2.2250738585072014e-308) {
        x *= 0x1p54;
        n = -54;
    }
    uint64_t bits = bits_of_double(x);
    n += (int64_t)(bits >> 52) - 1023;
    double m = double_of_bits((bits & 0xfffffffffffffu) | 0x3ff0000000000000u);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        n++;
    }
    double s = (m - 1.0) / (m + 1.0), z = s * s, sum = 0.0;
    for (int k = 23; k > 0; k -= 2) sum = sum * z + 2.0 / k;
    return (double)n * LN2_HIGH + (s * sum + (double)n * LN2_LOW);
}

double pipit_pow(double x, double y) {
    return pipit_exp(y * pipit_log(x));
}

/* Cody and Waite's reduction by pi/2 in three parts, then Taylor's series on
 * |r| <= pi/4. */
void pipit_sincos(double x, double *sine, double *cosine) {
    double n =
        (double)(int64_t)(x * 0.63661977236758134308 + (x < 0 ? -0.5 : 0.5));
    double r = ((x - n * 1.57079632673412561417e+00) -
                n * 6.07710050630396597660e-11) -
               n * 2.02226624879595063154e-21;
    double z = r * r, s = 1.0, c = 1.0;
    for (int k = 17; k > 1; k -= 2) s = 1.0 - s * z / (k * (k - 1));
    for (int k = 18; k > 1; k -= 2) c = 1.0 - c * z / (k * (k - 1));
    s *= r;
    switch ((int64_t)n & 3) {
        case 0: *sine = s; *cosine = c; break;
        case 1: *sine = c; *cosine = -s; break;
        case 2: *sine = -s; *cosine = -c; break;
        default: *sine = -c; *cosine = s; break;
    }
}
