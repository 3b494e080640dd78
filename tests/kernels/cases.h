/* cases.h — weights and activations for the kernel tests: random, and as
 * extreme as a file may make them. */
#ifndef PIPIT_KERNEL_CASES_H
#define PIPIT_KERNEL_CASES_H

#include "../unit/check.h"
#include "kernels/kernels.h"
#include "rng.h"

#include <math.h>

static const uint32_t case_types[] = {
    PIPIT_TYPE_F32,  PIPIT_TYPE_F16,  PIPIT_TYPE_BF16, PIPIT_TYPE_Q4_0,
    PIPIT_TYPE_Q4_1, PIPIT_TYPE_Q5_0, PIPIT_TYPE_Q5_1, PIPIT_TYPE_Q8_0,
    PIPIT_TYPE_Q2_K, PIPIT_TYPE_Q3_K, PIPIT_TYPE_Q4_K, PIPIT_TYPE_Q5_K,
    PIPIT_TYPE_Q6_K, PIPIT_TYPE_IQ4_NL, PIPIT_TYPE_IQ4_XS, PIPIT_TYPE_TQ1_0,
    PIPIT_TYPE_TQ2_0, PIPIT_TYPE_MXFP4, PIPIT_TYPE_NVFP4, PIPIT_TYPE_Q1_0,
    PIPIT_TYPE_Q2_0};
#define N_CASE_TYPES (sizeof case_types / sizeof case_types[0])

typedef enum case_values { CASE_TAME, CASE_WILD, CASE_MOST, CASE_LEAST } case_values;

/* Wild: an eighth is zero, tiny or huge, one in 2048 infinite or NaN: such a
 * value makes a whole sum NaN, and NaN equals NaN. */
static inline float case_float(pipit_rng *rng, case_values values) {
    static const float wild[] = {0.0f,  -0.0f,    1e-45f,   -1e-40f, 1e30f,
                                 -1e30f, 1.5e-38f, 127.5f,  -63.5f};
    static const float worst[] = {INFINITY, -INFINITY, NAN, -3.4e38f};
    uint64_t draw = pipit_rng_next(rng);
    if (values == CASE_MOST) return 3.0f;
    if (values == CASE_LEAST) return -3.0f;
    if (values == CASE_WILD && draw % 8 == 0)
        return wild[(draw >> 8) % (sizeof wild / sizeof wild[0])];
    if (values == CASE_WILD && draw % 2048 == 1) return worst[draw >> 12 & 3];
    return (float)(pipit_rng_unit(rng) * 4 - 2);
}

/* The f16 at p to between 2^-5 and 2^-4, its sign kept. */
static inline void case_tame_f16(uint8_t *p) {
    p[1] = (uint8_t)((p[1] & 0x83) | 0x28);
}

/* One block's scales to sizes that models have. */
static inline void case_tame(pipit_rng *rng, uint32_t type, uint8_t *block) {
    float f = case_float(rng, CASE_TAME);
    switch (type) {
        case PIPIT_TYPE_F32: memcpy(block, &f, 4); break;
        case PIPIT_TYPE_BF16: block[1] = (uint8_t)((block[1] & 0x80) | 0x3f); break;
        case PIPIT_TYPE_Q2_K:
            case_tame_f16(block + 80);
            case_tame_f16(block + 82);
            break;
        case PIPIT_TYPE_Q3_K: case_tame_f16(block + 108); break;
        case PIPIT_TYPE_Q6_K: case_tame_f16(block + 208); break;
        case PIPIT_TYPE_TQ1_0: case_tame_f16(block + 52); break;
        case PIPIT_TYPE_TQ2_0: case_tame_f16(block + 64); break;
        case PIPIT_TYPE_MXFP4: block[0] = (uint8_t)(120 + block[0] % 8); break;
        case PIPIT_TYPE_NVFP4:
            for (int i = 0; i < 4; i++) block[i] = block[i] % 0x78;
            break;
        case PIPIT_TYPE_Q4_1:
        case PIPIT_TYPE_Q5_1:
        case PIPIT_TYPE_Q4_K:
        case PIPIT_TYPE_Q5_K:
            case_tame_f16(block);
            case_tame_f16(block + 2);
            break;
        default: case_tame_f16(block);
    }
}

/* n file bytes of a type: random ones, all ones or all zeros; but for wild ones
 * the scales are tame. */
static inline void case_weights(pipit_rng *rng, uint32_t type,
                                case_values values, uint8_t *bytes, size_t n) {
    const pipit_type_info *info = pipit_type(type);
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(pipit_rng_next(rng) >> 32);
        if (values == CASE_MOST) bytes[i] = 0xff;
        if (values == CASE_LEAST) bytes[i] = 0;
    }
    if (values == CASE_WILD) return;
    for (size_t at = 0; at + info->block_bytes <= n; at += info->block_bytes)
        case_tame(rng, type, bytes + at);
}

/* A matrix in kernel layout; *file gets its rows as they stand in a file. */
static inline pipit_matrix case_matrix(pipit_rng *rng, uint32_t type,
                                       case_values values, uint32_t n_rows,
                                       uint32_t n_cols, uint8_t **file) {
    const pipit_type_info *info = pipit_type(type);
    size_t row_bytes = (size_t)n_cols / info->block_elems * info->block_bytes;
    pipit_matrix w = {.type = type, .n_rows = n_rows, .n_cols = n_cols};
    uint8_t *rows = malloc(row_bytes * n_rows), *groups;
    if (!pipit_layout_group_bytes(type, n_cols, &w.group_bytes)) abort();
    groups = malloc(w.group_bytes * pipit_matrix_n_groups(&w));
    case_weights(rng, type, values, rows, row_bytes * n_rows);
    for (uint32_t g = 0; g < pipit_matrix_n_groups(&w); g++) {
        uint32_t left = n_rows - 4 * g;
        pipit_layout_pack(type, n_cols, rows + 4 * g * row_bytes,
                          left < 4 ? left : 4, groups + g * w.group_bytes);
    }
    w.groups = groups;
    *file = rows;
    return w;
}

static inline void case_free(pipit_matrix *w, uint8_t *file) {
    free((void *)(uintptr_t)w->groups);
    free(file);
}

#endif
