#include "forms.h"

#define SIMPLE(code_, offset_, bits_, has_min_, file)                     \
    {.kind = PIPIT_FORM_QUANTS, .code = PIPIT_CODE_##code_,               \
     .has_min = (has_min_), .offset = (offset_), .bits = (bits_),         \
     .n_subs = 1, .block_cols = 32, .file_bytes = (file),                 \
     .block_bytes = ((has_min_) ? 16 : 8) + 16 * (bits_),                 \
     .quants_at = (has_min_) ? 16 : 8, .sub_bytes = 16 * (bits_)}

/* head: bytes before the quants */
#define SUPER(code_, offset_, bits_, scales_, min_bytes, subs, head, file)  \
    {.kind = PIPIT_FORM_QUANTS, .code = PIPIT_CODE_##code_,                 \
     .scales = PIPIT_SCALES_##scales_, .has_min = (min_bytes) > 0,          \
     .offset = (offset_), .bits = (bits_), .n_subs = (subs),                \
     .block_cols = 32 * (subs), .file_bytes = (file),                       \
     .block_bytes = (head) + 16 * (bits_) * (subs),                         \
     .scales_at = (min_bytes) > 0 ? 16 : 8, .mins_at = (min_bytes),         \
     .quants_at = (head), .sub_bytes = 16 * (bits_)}

static const pipit_form_info forms[PIPIT_N_TYPES] = {
    [PIPIT_TYPE_F32] = {.kind = PIPIT_FORM_FLOAT, .block_cols = 1,
                        .file_bytes = 4, .block_bytes = 16},
    [PIPIT_TYPE_F16] = {.kind = PIPIT_FORM_FLOAT, .block_cols = 1,
                        .file_bytes = 2, .block_bytes = 8},
    [PIPIT_TYPE_BF16] = {.kind = PIPIT_FORM_FLOAT, .block_cols = 1,
                         .file_bytes = 2, .block_bytes = 8},
    [PIPIT_TYPE_Q4_0] = SIMPLE(OFFSET, 8, 4, false, 18),
    [PIPIT_TYPE_Q4_1] = SIMPLE(OFFSET, 0, 4, true, 20),
    [PIPIT_TYPE_Q5_0] = SIMPLE(OFFSET, 16, 5, false, 22),
    [PIPIT_TYPE_Q5_1] = SIMPLE(OFFSET, 0, 5, true, 24),
    [PIPIT_TYPE_Q8_0] = SIMPLE(SIGNED, 0, 8, false, 34),
    [PIPIT_TYPE_IQ4_NL] = SIMPLE(IQ4, 0, 4, false, 18),
    [PIPIT_TYPE_Q2_K] = SUPER(OFFSET, 0, 2, U4_16, 16, 8, 80, 84),
    [PIPIT_TYPE_Q3_K] = SUPER(OFFSET, 4, 3, I8_16, 0, 8, 72, 110),
    [PIPIT_TYPE_Q4_K] = SUPER(OFFSET, 0, 4, U8, 48, 8, 80, 144),
    [PIPIT_TYPE_Q5_K] = SUPER(OFFSET, 0, 5, U8, 48, 8, 80, 176),
    [PIPIT_TYPE_Q6_K] = SUPER(OFFSET, 32, 6, I8_16, 0, 8, 72, 210),
    [PIPIT_TYPE_IQ4_XS] = SUPER(IQ4, 0, 4, I8, 0, 8, 40, 136),
    [PIPIT_TYPE_TQ2_0] = SUPER(OFFSET, 1, 2, NONE, 0, 8, 8, 66),
    [PIPIT_TYPE_Q1_0] = SUPER(OFFSET, 1, 1, NONE, 0, 4, 8, 18),
    [PIPIT_TYPE_Q2_0] = SUPER(OFFSET, 1, 2, NONE, 0, 2, 8, 18),
    [PIPIT_TYPE_TQ1_0] = {.kind = PIPIT_FORM_QUANTS, .code = PIPIT_CODE_TRITS,
                          .offset = 1, .n_subs = 8, .block_cols = 256,
                          .file_bytes = 54, .block_bytes = 216,
                          .quants_at = 8},
    [PIPIT_TYPE_MXFP4] = {.kind = PIPIT_FORM_QUANTS, .code = PIPIT_CODE_FP4,
                          .bits = 4, .n_subs = 1, .block_cols = 32,
                          .file_bytes = 17, .block_bytes = 68, .quants_at = 4,
                          .sub_bytes = 64},
    [PIPIT_TYPE_NVFP4] = {.kind = PIPIT_FORM_QUANTS, .code = PIPIT_CODE_FP4,
                          .scales = PIPIT_SCALES_FP8_16, .bits = 4,
                          .n_subs = 2, .block_cols = 64, .file_bytes = 36,
                          .block_bytes = 144, .quants_at = 16,
                          .sub_bytes = 64},
};

const int8_t pipit_form_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};
const int8_t pipit_form_fp4[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                   0, -1, -2, -3, -4, -6, -8, -12};

const pipit_form_info *pipit_form(uint32_t type) {
    static const pipit_form_info none = {.kind = PIPIT_FORM_NONE};
    return type < PIPIT_N_TYPES ? &forms[type] : &none;
}

/* ---- quants ------------------------------------------------------------- */

/* One bit (or two) of each byte of v, moved. */
static uint32_t bits_of(uint32_t v, uint32_t mask, int up) {
    v &= mask * 0x01010101u;
    return up >= 0 ? v << up : v >> -up;
}

/* bits: a constant where this is inlined, so that no loop is left. */
static inline void merge(uint32_t bits, const uint32_t v[8], uint32_t *p) {
    uint32_t per_word = 8 / bits;
    for (uint32_t i = 0; i < bits; i++) p[i] = 0;
    for (uint32_t i = 0; i < per_word * bits; i++)
        p[i % bits] |= v[i] << (i / bits * bits);
    if (bits == 3) {
        p[0] |= bits_of(v[6], 3, 6);
        p[1] |= bits_of(v[6], 4, 4) | bits_of(v[7], 4, 5);
        p[2] |= bits_of(v[7], 3, 6);
    } else if (bits == 5) {
        p[0] |= bits_of(v[5], 7, 5);
        p[1] |= bits_of(v[5], 24, 2) | bits_of(v[7], 8, 4);
        p[2] |= bits_of(v[6], 7, 5);
        p[3] |= bits_of(v[6], 24, 2) | bits_of(v[7], 16, 3);
        p[4] |= bits_of(v[7], 7, 5);
    } else if (bits == 6) {
        for (uint32_t i = 0; i < 2; i++) {
            p[3 * i] |= bits_of(v[6 + i], 3, 6);
            p[3 * i + 1] |= bits_of(v[6 + i], 12, 4);
            p[3 * i + 2] |= bits_of(v[6 + i], 48, 2);
        }
    }
}

void pipit_form_merge(uint32_t bits, const uint32_t v[8], uint32_t *packed) {
    switch (bits) {
        case 1: merge(1, v, packed); break;
        case 2: merge(2, v, packed); break;
        case 3: merge(3, v, packed); break;
        case 4: merge(4, v, packed); break;
        case 5: merge(5, v, packed); break;
        default: merge(6, v, packed);
    }
}

void pipit_form_split(uint32_t bits, const uint32_t *p, uint32_t v[8]) {
    uint32_t per_word = 8 / bits, mask = (1u << bits) - 1;
    for (uint32_t i = 0; i < per_word * bits; i++)
        v[i] = p[i % bits] >> (i / bits * bits) & mask * 0x01010101u;
    if (bits == 3) {
        v[6] = bits_of(p[0], 192, -6) | bits_of(p[1], 64, -4);
        v[7] = bits_of(p[2], 192, -6) | bits_of(p[1], 128, -5);
    } else if (bits == 5) {
        v[5] = bits_of(p[0], 224, -5) | bits_of(p[1], 96, -2);
        v[6] = bits_of(p[2], 224, -5) | bits_of(p[3], 96, -2);
        v[7] = bits_of(p[4], 224, -5) | bits_of(p[1], 128, -4) |
               bits_of(p[3], 128, -3);
    } else if (bits == 6) {
        for (uint32_t i = 0; i < 2; i++)
            v[6 + i] = bits_of(p[3 * i], 192, -6) |
                       bits_of(p[3 * i + 1], 192, -4) |
                       bits_of(p[3 * i + 2], 192, -2);
    }
}

/* Digit k of the words of a TQ1_0 row: those of 32 bytes first, then 16, 4. */
static void split_trits(const uint32_t words[13], uint32_t sub,
                        uint32_t v[8]) {
    static const uint8_t powers[5] = {1, 3, 9, 27, 81};
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t j = 8 * sub + i;
        uint32_t word = j < 40 ? j % 8 : j < 60 ? 8 + (j - 40) % 4 : 12;
        uint32_t digit = j < 40 ? j / 8 : j < 60 ? (j - 40) / 4 : j - 60;
        v[i] = 0;
        for (uint32_t b = 0; b < 4; b++) {
            uint8_t shifted =
                (uint8_t)((words[word] >> 8 * b & 255) * powers[digit]);
            v[i] |= (uint32_t)(shifted * 3 >> 8) << 8 * b;
        }
    }
}

void pipit_form_quants(const pipit_form_info *form, const uint8_t *block,
                       uint32_t sub, uint32_t r, int8_t *q) {
    const uint8_t *at =
        block + form->quants_at + (size_t)sub * form->sub_bytes + 4 * r;
    bool trits = form->code == PIPIT_CODE_TRITS;
    uint32_t packed[13], v[8];
    for (uint32_t i = 0; i < (trits ? 13u : form->bits); i++)
        packed[i] = pipit_load_u32(at + 16 * i);
    if (trits)
        split_trits(packed, sub, v);
    else
        pipit_form_split(form->bits, packed, v);
    for (uint32_t c = 0; c < 32; c++) {
        uint32_t code = v[c / 4] >> 8 * (c % 4) & 255;
        switch (form->code) {
            case PIPIT_CODE_SIGNED: q[c] = (int8_t)code; break;
            case PIPIT_CODE_IQ4: q[c] = pipit_form_iq4[code]; break;
            case PIPIT_CODE_FP4: q[c] = pipit_form_fp4[code]; break;
            default: /* one bit stands for -1 and 1 */
                if (form->bits == 1) code *= 2;
                q[c] = (int8_t)((int32_t)code - form->offset);
        }
    }
}

/* ---- what multiplies them ------------------------------------------------ */

static float scale_at(const pipit_form_info *form, const uint8_t *block,
                      uint32_t sub, uint32_t half, uint32_t r) {
    const uint8_t *at = block + form->scales_at + r;
    uint32_t i = 2 * sub + half;
    switch (form->scales) {
        case PIPIT_SCALES_U8: return (float)at[4 * sub];
        case PIPIT_SCALES_I8: return (float)(int8_t)at[4 * sub];
        case PIPIT_SCALES_I8_16: return (float)(int8_t)at[4 * i];
        case PIPIT_SCALES_U4_16: return (float)(at[4 * i] & 15);
        case PIPIT_SCALES_FP8_16: return pipit_scale_of_ue4m3(at[4 * i]);
        default: return 1;
    }
}

static float min_at(const pipit_form_info *form, const uint8_t *block,
                    uint32_t sub, uint32_t half, uint32_t r) {
    if (form->scales == PIPIT_SCALES_U4_16)
        return (float)(block[form->scales_at + 8 * sub + 4 * half + r] >> 4);
    if (form->mins_at > 0) return (float)block[form->mins_at + 4 * sub + r];
    return 1;
}

pipit_form_factors pipit_form_factors_of(const pipit_form_info *form,
                                         const uint8_t *block, uint32_t sub,
                                         uint32_t r, float (*half)(uint16_t)) {
    pipit_form_factors f = {.d = 1};
    if (form->code != PIPIT_CODE_FP4)
        f.d = half(pipit_load_u16(block + 2 * r));
    else if (form->scales == PIPIT_SCALES_NONE)
        f.d = pipit_scale_of_e8m0(block[r]);
    if (form->has_min) {
        f.m = half(pipit_load_u16(block + 8 + 2 * r));
        if (form->scales != PIPIT_SCALES_NONE) f.m = -f.m;
    }
    for (uint32_t i = 0; i < 2; i++) {
        f.scale[i] = scale_at(form, block, sub, i, r);
        f.min[i] = form->has_min ? min_at(form, block, sub, i, r) : 0;
    }
    return f;
}
