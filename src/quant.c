/* quant.c — the table of types, f16, and blocks of one scale. quant_k.c has
 * the super-blocks of 256.
 *
 * Evaluated in f32 in the order written, so that each value has ggml's bits.
 * In blocks of 32, the low nibble of byte j is element j, the high nibble is
 * element j + 16. */
#include "quant_blocks.h"

/* ---- floats ------------------------------------------------------------ */

static float f32_of_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

float pipit_f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 31)
        return f32_of_bits(sign | 0x7F800000 | fraction << 13);
    if (exponent > 0)
        return f32_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float f = (float)fraction * 0x1p-24f; /* exact */
    return sign ? -f : f;
}

uint16_t pipit_f32_to_f16(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    uint32_t sign = bits >> 16 & 0x8000, size = bits & 0x7FFFFFFF;
    if (size > 0x7F800000) /* a quiet NaN that keeps the upper payload */
        return (uint16_t)(sign | 0x7E00 | (size >> 13 & 1023));
    if (size >= 0x477FF000) return (uint16_t)(sign | 0x7C00); /* >= 65520 */
    uint32_t exponent = size >> 23, mantissa = (size & 0x7FFFFF) | 0x800000;
    if (exponent < 102) return (uint16_t)sign; /* < 2^-25 */
    /* Below 2^-14 the result is subnormal and loses more bits. */
    uint32_t shift = exponent < 113 ? 126 - exponent : 13;
    uint32_t half = mantissa >> shift, rest = mantissa & ((1u << shift) - 1);
    uint32_t tie = 1u << (shift - 1);
    if (exponent >= 113) half += (exponent - 113) << 10;
    if (rest > tie || (rest == tie && (half & 1)))
        half++; /* a carry into the exponent is right */
    return (uint16_t)(sign | half);
}

static float load_f16(const uint8_t *p) {
    return pipit_f16_to_f32(pipit_load_u16(p));
}

static void dequantize_f32(const uint8_t *blocks, size_t n, float *out) {
    if (n > 0) memcpy(out, blocks, n * 4);
}

static void dequantize_f16(const uint8_t *blocks, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) out[i] = load_f16(blocks + 2 * i);
}

static void dequantize_bf16(const uint8_t *blocks, size_t n, float *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = pipit_bf16_to_f32(pipit_load_u16(blocks + 2 * i));
}

/* ---- blocks of 32 ------------------------------------------------------ */

/* {f16 d; u8 q[16]} */
static void dequantize_q4_0(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 18, out += 32) {
        float d = load_f16(b);
        for (size_t j = 0; j < 16; j++) {
            out[j] = (float)((b[2 + j] & 15) - 8) * d;
            out[j + 16] = (float)((b[2 + j] >> 4) - 8) * d;
        }
    }
}

/* {f16 d, m; u8 q[16]} */
static void dequantize_q4_1(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 20, out += 32) {
        float d = load_f16(b), m = load_f16(b + 2);
        for (size_t j = 0; j < 16; j++) {
            out[j] = (float)(b[4 + j] & 15) * d + m;
            out[j + 16] = (float)(b[4 + j] >> 4) * d + m;
        }
    }
}

/* The fifth bits: bit i of `high` belongs to element i. */
static int five_bits(uint32_t nibble, uint32_t high, size_t i) {
    return (int)(nibble | (high >> i & 1) << 4);
}

/* {f16 d; u32 high; u8 q[16]} */
static void dequantize_q5_0(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 22, out += 32) {
        float d = load_f16(b);
        uint32_t high = pipit_load_u32(b + 2);
        const uint8_t *q = b + 6;
        for (size_t j = 0; j < 16; j++) {
            out[j] = (float)(five_bits(q[j] & 15u, high, j) - 16) * d;
            out[j + 16] = (float)(five_bits(q[j] >> 4, high, j + 16) - 16) * d;
        }
    }
}

/* {f16 d, m; u32 high; u8 q[16]} */
static void dequantize_q5_1(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 24, out += 32) {
        float d = load_f16(b), m = load_f16(b + 2);
        uint32_t high = pipit_load_u32(b + 4);
        const uint8_t *q = b + 8;
        for (size_t j = 0; j < 16; j++) {
            out[j] = (float)five_bits(q[j] & 15u, high, j) * d + m;
            out[j + 16] = (float)five_bits(q[j] >> 4, high, j + 16) * d + m;
        }
    }
}

/* {f16 d; i8 q[32]} */
static void dequantize_q8_0(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 34, out += 32) {
        float d = load_f16(b);
        for (size_t j = 0; j < 32; j++) out[j] = (float)(int8_t)b[2 + j] * d;
    }
}

const int8_t pipit_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};

/* {f16 d; u8 q[16]} */
static void dequantize_iq4_nl(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 18, out += 32) {
        float d = load_f16(b);
        for (size_t j = 0; j < 16; j++) {
            out[j] = d * (float)pipit_iq4_values[b[2 + j] & 15];
            out[j + 16] = d * (float)pipit_iq4_values[b[2 + j] >> 4];
        }
    }
}

/* ---- four-bit floats --------------------------------------------------- */

/* E2M1, doubled; the scales are halved for it. */
static const int8_t e2m1_values[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                       0, -1, -2, -3, -4, -6, -8, -12};

/* {u8 e; u8 q[16]}; the scale is 2^(e - 127), halved: a subnormal f32 for
 * e = 0 and 1. */
static void dequantize_mxfp4(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 17, out += 32) {
        uint32_t e = b[0];
        float d = f32_of_bits(e < 2 ? 0x00200000u << e : (e - 1) << 23);
        for (size_t j = 0; j < 16; j++) {
            out[j] = (float)e2m1_values[b[1 + j] & 15] * d;
            out[j + 16] = (float)e2m1_values[b[1 + j] >> 4] * d;
        }
    }
}

/* Unsigned E4M3, halved. */
static float half_ue4m3(uint8_t bits) {
    uint32_t exponent = bits >> 3 & 15, mantissa = bits & 7;
    if (bits == 0 || bits == 0x7F) return 0.0f;
    if (exponent == 0) return (float)mantissa * 0x1p-10f;
    return f32_of_bits((exponent + 119) << 23 | mantissa << 20);
}

/* {u8 d[4]; u8 q[32]}: four sub-blocks of 16. */
static void dequantize_nvfp4(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 36)
        for (size_t s = 0; s < 4; s++, out += 16) {
            float d = half_ue4m3(b[s]);
            const uint8_t *q = b + 4 + 8 * s;
            for (size_t j = 0; j < 8; j++) {
                out[j] = (float)e2m1_values[q[j] & 15] * d;
                out[j + 8] = (float)e2m1_values[q[j] >> 4] * d;
            }
        }
}

/* ---- one and two bits -------------------------------------------------- */

/* {f16 d; u8 bits[16]}: a sign each. */
static void dequantize_q1_0(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 18, out += 128) {
        float d = load_f16(b);
        for (size_t i = 0; i < 128; i++)
            out[i] = b[2 + i / 8] >> (i % 8) & 1 ? d : -d;
    }
}

/* {f16 d; u8 q[16]}: -1, 0, 1 or 2, four in a byte. */
static void dequantize_q2_0(const uint8_t *b, size_t n, float *out) {
    for (; n > 0; n--, b += 18, out += 64) {
        float d = load_f16(b);
        for (size_t i = 0; i < 64; i++)
            out[i] = (float)((b[2 + i / 4] >> 2 * (i % 4) & 3) - 1) * d;
    }
}

/* ---- the table --------------------------------------------------------- */

/* Integers and the code-book types can be sized and named, not computed with;
 * Q8_1 and Q8_K are activations. */
static const pipit_type_info types[PIPIT_N_TYPES] = {
    [PIPIT_TYPE_F32] = {"F32", 1, 4, dequantize_f32},
    [PIPIT_TYPE_F16] = {"F16", 1, 2, dequantize_f16},
    [PIPIT_TYPE_Q4_0] = {"Q4_0", 32, 18, dequantize_q4_0},
    [PIPIT_TYPE_Q4_1] = {"Q4_1", 32, 20, dequantize_q4_1},
    [PIPIT_TYPE_Q5_0] = {"Q5_0", 32, 22, dequantize_q5_0},
    [PIPIT_TYPE_Q5_1] = {"Q5_1", 32, 24, dequantize_q5_1},
    [PIPIT_TYPE_Q8_0] = {"Q8_0", 32, 34, dequantize_q8_0},
    [9] = {"Q8_1", 32, 36, NULL},
    [PIPIT_TYPE_Q2_K] = {"Q2_K", 256, 84, pipit_dequantize_q2_k},
    [PIPIT_TYPE_Q3_K] = {"Q3_K", 256, 110, pipit_dequantize_q3_k},
    [PIPIT_TYPE_Q4_K] = {"Q4_K", 256, 144, pipit_dequantize_q4_k},
    [PIPIT_TYPE_Q5_K] = {"Q5_K", 256, 176, pipit_dequantize_q5_k},
    [PIPIT_TYPE_Q6_K] = {"Q6_K", 256, 210, pipit_dequantize_q6_k},
    [15] = {"Q8_K", 256, 292, NULL},
    [16] = {"IQ2_XXS", 256, 66, NULL},
    [17] = {"IQ2_XS", 256, 74, NULL},
    [18] = {"IQ3_XXS", 256, 98, NULL},
    [19] = {"IQ1_S", 256, 50, NULL},
    [PIPIT_TYPE_IQ4_NL] = {"IQ4_NL", 32, 18, dequantize_iq4_nl},
    [21] = {"IQ3_S", 256, 110, NULL},
    [22] = {"IQ2_S", 256, 82, NULL},
    [PIPIT_TYPE_IQ4_XS] = {"IQ4_XS", 256, 136, pipit_dequantize_iq4_xs},
    [24] = {"I8", 1, 1, NULL},
    [25] = {"I16", 1, 2, NULL},
    [26] = {"I32", 1, 4, NULL},
    [27] = {"I64", 1, 8, NULL},
    [28] = {"F64", 1, 8, NULL},
    [29] = {"IQ1_M", 256, 56, NULL},
    [PIPIT_TYPE_BF16] = {"BF16", 1, 2, dequantize_bf16},
    [PIPIT_TYPE_TQ1_0] = {"TQ1_0", 256, 54, pipit_dequantize_tq1_0},
    [PIPIT_TYPE_TQ2_0] = {"TQ2_0", 256, 66, pipit_dequantize_tq2_0},
    [PIPIT_TYPE_MXFP4] = {"MXFP4", 32, 17, dequantize_mxfp4},
    [PIPIT_TYPE_NVFP4] = {"NVFP4", 64, 36, dequantize_nvfp4},
    [PIPIT_TYPE_Q1_0] = {"Q1_0", 128, 18, dequantize_q1_0},
    [PIPIT_TYPE_Q2_0] = {"Q2_0", 64, 18, dequantize_q2_0},
};

const pipit_type_info *pipit_type(uint32_t type) {
    static const pipit_type_info unknown = {NULL, 0, 0, NULL};
    return type < PIPIT_N_TYPES ? &types[type] : &unknown;
}
