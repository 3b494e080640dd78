/* train_kernels.h — what only training computes, in two implementations that
 * give the same bits: scalar, the specification, and simd128. They have a table
 * of their own, so that modules which don't train are without them. */
#ifndef PIPIT_TRAIN_KERNELS_H
#define PIPIT_TRAIN_KERNELS_H

#include "kernels.h"

/* Rows of an operand in strips of `width`, which depends on its place: element
 * (row, k) is x[row / width * strip + k * step + row % width]. */
typedef struct pipit_strips {
    const float *x;
    size_t step, strip; /* floats */
} pipit_strips;

/* Widths of what `multiply` takes. */
#define PIPIT_STRIP_A 8u
#define PIPIT_STRIP_B 4u
#define PIPIT_KEEP_BLOCK 32u

typedef struct pipit_train_kernels {
    /* y[j][i] = (add ? y[j][i] : 0) + the sum over k in order of a(i, k) b(j, k),
     * for i < 4 n_fours and j < n_rows; y is (n_rows, y_stride). b has whole
     * strips; what is in the missing rows does not matter. */
    void (*multiply)(const pipit_strips *a, uint32_t n_fours,
                     const pipit_strips *b, uint32_t n_rows, uint32_t n_k,
                     bool add, float *y, size_t y_stride);
    /* x (n_rows, n_cols), from row to row `stride`, to dense strips of width 4
     * or 8: each is width * n_cols floats. Missing rows are zero. */
    void (*pack)(const float *x, size_t stride, uint32_t n_rows,
                 uint32_t n_cols, uint32_t width, float *strips);
    /* Columns [c0, c0 + n_cols) of the group's four rows: column c0 + i at
     * to + i * step. c0 and n_cols are multiples of 32, or reach the last
     * column. The bits are those of pipit_layout_row. */
    void (*unpack)(const pipit_matrix *w, uint32_t group, uint32_t c0,
                   uint32_t n_cols, float *to, size_t step);
    /* 32 columns from c0 turned, in strips of 8: column c0 + c and row r of the
     * group at to[c / 8 * strip + 8 * r + c % 8]; zero past the last column. */
    void (*unpack_turned)(const pipit_matrix *w, uint32_t group, uint32_t c0,
                          float *to, size_t strip);
    /* gate and up become their gradients where y = silu(gate) * up, given dy;
     * and where y = gelu(gate) * up, in the tanh form. */
    void (*silu_back)(float *gate, float *up, const float *dy, size_t n);
    void (*gelu_back)(float *gate, float *up, const float *dy, size_t n);
    /* n floats in 16 bits each: blocks of 32 that share a scale, largest / 32767,
     * the scales first. pipit_keep_bytes(n); and back. */
    void (*keep)(const float *x, size_t n, uint8_t *kept);
    void (*restore)(const uint8_t *kept, size_t n, float *x);
} pipit_train_kernels;

static inline size_t pipit_keep_bytes(size_t n) {
    size_t n_blocks = (n + PIPIT_KEEP_BLOCK - 1) / PIPIT_KEEP_BLOCK;
    return n_blocks * (sizeof(float) + 2 * PIPIT_KEEP_BLOCK);
}

/* Those that go with the kernels of a table. */
const pipit_train_kernels *pipit_train_kernels_of(const pipit_kernels *kernels);

extern const pipit_train_kernels pipit_train_kernels_scalar;
extern const pipit_train_kernels pipit_train_kernels_simd128;

/* What vector implementations leave to the scalar one: tails. */
void pipit_scalar_silu_back(float *gate, float *up, const float *dy, size_t n);
void pipit_scalar_gelu_back(float *gate, float *up, const float *dy, size_t n);
void pipit_scalar_keep_block(const float *x, size_t n, float *scale, uint8_t *q);
void pipit_scalar_restore_block(float scale, const uint8_t *q, size_t n,
                                float *x);

#endif
