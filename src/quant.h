/* quant.h — 2: tensor types as the file has them: block sizes, and the
 * reference dequantization (the specification of every weight's value). */
#ifndef PIPIT_QUANT_H
#define PIPIT_QUANT_H

#include "base.h"

enum pipit_type { /* GGUF's own numbers */
    PIPIT_TYPE_F32 = 0, PIPIT_TYPE_F16 = 1, PIPIT_TYPE_Q4_0 = 2,
    PIPIT_TYPE_Q4_1 = 3, PIPIT_TYPE_Q5_0 = 6, PIPIT_TYPE_Q5_1 = 7,
    PIPIT_TYPE_Q8_0 = 8, PIPIT_TYPE_Q2_K = 10, PIPIT_TYPE_Q3_K = 11,
    PIPIT_TYPE_Q4_K = 12, PIPIT_TYPE_Q5_K = 13, PIPIT_TYPE_Q6_K = 14,
    PIPIT_TYPE_IQ4_NL = 20, PIPIT_TYPE_IQ4_XS = 23, PIPIT_TYPE_BF16 = 30,
    PIPIT_TYPE_TQ1_0 = 34, PIPIT_TYPE_TQ2_0 = 35, PIPIT_TYPE_MXFP4 = 39,
    PIPIT_TYPE_NVFP4 = 40, PIPIT_TYPE_Q1_0 = 41, PIPIT_TYPE_Q2_0 = 42,
    PIPIT_N_TYPES = 43
};

typedef struct pipit_type_info {
    const char *name;     /* "Q4_1" */
    uint32_t block_elems; /* 0: a removed or unknown number */
    uint32_t block_bytes;
    /* n_blocks blocks to f32, bits equal to ggml's; NULL: the engine can size
     * the type but not compute with it. */
    void (*dequantize)(const uint8_t *blocks, size_t n_blocks, float *out);
} pipit_type_info;

/* Never NULL; block_elems is 0 for a number that names no type. */
const pipit_type_info *pipit_type(uint32_t type);

float pipit_f16_to_f32(uint16_t h); /* exact, subnormals, inf and NaN too */
uint16_t pipit_f32_to_f16(float f); /* nearest, ties to even */
static inline float pipit_bf16_to_f32(uint16_t h) {
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

#endif
