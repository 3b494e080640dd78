/* stage.h — what the stages of the forward pass are made of. Every thread of the
 * pool runs the same stage; each splits rows (of tokens, or of weights) between
 * them. */
#ifndef PIPIT_STAGE_H
#define PIPIT_STAGE_H

#include "pass.h"

typedef struct pipit_stage {
    pipit_pass *pass;
    uint32_t thread, n_threads;
    uint32_t layer;
    /* A phase (forward.c) with more products than a step may take is run in
     * slices of their rows: what stands before them is done in the first one,
     * what after them in the last. */
    uint32_t slice, n_slices;
} pipit_stage;

static inline bool pipit_stage_is_first(const pipit_stage *s) {
    return s->slice == 0;
}
static inline bool pipit_stage_is_last(const pipit_stage *s) {
    return s->slice + 1 == s->n_slices;
}

/* Rows [begin, end) of some weights that are one thread's. */
typedef struct pipit_part {
    uint32_t g0, g1; /* groups */
    uint32_t begin, end;
} pipit_part;

static inline void pipit_stage_barrier(const pipit_stage *s) {
    pipit_pool_barrier(s->pass->pool);
}

/* Whether a product with w reads floats, not quantized blocks. */
static inline bool pipit_is_float(const pipit_matrix *w) {
    return w->type == PIPIT_TYPE_F32 || w->type == PIPIT_TYPE_F16 ||
           w->type == PIPIT_TYPE_BF16;
}

/* The pass's rows of `in` as inputs of a product: normed (norm may be NULL) and,
 * for quantized weights, quantized; in the first slice. Ends with all rows ready
 * for every thread. */
pipit_acts pipit_stage_prepare(const pipit_stage *s, const float *in,
                               size_t in_stride, uint32_t n_cols,
                               const float *norm, bool quantize);

/* The same, and what the layer's adapters make of the rows: their A, ready for
 * pipit_stage_adapted of the targets that read this input. */
pipit_acts pipit_stage_prepare_adapted(const pipit_stage *s, pipit_input input,
                                       const float *in, size_t in_stride,
                                       const float *norm, bool quantize);

/* This thread's rows of w, of those of the slice. */
pipit_part pipit_stage_part(const pipit_stage *s, const pipit_matrix *w);

/* Groups [g0, g1) of y = w . acts for n_rows rows of acts; scaled. */
void pipit_stage_multiply(const pipit_stage *s, const pipit_matrix *w,
                          uint32_t g0, uint32_t g1, const pipit_acts *acts,
                          uint32_t n_rows, float *y, size_t y_stride);

/* This thread's rows of y = w . acts, for every token. */
pipit_part pipit_stage_product(const pipit_stage *s, const pipit_matrix *w,
                               const pipit_acts *acts, float *y,
                               size_t y_stride);

/* The same of an adapted matrix of the layer, with what its adapters add. */
pipit_part pipit_stage_adapted(const pipit_stage *s, pipit_target target,
                               const pipit_acts *acts, float *y,
                               size_t y_stride);

/* x += y (+ bias), y normed and scaled first where the family does so. This
 * thread wrote the columns r of y. Ends, after the last slice, with x whole for
 * every thread. */
void pipit_stage_add_residual(const pipit_stage *s, pipit_part r,
                              const float *bias, const float *post_norm);

#endif
