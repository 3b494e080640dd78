/* train.h — the workspace of training a low-rank adapter: what lies between a
 * batch of tokens and the gradients of its loss.
 *
 * The sequences of a batch stand one after the other as rows of one matrix, so
 * that weights are unpacked once for all of them and no padding is computed.
 * Work is a list of operations; each is run by every thread of the pool and
 * splits rows (of tokens) or columns. A sum is always made by one thread, in an
 * order that the number of threads does not change.
 *
 * Of the forward pass only each layer's input is kept; the backward pass makes
 * the rest of a layer again. Strides are in floats and multiples of 4. */
#ifndef PIPIT_TRAIN_H
#define PIPIT_TRAIN_H

#include "adapter.h"
#include "engine.h"

/* Columns of weights that are unpacked together, and rows of them. */
#define PIPIT_TRAIN_TILE 32u
#define PIPIT_TRAIN_CHUNK 1024u
/* Answer tokens whose logits are in memory together. */
#define PIPIT_TRAIN_HEAD_ROWS 32u
/* Queries of one head whose scores are. */
#define PIPIT_TRAIN_QUERIES 64u

/* A pair being trained: packed for products, and what lies between the two. */
typedef struct pipit_train_pair {
    pipit_matrix a, a_turned; /* (rank, n_in), (n_in, rank) */
    pipit_matrix b, b_turned; /* (n_out, rank), (rank, n_out) */
    float *z, *dz;               /* (n, rank_stride) A x, its gradient */
    float *z_turned, *dz_turned; /* (rank, rows_stride) */
} pipit_train_pair;

/* What each thread has for itself. */
typedef struct pipit_train_thread {
    float *tile;     /* unpacked weights */
    float *row;      /* (max_cols) */
    float *sums;     /* (n, PIPIT_TRAIN_TILE) part of a product */
    uint8_t *scratch; /* of the kernels' products */
    /* attention of one head */
    float *keys, *keys_turned, *values, *values_turned; /* packed */
    float *queries_turned, *heads_turned;               /* packed */
    float *p, *dp;               /* (PIPIT_TRAIN_QUERIES, length_stride) */
    float *p_turned, *dp_turned; /* (length, PIPIT_TRAIN_QUERIES) */
    float *mixed;                /* (length, head_dim) */
} pipit_train_thread;

typedef struct pipit_train_sequence {
    uint32_t first, n; /* rows */
} pipit_train_sequence;

typedef struct pipit_train {
    const pipit_model *model;
    const pipit_kernels *kernels;
    uint32_t n_rows, max_length, rank; /* room */
    float scale;                       /* of a pair: alpha / rank */
    bool precise;
    pipit_lora (*pairs)[PIPIT_N_TARGETS];
    float *parameters, *gradients; /* all pairs of all layers, a then b */

    /* the batch */
    uint32_t n;               /* rows */
    uint32_t n_sequences, n_answers;
    uint32_t *tokens;         /* (n) */
    uint32_t *positions;      /* (n) */
    pipit_train_sequence *sequences;
    uint32_t *answer_rows;    /* (n_answers) whose logits are wanted */
    uint32_t *answers;        /* (n_answers) the tokens that follow them */
    float weight;             /* of an answer token in the loss */
    uint32_t layer;           /* of the operation under way */
    uint32_t head_first, head_n; /* answers of the head's operation */

    /* activations */
    float *inputs; /* (n_layers + 1, n, embd_stride) each layer's input */
    float *h1, *h2;      /* (n, embd_stride) normed */
    float *middle;       /* (n, embd_stride) after attention */
    float *qkv, *dqkv;   /* (n, qkv_stride) queries | keys | values */
    float *heads;        /* (n, heads_stride) */
    float *gate, *up, *act; /* (n, ffn_stride) */
    float *dx, *dh;      /* (n, embd_stride) */
    float *dheads;       /* (n, heads_stride) */
    float *dact;         /* (n, ffn_stride) */
    float *rope, *rope_back; /* (n, n_rot) */
    uint8_t *blocks;     /* (n, block_stride) quantized rows */
    float *head_h, *head_dh; /* (PIPIT_TRAIN_HEAD_ROWS, embd_stride) */
    float *logits;       /* (PIPIT_TRAIN_HEAD_ROWS, vocab_stride) */
    double *losses;      /* (n) of each answer */
    double *rope_freqs;
    float rope_magnitude;
    size_t embd_stride, qkv_stride, heads_stride, ffn_stride, vocab_stride;
    size_t rank_stride, rows_stride, block_stride, length_stride;
    pipit_train_pair work[PIPIT_N_TARGETS]; /* of the layer under way */
    pipit_train_thread *threads;
} pipit_train;

/* One thread's part in an operation. */
typedef struct pipit_train_part {
    pipit_train *train;
    pipit_train_thread *own;
    uint32_t thread, n_threads;
} pipit_train_part;

typedef void (*pipit_train_op)(const pipit_train_part *part);

/* Operations of a layer and the matrices (bits of pipit_target) whose weights
 * each of them meets. */
typedef struct pipit_train_stage {
    pipit_train_op run;
    uint32_t weights;
    bool is_float; /* the product is of floats, which takes longer */
} pipit_train_stage;

#define PIPIT_TRAIN_FORWARD_STAGES 11u
#define PIPIT_TRAIN_BACKWARD_STAGES 13u
#define PIPIT_TRAIN_HEAD_STAGES 5u
extern const pipit_train_stage
    pipit_train_forward[PIPIT_TRAIN_FORWARD_STAGES];
extern const pipit_train_stage
    pipit_train_backward[PIPIT_TRAIN_BACKWARD_STAGES];
/* Of the logits, the loss and their gradients. */
extern const pipit_train_stage pipit_train_head[PIPIT_TRAIN_HEAD_STAGES];
/* Tokens to the first layer's input; the angles of their positions. */
void pipit_train_embed(const pipit_train_part *part);

/* heads = attention of qkv; and back: dqkv from dheads. */
void pipit_train_attend(const pipit_train_part *part);
void pipit_train_attend_back(const pipit_train_part *part);

static inline const pipit_layer *pipit_train_layer(const pipit_train *t) {
    return &t->model->layers[t->layer];
}
static inline float *pipit_train_input(const pipit_train *t, uint32_t layer) {
    return t->inputs + (size_t)layer * t->n_rows * t->embd_stride;
}
/* This thread's rows of the batch. */
static inline void pipit_train_rows(const pipit_train_part *part,
                                    uint32_t *begin, uint32_t *end) {
    pipit_split(part->train->n, part->thread, part->n_threads, begin, end);
}

static inline size_t pipit_train_stride(size_t n) {
    return (n + 3) & ~(size_t)3;
}

#endif
