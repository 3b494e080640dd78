/* train.h — the workspace of training a low-rank adapter: what lies between a
 * batch of tokens and the gradients of its loss.
 *
 * The sequences of a batch stand one after the other as rows of one matrix, so
 * that weights are unpacked once for all of them and no padding is computed.
 * Work is a list of operations; each is run by every thread of the pool and
 * splits rows (of tokens) or columns. A sum is always made by one thread, in an
 * order that the number of threads does not change.
 *
 * Of the forward pass each layer's input is kept, and of the last layers, as many
 * as there is room for, what the FFN's first products gave, in 16 bits; the
 * backward pass makes the rest of a layer again. Strides are in floats and
 * multiples of 4. */
#ifndef PIPIT_TRAIN_H
#define PIPIT_TRAIN_H

#include "adapter.h"
#include "engine.h"
#include "kernels/train_kernels.h"

/* Columns of weights that are turned together. */
#define PIPIT_TRAIN_TILE 32u
/* Columns (or rows) of weights whose part of a product is made together: their
 * activations of four examples, 400 KB, stay in the second cache. */
#define PIPIT_TRAIN_CHUNK 256u
/* Bytes for what is kept of the FFNs: two thirds of SmolLM2-135M's layers for
 * 4 examples of 104 tokens, and 150 MB in all. */
#define PIPIT_TRAIN_KEEP ((size_t)48 << 20)
/* Answer tokens whose logits are in memory together. */
#define PIPIT_TRAIN_HEAD_ROWS 32u
/* Queries of one head whose scores are. */
#define PIPIT_TRAIN_QUERIES 64u

/* A pair being trained, in strips, and what lies between the two; b is times
 * the scale. */
typedef struct pipit_train_pair {
    float *a, *a_turned; /* (rank, n_in), (n_in, rank) */
    float *b, *b_turned; /* (n_out, rank), (rank, n_out) */
    float *z, *dz;       /* (n, rank_stride) A x, its gradient */
    float *z_strips, *dz_strips; /* (n, rank) the same in strips */
} pipit_train_pair;

/* What each thread has for itself. */
typedef struct pipit_train_thread {
    float *tile;   /* unpacked weights, or columns of activations turned */
    float *strips; /* rows of activations packed */
    float *sums;   /* (rank, PIPIT_TRAIN_TILE) of a gradient */
    uint8_t *scratch; /* of the kernels' products */
    /* attention of one head */
    float *keys, *values; /* (length, head_dim) packed */
    float *p, *dp;        /* (PIPIT_TRAIN_QUERIES, length_stride) */
    float *slopes; /* of capped scores, likewise, or of a row of logits */
} pipit_train_thread;

typedef struct pipit_train_sequence {
    uint32_t first, n; /* rows */
} pipit_train_sequence;

typedef struct pipit_train {
    const pipit_model *model;
    const pipit_kernels *kernels;
    const pipit_train_kernels *train_kernels;
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
    bool is_again;            /* which makes the layer again, going back */
    bool keeps;               /* there is a way back */
    uint32_t head_first, head_n; /* answers of the head's operation */

    /* activations */
    float *inputs; /* (n_layers + 1, n, embd_stride) each layer's input */
    uint8_t *kept;       /* (n_layers - 1 - first_kept, n, 2, kept_bytes) gate, up */
    size_t kept_bytes;
    uint32_t first_kept;
    float *h1, *h2;      /* (n, embd_stride) normed */
    float *middle;       /* (n, embd_stride) after attention */
    /* Of families that norm what a block gives: what it gave before. */
    float *attn_out;     /* (n, embd_stride) */
    float *ffn_outs;     /* (n_layers, n, embd_stride) */
    float *dy;           /* (n, embd_stride) its gradient, where it isn't dx */
    float *qkv, *dqkv;   /* (n, qkv_stride) queries | keys | values */
    float *raw;          /* (n, qkv_stride) queries | keys before their norms */
    float *heads;        /* (n, heads_stride) */
    float *gate, *up, *act; /* (n, ffn_stride) */
    /* Of families that norm within a block: after the norm. */
    float *heads_normed; /* (n, heads_stride) */
    float *act_normed;   /* (n, ffn_stride) */
    float *dx, *dh;      /* (n, embd_stride) */
    float *dheads;       /* (n, heads_stride) */
    float *dact;         /* (n, ffn_stride) */
    float *rope[2], *rope_back[2]; /* (n, n_rot); the second of windows */
    uint8_t *blocks;     /* (n, block_stride) quantized rows */
    float *head_h, *head_dh; /* (PIPIT_TRAIN_HEAD_ROWS, embd_stride) */
    float *logits;       /* (PIPIT_TRAIN_HEAD_ROWS, vocab_stride) */
    double *losses;      /* (n) of each answer */
    double *rope_freqs[2]; /* (n_rot / 2) */
    float rope_magnitude[2];
    size_t embd_stride, qkv_stride, heads_stride, ffn_stride, vocab_stride;
    size_t rank_stride, block_stride, length_stride;
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

#define PIPIT_TRAIN_FORWARD_STAGES 12u
#define PIPIT_TRAIN_AGAIN_STAGES 10u /* what is made again of a layer */
#define PIPIT_TRAIN_BACKWARD_STAGES 14u
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
/* Whether what a block gives is added to the stream as it is. */
static inline bool pipit_train_joins_plainly(const pipit_model *m) {
    return !m->h.arch->post_norms && m->h.residual_scale == 1.0f;
}
/* This thread's rows of n, whole strips of them. */
static inline void pipit_train_split(const pipit_train_part *part, uint32_t n,
                                     uint32_t *begin, uint32_t *end) {
    pipit_split((n + 3) / 4, part->thread, part->n_threads, begin, end);
    *begin = pipit_min_u32(4 * *begin, n);
    *end = pipit_min_u32(4 * *end, n);
}
/* Those of the batch. */
static inline void pipit_train_rows(const pipit_train_part *part,
                                    uint32_t *begin, uint32_t *end) {
    pipit_train_split(part, part->train->n, begin, end);
}
/* Whether the layer under way is one of those whose FFN is kept. The last is not:
 * its rows are still there. */
static inline bool pipit_train_is_kept(const pipit_train *t) {
    return t->layer >= t->first_kept && t->layer + 1 < t->model->h.n_layers;
}

static inline size_t pipit_train_stride(size_t n) {
    return (n + 3) & ~(size_t)3;
}

#endif
