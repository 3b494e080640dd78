/* forms.h — the layout of each quantized type as numbers. Columns come in blocks
 * of 32 that share what multiplies an activation block; n_subs of them share
 * one f16 scale. A block of the layout holds block_cols = 32 n_subs columns of
 * four rows:
 *
 *     d[4]            f16; MXFP4: the four exponents; NVFP4: none
 *     m[4]            f16, where the type has minimums
 *     scale[i][4]     bytes, one for each 16 or 32 columns, where it has some
 *     min[i][4]       bytes (Q4_K, Q5_K)
 *     quants          n_subs times `bits` vectors of 16 bytes
 *
 * The quants of 32 columns are vectors v0 … v7 (layout.h) of bits b, packed in
 * vectors B0 … B(b-1), so that most of them need one mask:
 *
 *     b  Bi from the low bit up
 *     1  bit j: vj
 *     2  vi, v(i+2), v(i+4), v(i+6)
 *     3  vi, v(i+3), and in bits 6, 7:  B0 v6  B2 v7 (low two bits)
 *                                       B1 v6, v7 (top bits)
 *     4  vi, v(i+4)
 *     5  vi, and in bits 5 to 7:        B0 v5  B2 v6  B4 v7 (low three bits)
 *                                       B1 v5 (two top bits), v7 (its bit 3)
 *                                       B3 v6 (two top bits), v7 (its bit 4)
 *     6  vi, and in bits 6, 7:          B0 B1 B2 v6, B3 B4 B5 v7, low bits first
 *     8  vi
 *
 * TQ1_0 keeps its bytes of five base-3 digits: thirteen vectors, word i of each
 * row's 52 bytes in vector i. */
#ifndef PIPIT_FORMS_H
#define PIPIT_FORMS_H

#include "layout.h"

typedef enum pipit_form_kind {
    PIPIT_FORM_NONE,
    PIPIT_FORM_FLOAT,
    PIPIT_FORM_QUANTS,
} pipit_form_kind;

/* What a stored quant q stands for. */
typedef enum pipit_form_code {
    PIPIT_CODE_OFFSET, /* q - offset */
    PIPIT_CODE_SIGNED, /* 8 bits, two's complement */
    PIPIT_CODE_IQ4,    /* IQ4's table of 16 */
    PIPIT_CODE_FP4,    /* FP4's, doubled */
    PIPIT_CODE_TRITS,  /* a base-3 digit - 1 */
} pipit_form_code;

typedef enum pipit_form_scales {
    PIPIT_SCALES_NONE, /* 1 */
    PIPIT_SCALES_U8,   /* unsigned, one for 32 columns */
    PIPIT_SCALES_I8,   /* signed, one for 32 columns */
    PIPIT_SCALES_I8_16,  /* signed, one for 16 columns */
    PIPIT_SCALES_U4_16,  /* Q2_K: scale in the low, minimum in the high nibble */
    PIPIT_SCALES_FP8_16, /* NVFP4: unsigned E4M3, halved */
} pipit_form_scales;

typedef struct pipit_form_info {
    pipit_form_kind kind;
    pipit_form_code code;
    pipit_form_scales scales;
    bool has_min;
    int8_t offset;
    uint8_t bits;
    uint8_t n_subs;
    uint16_t block_cols;
    uint16_t file_bytes;  /* of one row's block in the file */
    uint16_t block_bytes; /* of four rows' block here */
    uint16_t scales_at, mins_at, quants_at, sub_bytes;
} pipit_form_info;

/* Never NULL. */
const pipit_form_info *pipit_form(uint32_t type);

extern const int8_t pipit_form_iq4[16];
extern const int8_t pipit_form_fp4[16];

/* The kernels' reading of an f16 scale: exact for finite ones. An exponent of
 * all ones, which no quantizer writes, counts as one binade more instead of
 * infinite or NaN: three instructions less in the innermost loop. */
static inline float pipit_scale_of(uint16_t h) {
    uint32_t bits = (h & 0x7fffu) << 13 | (h & 0x8000u) << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f * 0x1p112f;
}

/* 2^(e - 128): the scale of MXFP4, for its doubled values. */
static inline float pipit_scale_of_e8m0(uint8_t e) {
    uint32_t bits = e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

/* Unsigned E4M3, halved. */
static inline float pipit_scale_of_ue4m3(uint8_t b) {
    uint32_t e = b >> 3 & 15, m = b & 7;
    if (b == 0x7f) return 0;
    if (e == 0) return (float)m * 0x1p-10f;
    uint32_t bits = (e + 119) << 23 | m << 20;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

/* 32 quants of one row as words, word j for vector j: to `bits` words of the
 * layout and back. */
void pipit_form_merge(uint32_t bits, const uint32_t v[8], uint32_t *packed);
void pipit_form_split(uint32_t bits, const uint32_t *packed, uint32_t v[8]);

/* The integers that 32 quants of row r stand for; block: of the layout, sub: of
 * its n_subs. */
void pipit_form_quants(const pipit_form_info *form, const uint8_t *block,
                       uint32_t sub, uint32_t r, int8_t *q);

/* What multiplies them: weight = d * scale[c / 16] * q + m * min[c / 16]. */
typedef struct pipit_form_factors {
    float d, m;
    float scale[2], min[2];
} pipit_form_factors;

/* half: how f16 is read. */
pipit_form_factors pipit_form_factors_of(const pipit_form_info *form,
                                         const uint8_t *block, uint32_t sub,
                                         uint32_t r, float (*half)(uint16_t));

#endif
