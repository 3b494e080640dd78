/* quant_k.c — super-blocks of 256 elements: several small scales under one.
 *
 * Two orders of elements occur. "By pairs" (Q4_K, Q5_K): sub-blocks of 32, two
 * of them in the nibbles of 32 bytes. "By halves" (Q2_K, Q3_K, Q6_K, TQ2_0):
 * 128 elements, four runs of 32 in the bit pairs of 32 bytes. */
#include "quant_blocks.h"

static float load_f16(const uint8_t *p) {
    return pipit_f16_to_f32(pipit_load_u16(p));
}

/* {u8 scales[16]; u8 q[64]; f16 d, dmin}; a scale byte: low nibble times d,
 * high nibble times dmin, for 16 elements. */
void pipit_dequantize_q2_k(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 84) {
        float d = load_f16(b + 80), dmin = load_f16(b + 82);
        for (size_t run = 0; run < 8; run++, out += 32) {
            const uint8_t *q = b + 16 + run / 4 * 32;
            for (size_t l = 0; l < 32; l++) {
                uint8_t scale = b[2 * run + l / 16];
                int v = q[l] >> 2 * (run % 4) & 3;
                out[l] = d * (float)(scale & 15) * (float)v -
                         dmin * (float)(scale >> 4);
            }
        }
    }
}

/* Scale k of 16, six bits: low nibbles in bytes 0 to 7, high pairs in bytes 8
 * to 11. */
static int q3_k_scale(const uint8_t *scales, size_t k) {
    int low = k < 8 ? scales[k] & 15 : scales[k - 8] >> 4;
    int high = scales[8 + k % 4] >> 2 * (k / 4) & 3;
    return (low | high << 4) - 32;
}

/* {u8 mask[32]; u8 q[64]; u8 scales[12]; f16 d}; the mask holds the third bits,
 * bit r of mask[l] for element l of run r; clear means minus 4. */
void pipit_dequantize_q3_k(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 110) {
        float d = load_f16(b + 108);
        for (size_t run = 0; run < 8; run++, out += 32) {
            const uint8_t *q = b + 32 + run / 4 * 32;
            float first = d * (float)q3_k_scale(b + 96, 2 * run);
            float second = d * (float)q3_k_scale(b + 96, 2 * run + 1);
            for (size_t l = 0; l < 32; l++) {
                int v = q[l] >> 2 * (run % 4) & 3;
                if (!(b[l] >> run & 1)) v -= 4;
                out[l] = (l < 16 ? first : second) * (float)v;
            }
        }
    }
}

/* Scale and minimum of sub-block s of 8, six bits each in 12 bytes: those of
 * 0 to 3 in the low six bits of bytes 0 to 3 and 4 to 7; those of 4 to 7 in the
 * nibbles of bytes 8 to 11 and the two bits that the others leave free. */
static void k_scale(const uint8_t *p, size_t s, int *scale, int *min) {
    if (s < 4) {
        *scale = p[s] & 63;
        *min = p[s + 4] & 63;
    } else {
        *scale = (p[s + 4] & 15) | p[s - 4] >> 6 << 4;
        *min = p[s + 4] >> 4 | p[s] >> 6 << 4;
    }
}

/* {f16 d, dmin; u8 scales[12]; u8 q[128]} */
void pipit_dequantize_q4_k(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 144) {
        float d = load_f16(b), dmin = load_f16(b + 2);
        for (size_t s = 0; s < 8; s++, out += 32) {
            const uint8_t *q = b + 16 + s / 2 * 32;
            int scale, min;
            k_scale(b + 4, s, &scale, &min);
            float ds = d * (float)scale, m = dmin * (float)min;
            for (size_t l = 0; l < 32; l++)
                out[l] = ds * (float)(q[l] >> 4 * (s % 2) & 15) - m;
        }
    }
}

/* {f16 d, dmin; u8 scales[12]; u8 high[32]; u8 q[128]}; bit s of high[l] is the
 * fifth bit of element l of sub-block s. */
void pipit_dequantize_q5_k(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 176) {
        float d = load_f16(b), dmin = load_f16(b + 2);
        for (size_t s = 0; s < 8; s++, out += 32) {
            const uint8_t *high = b + 16, *q = b + 48 + s / 2 * 32;
            int scale, min;
            k_scale(b + 4, s, &scale, &min);
            float ds = d * (float)scale, m = dmin * (float)min;
            for (size_t l = 0; l < 32; l++) {
                int v = (q[l] >> 4 * (s % 2) & 15) | (high[l] >> s & 1) << 4;
                out[l] = ds * (float)v - m;
            }
        }
    }
}

/* {u8 low[128]; u8 high[64]; i8 scales[16]; f16 d}; by halves: runs 0 and 1 are
 * the low nibbles of 64 bytes, runs 2 and 3 the high ones. */
void pipit_dequantize_q6_k(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 210) {
        float d = load_f16(b + 208);
        for (size_t run = 0; run < 8; run++, out += 32) {
            size_t half = run / 4, g = run % 4;
            const uint8_t *low = b + 64 * half + 32 * (g % 2);
            const uint8_t *high = b + 128 + 32 * half;
            for (size_t l = 0; l < 32; l++) {
                int v = (low[l] >> 4 * (g / 2) & 15) |
                        (high[l] >> 2 * g & 3) << 4;
                int8_t scale = (int8_t)b[192 + 2 * run + l / 16];
                out[l] = d * (float)scale * (float)(v - 32);
            }
        }
    }
}

/* {f16 d; u16 scales_high; u8 scales_low[4]; u8 q[128]}: eight sub-blocks of
 * 32 in the nibble order of the small blocks. */
void pipit_dequantize_iq4_xs(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 136) {
        float d = load_f16(b);
        int high = pipit_load_u16(b + 2);
        for (size_t s = 0; s < 8; s++, out += 32) {
            int scale = (b[4 + s / 2] >> 4 * (s % 2) & 15) |
                        (high >> 2 * s & 3) << 4;
            float ds = d * (float)(scale - 32);
            const uint8_t *q = b + 8 + 16 * s;
            for (size_t j = 0; j < 16; j++) {
                out[j] = ds * (float)pipit_iq4_values[q[j] & 15];
                out[j + 16] = ds * (float)pipit_iq4_values[q[j] >> 4];
            }
        }
    }
}

/* Digit k of a byte that is a fraction in base 3: shift it to the front, take
 * what comes before the point. */
static int trit(uint8_t byte, size_t k) {
    static const uint8_t powers[5] = {1, 3, 9, 27, 81};
    uint8_t shifted = (uint8_t)(byte * powers[k]);
    return shifted * 3 >> 8;
}

/* {u8 q[48]; u8 high[4]; f16 d}: five digits in a byte of q, four in one of
 * high; the first digits of 32 bytes (then 16, then 4), the second, … */
void pipit_dequantize_tq1_0(const uint8_t *b, size_t n, float *out) {
    static const struct {
        uint8_t first, n_bytes, n_digits;
    } parts[3] = {{0, 32, 5}, {32, 16, 5}, {48, 4, 4}};
    for (; n > 0; n--, b += 54) {
        float d = load_f16(b + 52);
        for (size_t p = 0; p < 3; p++)
            for (size_t k = 0; k < parts[p].n_digits; k++)
                for (size_t l = 0; l < parts[p].n_bytes; l++)
                    *out++ = (float)(trit(b[parts[p].first + l], k) - 1) * d;
    }
}

/* {u8 q[64]; f16 d}: by halves; -1, 0, 1 (or 2, which nobody writes). */
void pipit_dequantize_tq2_0(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 66) {
        float d = load_f16(b + 64);
        for (size_t run = 0; run < 8; run++, out += 32)
            for (size_t l = 0; l < 32; l++) {
                int v = b[32 * (run / 4) + l] >> 2 * (run % 4) & 3;
                out[l] = (float)(v - 1) * d;
            }
    }
}
