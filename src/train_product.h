/* train_product.h — the products of training. All of them are the kernels'
 * products, whose sums run over the columns of one operand in order; this file
 * brings operands into their layout. */
#ifndef PIPIT_TRAIN_PRODUCT_H
#define PIPIT_TRAIN_PRODUCT_H

#include "train.h"

/* Rows of floats, from one to the next `stride`. */
typedef struct pipit_train_floats {
    float *x;
    size_t stride;
} pipit_train_floats;

/* y = W x for n rows, this thread's outputs: from x, or from its quantized form
 * where the weights are quantized and training is not precise. */
void pipit_train_product(const pipit_train_part *part, const pipit_matrix *w,
                         pipit_train_floats x, uint32_t n,
                         pipit_train_floats y);
/* dx = W^T dy for n rows, this thread's columns; dx += where add. */
void pipit_train_product_back(const pipit_train_part *part,
                              const pipit_matrix *w, pipit_train_floats dy,
                              uint32_t n, pipit_train_floats dx, bool add);
/* Whether pipit_train_product reads the quantized rows. */
bool pipit_train_quantizes(const pipit_train *t, const pipit_matrix *w);

/* (n_rows, n_cols) floats as a matrix for the kernels, in `to`, which has room
 * for the rows rounded up to 4. _turned: their transpose, n_cols rows of it. */
pipit_matrix pipit_train_pack(const float *x, size_t stride, uint32_t n_rows,
                              uint32_t n_cols, float *to);
pipit_matrix pipit_train_pack_turned(const float *x, size_t stride,
                                     uint32_t n_rows, uint32_t n_cols,
                                     float *to);
/* y = w x over groups [g0, g1) and the first n_cols columns. */
void pipit_train_multiply(const pipit_train *t, const pipit_matrix *w,
                          uint32_t g0, uint32_t g1, uint32_t n_cols,
                          const float *x, size_t x_stride, uint32_t n,
                          float *y, size_t y_stride);

/* Low-rank pairs of the layer under way; nothing where a matrix has none. */

/* Packs this thread's share of the pairs. */
void pipit_train_pack_pairs(const pipit_train_part *part);
/* z = A x for this thread's rows. */
void pipit_train_pair_in(const pipit_train_part *part, pipit_target target,
                         pipit_train_floats x);
/* y += scale * B z for this thread's outputs, those of pipit_train_product. */
void pipit_train_pair_out(const pipit_train_part *part, pipit_target target,
                          pipit_train_floats y);
/* dz = scale * B^T dy for this thread's rows. */
void pipit_train_pair_out_back(const pipit_train_part *part,
                               pipit_target target, pipit_train_floats dy);
/* dx += A^T dz for this thread's columns, those of pipit_train_product_back. */
void pipit_train_pair_in_back(const pipit_train_part *part,
                              pipit_target target, pipit_train_floats dx);
/* Gradients of A and B, this thread's columns of both: added. */
void pipit_train_pair_gradients(const pipit_train_part *part,
                                pipit_target target, pipit_train_floats x,
                                pipit_train_floats dy);

#endif
