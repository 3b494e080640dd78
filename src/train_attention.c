/* An item of work is a sequence times the heads that share a KV head, so that
 * its keys' and values' gradients are one thread's. Scores exist for some
 * queries of one head at a time. */
#include "mathf.h"
#include "train_product.h"

#define QUERIES PIPIT_TRAIN_QUERIES

typedef struct item {
    const pipit_train_part *part;
    const pipit_train *t;
    pipit_train_thread *own;
    uint32_t first, n; /* rows of the sequence */
    uint32_t dim;
    size_t kv_head, n_q; /* n_q: floats of a row's queries */
    size_t group;        /* heads per KV head */
    uint32_t window;
} item;

static item item_of(const pipit_train_part *part, uint32_t i) {
    const pipit_train *t = part->train;
    const pipit_layer_params *params = &pipit_train_layer(t)->params;
    const pipit_hparams *h = &t->model->h;
    const pipit_train_sequence *s = &t->sequences[i / params->n_kv_heads];
    return (item){.part = part, .t = t, .own = part->own,
                  .first = s->first, .n = s->n, .dim = h->head_dim,
                  .kv_head = i % params->n_kv_heads,
                  .n_q = (size_t)h->n_heads * h->head_dim,
                  .group = h->n_heads / params->n_kv_heads,
                  .window = params->window};
}

static uint32_t n_items(const pipit_train *t) {
    return t->n_sequences * pipit_train_layer(t)->params.n_kv_heads;
}

/* Row `row` of the sequence in qkv or dqkv: its keys; values follow. */
static float *keys_at(const item *it, float *qkv, uint32_t row) {
    return qkv + (it->first + row) * it->t->qkv_stride + it->n_q +
           it->kv_head * it->dim;
}
static size_t values_offset(const item *it) {
    return (size_t)pipit_train_layer(it->t)->params.n_kv_heads * it->dim;
}

#define A PIPIT_STRIP_A
#define B PIPIT_STRIP_B

/* y = the n rows of x, packed, times the rows of a. */
static void multiply(const item *it, pipit_strips a, uint32_t n_fours,
                     uint32_t n_k, const float *x, size_t stride, uint32_t n,
                     float *y, size_t y_stride) {
    const pipit_train_kernels *k = it->t->train_kernels;
    pipit_strips b = {it->own->strips, B, B * (size_t)n_k};
    k->pack(x, stride, n, n_k, B, it->own->strips);
    k->multiply(&a, n_fours, &b, n, n_k, false, y, y_stride);
}

/* Rows as they stand, turned: sums over the rows. */
static pipit_strips turned(const float *x, size_t stride, size_t width) {
    return (pipit_strips){x, stride, width};
}

/* Scores are capped; what they rise by is kept for the way back. */
static void cap_scores(const item *it, uint32_t i, float *row, uint32_t from,
                       uint32_t end) {
    float cap = it->t->model->h.attn_softcap;
    size_t at = i * it->t->length_stride;
    for (uint32_t j = from; j < end && cap > 0; j++) {
        float t = pipit_tanhf(row[j] / cap);
        row[j] = cap * t;
        it->own->slopes[at + j] = 1.0f - t * t;
    }
}

/* p (n_q, length_stride) = softmax(scale * q . k) of queries [i0, i1); what a
 * query must not see is 0. */
static void weigh(const item *it, size_t head, uint32_t i0, uint32_t i1) {
    const pipit_train *t = it->t;
    const float *q =
        t->qkv + (it->first + i0) * t->qkv_stride + head * it->dim;
    float *p = it->own->p, scale = t->model->h.attn_scale;
    pipit_strips keys = {it->own->keys, A, A * (size_t)it->dim};
    multiply(it, keys, (i1 + 3) / 4, it->dim, q, t->qkv_stride, i1 - i0, p,
             t->length_stride);
    for (uint32_t i = i0; i < i1; i++) {
        float *row = p + (i - i0) * t->length_stride;
        uint32_t from = it->window > 0 && i >= it->window
                            ? i - it->window + 1 : 0;
        for (uint32_t j = from; j <= i; j++) row[j] *= scale;
        cap_scores(it, i - i0, row, from, i + 1);
        float sum = t->kernels->softmax(row + from, i + 1 - from);
        float inverse = 1.0f / sum;
        for (uint32_t j = 0; j < from; j++) row[j] = 0;
        for (uint32_t j = from; j <= i; j++) row[j] *= inverse;
        for (uint32_t j = i + 1; j < i1; j++) row[j] = 0;
    }
}

static void pack(const item *it, const float *x, float *to) {
    it->t->train_kernels->pack(x, it->t->qkv_stride, it->n, it->dim, A, to);
}

void pipit_train_attend(const pipit_train_part *part) {
    const pipit_train *t = part->train;
    for (uint32_t i = part->thread; i < n_items(t); i += part->n_threads) {
        item it = item_of(part, i);
        const float *k = keys_at(&it, t->qkv, 0), *v = k + values_offset(&it);
        pack(&it, k, it.own->keys);
        for (size_t g = 0; g < it.group; g++)
            for (uint32_t i0 = 0; i0 < it.n; i0 += QUERIES) {
                size_t head = it.kv_head * it.group + g;
                uint32_t i1 = pipit_min_u32(i0 + QUERIES, it.n);
                weigh(&it, head, i0, i1);
                multiply(&it, turned(v, t->qkv_stride, A), it.dim / 4, i1,
                         it.own->p, t->length_stride, i1 - i0,
                         t->heads + (it.first + i0) * t->heads_stride +
                             head * it.dim,
                         t->heads_stride);
            }
    }
}

/* dp (n_q, …) to the gradient of the scores. */
static void scores_back(const item *it, uint32_t n, uint32_t n_seen) {
    const pipit_train *t = it->t;
    float scale = t->model->h.attn_scale;
    for (uint32_t i = 0; i < n; i++) {
        const float *p = it->own->p + i * t->length_stride;
        float *dp = it->own->dp + i * t->length_stride;
        float sums[4] = {0, 0, 0, 0};
        for (uint32_t j = 0; j < n_seen; j++) sums[j % 4] += p[j] * dp[j];
        float sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        for (uint32_t j = 0; j < n_seen; j++)
            dp[j] = scale * (p[j] * (dp[j] - sum));
        size_t at = i * t->length_stride;
        for (uint32_t j = 0; j < n_seen && t->model->h.attn_softcap > 0; j++)
            dp[j] = p[j] > 0 ? dp[j] * it->own->slopes[at + j] : 0;
    }
}

static void head_back(const item *it, size_t head, uint32_t i0, uint32_t i1) {
    const pipit_train *t = it->t;
    pipit_train_thread *own = it->own;
    uint32_t n = i1 - i0, n_fours = it->dim / 4;
    size_t row = it->first + i0, at = row * t->qkv_stride + head * it->dim;
    const float *dheads = t->dheads + row * t->heads_stride + head * it->dim;
    const float *k = keys_at(it, t->qkv, 0);
    pipit_strips values = {own->values, A, A * (size_t)it->dim};
    weigh(it, head, i0, i1);
    multiply(it, values, (i1 + 3) / 4, it->dim, dheads, t->heads_stride, n,
             own->dp, t->length_stride);
    scores_back(it, n, i1);
    multiply(it, turned(k, t->qkv_stride, A), n_fours, i1, own->dp,
             t->length_stride, n, t->dqkv + at, t->qkv_stride);
    /* dk += dp^T q, dv += p^T dheads. */
    pipit_strips queries = turned(t->qkv + at, t->qkv_stride, A);
    pipit_strips heads = turned(dheads, t->heads_stride, A);
    pipit_strips dp = turned(own->dp, t->length_stride, B);
    pipit_strips p = turned(own->p, t->length_stride, B);
    float *dk = keys_at(it, t->dqkv, 0);
    t->train_kernels->multiply(&queries, n_fours, &dp, i1, n, true, dk,
                               t->qkv_stride);
    t->train_kernels->multiply(&heads, n_fours, &p, i1, n, true,
                               dk + values_offset(it), t->qkv_stride);
}

void pipit_train_attend_back(const pipit_train_part *part) {
    const pipit_train *t = part->train;
    for (uint32_t i = part->thread; i < n_items(t); i += part->n_threads) {
        item it = item_of(part, i);
        const float *k = keys_at(&it, t->qkv, 0);
        pack(&it, k, it.own->keys);
        pack(&it, k + values_offset(&it), it.own->values);
        for (uint32_t j = 0; j < it.n; j++) {
            float *dk = keys_at(&it, t->dqkv, j);
            memset(dk, 0, it.dim * sizeof *dk);
            memset(dk + values_offset(&it), 0, it.dim * sizeof *dk);
        }
        for (size_t g = 0; g < it.group; g++)
            for (uint32_t i0 = 0; i0 < it.n; i0 += QUERIES)
                head_back(&it, it.kv_head * it.group + g, i0,
                          pipit_min_u32(i0 + QUERIES, it.n));
    }
}
