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
    PIPIT_TYPE_Q4_K, PIPIT_TYPE_Q5_K, PIPIT_TYPE_Q6_K};
#define N_CASE_TYPES (sizeof case_types / sizeof case_types[0])

typedef enum case_values { CASE_TAME, CASE_WILD, CASE_MOST, CASE_LEAST } case_values;

static inline float case_float(pipit_rng *rng, case_values values) {
    static const float wild[] = {0.0f,   -0.0f,    1e-45f,    -1e-40f,
                                 1e30f,  -3.4e38f, 1.5e-38f,  127.5f,
                                 -63.5f, INFINITY, -INFINITY, NAN};
    uint64_t draw = pipit_rng_next(rng);
    if (values == CASE_MOST) return 3.0f;
    if (values == CASE_LEAST) return -3.0f;
    if (values == CASE_WILD && draw % 8 == 0)
        return wild[(draw >> 8) % (sizeof wild / sizeof wild[0])];
    return (float)(pipit_rng_unit(rng) * 4 - 2);
}

/* n file bytes of a type. Tame ones have scales between 2^-8 and 2^-1. */
static inline void case_weights(pipit_rng *rng, uint32_t type,
                                case_values values, uint8_t *bytes, size_t n) {
    const pipit_type_info *info = pipit_type(type);
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(pipit_rng_next(rng) >> 32);
        if (values == CASE_MOST) bytes[i] = 0xff;
        if (values == CASE_LEAST) bytes[i] = 0;
    }
    if (values == CASE_WILD) return;
    for (size_t at = 0; at + info->block_bytes <= n; at += info->block_bytes) {
        uint8_t *block = bytes + at;
        if (type == PIPIT_TYPE_F32) {
            float f = case_float(rng, values);
            memcpy(block, &f, 4);
        } else if (type == PIPIT_TYPE_BF16) {
            block[1] = (uint8_t)((block[1] & 0x80) | 0x3f);
        } else if (type == PIPIT_TYPE_Q6_K) {
            block[209] = (uint8_t)((block[209] & 0x80) | 0x28);
        } else {
            bool has_min = type == PIPIT_TYPE_Q4_1 || type == PIPIT_TYPE_Q5_1 ||
                           type == PIPIT_TYPE_Q4_K || type == PIPIT_TYPE_Q5_K;
            block[1] = (uint8_t)((block[1] & 0x80) | 0x28);
            if (has_min) block[3] = (uint8_t)((block[3] & 0x80) | 0x28);
        }
    }
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
