/* train_product.h — the products of training, made of the training kernels'
 * `multiply`, whose sums run over k in order: operands are packed or unpacked
 * into strips some columns at a time, where the caches hold them. */
#ifndef PIPIT_TRAIN_PRODUCT_H
#define PIPIT_TRAIN_PRODUCT_H

#include "train.h"

/* Rows of floats, from one to the next `stride`. */
typedef struct pipit_train_floats {
    float *x;
    size_t stride;
} pipit_train_floats;

/* y = W x. */
typedef struct pipit_train_output {
    const pipit_matrix *w;
    pipit_train_floats y;
} pipit_train_output;

/* Each output's y of the same n rows of x, this thread's columns of y: from x,
 * or from its quantized form where the weights are quantized and training is
 * not precise. */
void pipit_train_product(const pipit_train_part *part,
                         const pipit_train_output *outputs, uint32_t n_outputs,
                         pipit_train_floats x, uint32_t n);
/* dx = W^T dy for n rows, this thread's columns; dx += where add. */
void pipit_train_product_back(const pipit_train_part *part,
                              const pipit_matrix *w, pipit_train_floats dy,
                              uint32_t n, pipit_train_floats dx, bool add);
/* Whether pipit_train_product reads the quantized rows. */
bool pipit_train_quantizes(const pipit_train *t, const pipit_matrix *w);

/* Low-rank pairs of the layer under way; nothing where a matrix has none. */

/* Packs this thread's share of the pairs. */
void pipit_train_pack_pairs(const pipit_train_part *part);
/* z = A x for this thread's rows, of n_targets pairs from `first` on. */
void pipit_train_pair_in(const pipit_train_part *part, pipit_target first,
                         uint32_t n_targets, pipit_train_floats x);
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
