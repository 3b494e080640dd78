/* layout.h — weights as the kernels want them: rows in groups of four.
 *
 * A group holds four consecutive rows (missing ones at the end are zero) block
 * after block. Within a block of 32 columns every 16-byte vector holds the same
 * four columns of the four rows, so that each 32-bit lane belongs to one row
 * and no sum ever crosses lanes:
 *
 *     vector j (8-bit form):  r0c r0c+1 r0c+2 r0c+3 | r1… | r2… | r3…   c = 4j
 *
 * Quants of fewer bits share bytes with those of other vectors, at the same
 * place in each; scales come first, four to a row group. forms.h draws it.
 *
 * The pack changes the place of bits, never their value: no layout is larger
 * than 1.1 times the file's bytes and pipit_layout_row gives exactly the bits of
 * the reference dequantization. */
#ifndef PIPIT_LAYOUT_H
#define PIPIT_LAYOUT_H

#include "../quant.h"

#define PIPIT_GROUP_ROWS 4u

/* Rows of a weight: y[r] = sum over c of W[r][c] x[c]. */
typedef struct pipit_matrix {
    uint32_t type;         /* enum pipit_type of the file */
    uint32_t n_rows;       /* outputs */
    uint32_t n_cols;       /* inputs; a multiple of the type's block */
    size_t group_bytes;
    const uint8_t *groups; /* ceil(n_rows / 4) groups, 16-byte aligned start */
    const float *scale;    /* times which y is meant; NULL: 1. Not the kernels'
                              business: forward.c multiplies. */
} pipit_matrix;

static inline uint32_t pipit_matrix_n_groups(const pipit_matrix *w) {
    return (w->n_rows + PIPIT_GROUP_ROWS - 1) / PIPIT_GROUP_ROWS;
}

/* Whether the kernels can compute with a tensor type. */
bool pipit_layout_supports(uint32_t type);
/* Bytes of one group of rows of n_cols; false on overflow. */
bool pipit_layout_group_bytes(uint32_t type, uint32_t n_cols, size_t *out);
/* n_rows (1..4) rows as they stand in the file, one after the other, to one
 * group. */
void pipit_layout_pack(uint32_t type, uint32_t n_cols, const uint8_t *rows,
                       uint32_t n_rows, uint8_t *group);
/* One row back to f32: out[n_cols]. */
void pipit_layout_row(const pipit_matrix *w, uint32_t row, float *out);
/* 32 columns from column c0, a multiple of 32, of the group's rows back to f32;
 * fewer where the matrix ends. */
void pipit_layout_columns(const pipit_matrix *w, uint32_t group, uint32_t c0,
                          float out[PIPIT_GROUP_ROWS][32]);

#endif
