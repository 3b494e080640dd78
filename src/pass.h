/* pass.h — the workspace of one session's forward pass: everything between
 * tokens and logits, measured once and carved from the session's block, so that
 * nothing is allocated while evaluating.
 *
 * Its rows may be those of several sessions of the model, which then share one
 * reading of the weights: what depends on its session, a row says.
 *
 * Strides are in floats and multiples of 4, since kernels write whole groups. */
#ifndef PIPIT_PASS_H
#define PIPIT_PASS_H

#include "adapter.h"
#include "engine.h"
#include "kvcache.h"

/* Tokens of a pass, at most. */
#define PIPIT_PASS_ROWS 128u
/* Query rows (tokens x heads) that share one read of the keys. */
#define PIPIT_ATTN_ROWS 32u

/* The adapters of a session. */
typedef struct pipit_active {
    const pipit_adapter *adapter;
    float scale;
} pipit_active;

typedef struct pipit_adaptation {
    uint32_t n;
    pipit_active active[PIPIT_MAX_ADAPTERS];
    uint32_t stride; /* rows of A of all of them, at most, in any place */
    float *rows;     /* (n_batch, stride) A x, scaled */
    float *own_rows; /* (n_threads, stride) where there is one token */
    void *block;     /* of both */
    size_t block_bytes;
} pipit_adaptation;

/* What each thread has for itself. */
typedef struct pipit_pass_thread {
    float *row;       /* (max_cols) a normed row, when there is one token */
    uint8_t *blocks;  /* and its quantized form */
    float *q, *out;   /* (PIPIT_ATTN_ROWS, head_dim) */
    float *scores;    /* (PIPIT_ATTN_ROWS, score_stride) */
    uint8_t *scratch; /* of the matrix product, or of attention's scores */
} pipit_pass_thread;

/* Mixtures of experts: each token has n_experts_used rows, sorted by expert. */
typedef struct pipit_mixture {
    float *router;     /* (n, router_stride) then probabilities */
    float *weights;    /* (n, n_experts_used) of a token's experts, best first */
    uint32_t *experts; /* (n, n_experts_used) which they are */
    uint32_t *rows;    /* (n, n_experts_used) and where their rows are */
    uint32_t *first;   /* (n_experts + 1) rows of an expert begin here */
    float *x;          /* (rows, row_stride) inputs, gathered */
    uint8_t *blocks;   /* (rows, block_stride) */
    float *ffn;        /* (rows, ffn_stride) gate | up */
    float *y;          /* (rows, embd_stride) */
    size_t router_stride;
} pipit_mixture;

/* Rows of one session follow one another, at positions that do. */
typedef struct pipit_pass_row {
    const struct pipit_pass *of; /* the session's own: cache, angles, scores */
    uint32_t token, pos;
    float *logits; /* (vocab_stride), or NULL: not wanted */
} pipit_pass_row;

typedef struct pipit_pass {
    const pipit_model *model;
    pipit_kvcache *kv;
    const pipit_kernels *kernels;
    pipit_pool *pool;
    pipit_adaptation adaptation; /* n 0: none */
    uint32_t n_batch; /* rows there is room for */

    /* the batch */
    pipit_pass_row *rows; /* (n_batch) */
    uint32_t n_tokens;
    uint32_t n_plain; /* rows before the first whose logits are wanted */

    float *x;     /* (n, embd_stride) the residual stream */
    float *h;     /* (n, row_stride) normed rows */
    float *y;     /* (n, embd_stride) what is added to it */
    float *qkv;   /* (n, qkv_stride) queries | keys | values, or conv_in's */
    float *heads; /* (n, heads_stride) what attention or convolution found */
    float *ffn;   /* (n, ffn_stride) gate | up */
    pipit_mixture mixture;
    uint8_t *blocks;     /* (n, block_stride) quantized rows */
    float *rope;         /* (n, n_rot) cos, sin */
    float *rope_windowed;
    double *rope_freqs, *rope_windowed_freqs; /* (n_rot / 2) */
    float rope_magnitude, rope_windowed_magnitude;
    size_t embd_stride, row_stride, qkv_stride, heads_stride, ffn_stride;
    size_t vocab_stride;
    size_t block_stride, score_stride;
    pipit_pass_thread *threads;
} pipit_pass;

/* What a row's products with n rows of the output matrix, from `first` on, gave
 * becomes logits, if they are wanted. */
void pipit_pass_put_logits(const pipit_pass *p, uint32_t row, const float *y,
                           uint32_t first, uint32_t n);

static inline size_t pipit_vocab_stride(const pipit_hparams *h) {
    return ((size_t)h->n_vocab + 3) & ~(size_t)3;
}

/* Sizes and buffers; while measuring kernels may be any of the build's. */
void pipit_pass_carve(const pipit_hparams *h, const pipit_layer_params *layers,
                      const pipit_kernels *kernels, uint32_t n_context,
                      uint32_t n_threads, pipit_arena *arena,
                      pipit_pass *pass);

#endif
