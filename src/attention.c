/* attention.c — an item of work is some tokens times some heads that share a KV
 * head, at most PIPIT_ATTN_ROWS query rows, so that each key is read (and
 * converted) once for all of them. A row's sums run over its own positions in
 * order, whatever it is batched with: positions it must not see weigh 0. */
#include "attention.h"

#include "mathf.h"
#include "rope.h"

#include <math.h>

static void add_bias(float *x, const float *bias, uint32_t n) {
    if (!bias) return;
    for (uint32_t i = 0; i < n; i++) x[i] += bias[i];
}

typedef struct head_rows {
    float *q, *k, *v; /* of one token and one KV head */
} head_rows;

static head_rows rows_of(const pipit_pass *p, const pipit_layer *l,
                         uint32_t token, uint32_t kv_head) {
    uint32_t dim = p->model->h.head_dim, n_heads = p->model->h.n_heads;
    uint32_t group = n_heads / l->params.n_kv_heads;
    float *row = p->qkv + token * p->qkv_stride;
    float *k = row + (size_t)n_heads * dim;
    float *v = k + (size_t)l->params.n_kv_heads * dim;
    return (head_rows){row + (size_t)kv_head * group * dim,
                       k + (size_t)kv_head * dim, v + (size_t)kv_head * dim};
}

static void place_head(const pipit_pass *p, const pipit_layer *l,
                       uint32_t token, float *head, const float *norm) {
    const pipit_hparams *h = &p->model->h;
    const float *table = l->params.windowed_rope ? p->rope_windowed : p->rope;
    bool last = h->arch->qk_norm_last;
    if (norm && !last)
        p->kernels->rms_norm(head, norm, h->head_dim, h->norm_eps, head);
    if (l->params.uses_rope)
        pipit_rope_turn(h->arch->rope, table + (size_t)token * h->n_rot,
                        h->n_rot, head);
    if (norm && last)
        p->kernels->rms_norm(head, norm, h->head_dim, h->norm_eps, head);
}

/* Queries and keys meet turned by the same matrix, which spreads a few large
 * elements over all: then 8 bits lose less, and dots stay as they are but for a
 * factor. (Ashkboos et al., QuaRot, 2024.) */
static uint32_t spread_size(uint32_t head_dim) {
    return head_dim & -head_dim; /* the largest power of two it can be cut into */
}

static void spread(const pipit_pass *p, float *x, uint32_t n_heads) {
    uint32_t dim = p->model->h.head_dim, size = spread_size(dim);
    for (uint32_t i = 0; i < n_heads * dim; i += size)
        p->kernels->hadamard(x + i, size);
}

static void place_item(const pipit_pass *p, uint32_t layer, uint32_t token,
                       uint32_t kv_head) {
    const pipit_hparams *h = &p->model->h;
    const pipit_layer *l = &p->model->layers[layer];
    const pipit_kvcache *kv = p->rows[token].of->kv;
    const pipit_kv_layer *cache = &kv->layers[layer];
    uint32_t dim = h->head_dim, group = h->n_heads / l->params.n_kv_heads;
    head_rows rows = rows_of(p, l, token, kv_head);
    size_t q_offset = (size_t)kv_head * group * dim;
    size_t kv_offset = (size_t)kv_head * dim;
    add_bias(rows.q, l->attn_q_bias ? l->attn_q_bias + q_offset : NULL,
             group * dim);
    add_bias(rows.k, l->attn_k_bias ? l->attn_k_bias + kv_offset : NULL, dim);
    add_bias(rows.v, l->attn_v_bias ? l->attn_v_bias + kv_offset : NULL, dim);
    bool wide = h->arch->qk_norm_wide; /* done: pipit_attention_norm_wide */
    for (uint32_t i = 0; i < group; i++)
        place_head(p, l, token, rows.q + (size_t)i * dim,
                   wide ? NULL : l->attn_q_norm);
    place_head(p, l, token, rows.k, wide ? NULL : l->attn_k_norm);
    uint32_t slot = pipit_kv_slot(cache, p->rows[token].pos);
    size_t start = kv_head * cache->head_bytes;
    if (kv->type == PIPIT_KV_Q8) spread(p, rows.k, 1);
    p->kernels->kv_store(rows.k, rows.v, dim, kv->type, slot,
                         cache->keys + start, cache->values + start);
}

void pipit_attention_norm_wide(const pipit_stage *s) {
    pipit_pass *pass = s->pass;
    const pipit_layer *l = &pass->model->layers[s->layer];
    uint32_t begin, end, n_q = l->attn_q.n_rows;
    float eps = pass->model->h.norm_eps;
    pipit_split(pass->n_tokens, s->thread, s->n_threads, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        float *q = pass->qkv + i * pass->qkv_stride, *k = q + n_q;
        pass->kernels->rms_norm(q, l->attn_q_norm, n_q, eps, q);
        pass->kernels->rms_norm(k, l->attn_k_norm, l->attn_k.n_rows, eps, k);
    }
}

void pipit_attention_place(const pipit_stage *s) {
    const pipit_pass *p = s->pass;
    uint32_t n_kv = p->model->layers[s->layer].params.n_kv_heads, begin, end;
    /* By KV head first: two positions of one head may share a group of four. */
    pipit_split(n_kv * p->n_tokens, s->thread, s->n_threads, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        place_item(p, s->layer, i % p->n_tokens, i / p->n_tokens);
}

/* Tokens [token, token + n_tokens) times heads [head, head + n_heads). */
typedef struct attn_item {
    uint32_t token, n_tokens, head, n_heads, kv_head;
} attn_item;

typedef struct attn_plan { /* of one session's rows */
    uint32_t token, n_tokens;
    uint32_t group;          /* heads per KV head */
    uint32_t heads_per_item, tokens_per_item;
    uint32_t n_head_parts, n_token_parts, n_items;
} attn_plan;

static attn_plan make_plan(const pipit_pass *p, const pipit_layer *l,
                           uint32_t token) {
    attn_plan plan = {.token = token};
    uint32_t n_kv = l->params.n_kv_heads;
    plan.group = p->model->h.n_heads / n_kv;
    plan.heads_per_item = pipit_min_u32(plan.group, PIPIT_ATTN_ROWS);
    plan.tokens_per_item = PIPIT_ATTN_ROWS / plan.heads_per_item;
    plan.n_head_parts =
        (plan.group + plan.heads_per_item - 1) / plan.heads_per_item;
    while (token < p->n_tokens && p->rows[token].of == p->rows[plan.token].of)
        token++;
    plan.n_tokens = token - plan.token;
    plan.n_token_parts =
        (plan.n_tokens + plan.tokens_per_item - 1) / plan.tokens_per_item;
    plan.n_items = n_kv * plan.n_head_parts * plan.n_token_parts;
    return plan;
}

static attn_item item_of(const attn_plan *plan, uint32_t i) {
    attn_item item;
    uint32_t part = i % plan->n_token_parts;
    uint32_t head_part = i / plan->n_token_parts % plan->n_head_parts;
    uint32_t in_group = head_part * plan->heads_per_item;
    item.kv_head = i / plan->n_token_parts / plan->n_head_parts;
    item.token = part * plan->tokens_per_item;
    item.n_tokens =
        pipit_min_u32(plan->tokens_per_item, plan->n_tokens - item.token);
    item.token += plan->token;
    item.head = item.kv_head * plan->group + in_group;
    item.n_heads = pipit_min_u32(plan->heads_per_item, plan->group - in_group);
    return item;
}

/* What a thread does with one item. */
typedef struct attn_work {
    const pipit_pass *pass;
    const pipit_pass *own; /* the session's */
    const pipit_pass_thread *thread;
    const pipit_kv_layer *cache;
    const attn_item *item;
    uint32_t n_rows, first, n; /* positions [first, first + n) */
} attn_work;

static attn_work work_of(const pipit_pass *p, uint32_t layer,
                         const attn_item *item, uint32_t thread) {
    attn_work w = {.pass = p, .own = p->rows[item->token].of, .item = item};
    uint32_t pos = p->rows[item->token].pos;
    w.thread = &w.own->threads[thread];
    w.cache = &w.own->kv->layers[layer];
    w.n_rows = item->n_tokens * item->n_heads;
    w.first = pipit_kv_first(w.cache, pos);
    w.n = pos + item->n_tokens - w.first;
    return w;
}

/* The one or two spans that hold an item's positions. */
static uint32_t spans_of(const attn_work *w, pipit_kv_span spans[2]) {
    uint32_t first = pipit_kv_slot(w->cache, w->first);
    uint32_t n = pipit_min_u32(w->n, w->cache->capacity - first);
    spans[0] = pipit_kv_span_of(w->own->kv, w->cache, w->item->kv_head, first,
                                n);
    if (n == w->n) return 1;
    spans[1] = pipit_kv_span_of(w->own->kv, w->cache, w->item->kv_head, 0,
                                w->n - n);
    return 2;
}

static void gather_queries(const attn_work *w) {
    size_t dim = w->pass->model->h.head_dim, n = w->item->n_heads * dim;
    for (uint32_t i = 0; i < w->item->n_tokens; i++)
        memcpy(w->thread->q + i * n,
               w->pass->qkv + (w->item->token + i) * w->pass->qkv_stride +
                   w->item->head * dim,
               n * sizeof(float));
}

/* Scores of one row to weights: what it must not see becomes 0. Returns the sum
 * of the weights. row[0] belongs to position first; n positions in all, and
 * the rest of a block. */
static float weigh_row(const pipit_pass *p, const pipit_kv_layer *cache,
                       float *row, uint32_t first, uint32_t n, uint32_t pos) {
    float cap = p->model->h.attn_softcap;
    uint32_t n_seen = pos - first + 1;
    if (cap > 0)
        for (uint32_t i = 0; i < n_seen; i++)
            row[i] = cap * pipit_tanhf(row[i] / cap);
    if (cache->window > 0 && pos >= cache->window)
        for (uint32_t i = 0; i < pos - cache->window + 1 - first; i++)
            row[i] = -INFINITY;
    float sum = p->kernels->softmax(row, n_seen);
    uint64_t end = pipit_kv8_whole_blocks(n);
    for (uint32_t i = n_seen; i < end; i++) row[i] = 0;
    return sum;
}

static void weigh(const attn_work *w, float *sums) {
    uint32_t pos = w->pass->rows[w->item->token].pos;
    for (uint32_t r = 0; r < w->n_rows; r++)
        sums[r] = weigh_row(w->pass, w->cache,
                            w->thread->scores + r * w->own->score_stride,
                            w->first, w->n, pos + r / w->item->n_heads);
}

static void score(const attn_work *w) {
    const pipit_hparams *h = &w->pass->model->h;
    float scale = h->attn_scale;
    pipit_kv_span spans[2];
    uint32_t n_spans = spans_of(w, spans);
    if (w->own->kv->type == PIPIT_KV_Q8) {
        scale /= (float)spread_size(h->head_dim);
        spread(w->pass, w->thread->q, w->n_rows);
    }
    for (uint32_t i = 0, at = 0; i < n_spans; at += spans[i++].n_pos)
        w->pass->kernels->attn_scores(w->thread->q, w->n_rows, scale,
                                      &spans[i], w->thread->scores + at,
                                      w->own->score_stride, w->thread->scratch);
}

static void mix(const attn_work *w, const float *sums) {
    pipit_kv_span spans[2];
    uint32_t n_spans = spans_of(w, spans);
    for (uint32_t i = 0, at = 0; i < n_spans; at += spans[i++].n_pos)
        w->pass->kernels->attn_mix(w->thread->scores + at,
                                   w->own->score_stride, sums, w->n_rows,
                                   &spans[i], w->thread->out);
}

/* ---- an item ---------------------------------------------------------------- */

static void store_row(const attn_work *w, uint32_t row, float sum) {
    uint32_t dim = w->pass->model->h.head_dim;
    const float *out = w->thread->out + (size_t)row * dim;
    size_t token = w->item->token + row / w->item->n_heads;
    size_t head = w->item->head + row % w->item->n_heads;
    float scale = 1.0f / sum;
    float *to = w->pass->heads + token * w->pass->heads_stride + head * dim;
    for (uint32_t i = 0; i < dim; i++) to[i] = out[i] * scale;
}

static void attend_item(const pipit_pass *p, uint32_t layer,
                        const attn_item *item, uint32_t thread) {
    attn_work w = work_of(p, layer, item, thread);
    size_t n_out = (size_t)w.n_rows * p->model->h.head_dim;
    float sums[PIPIT_ATTN_ROWS];
    gather_queries(&w);
    score(&w);
    weigh(&w, sums);
    memset(w.thread->out, 0, n_out * sizeof(float));
    mix(&w, sums);
    for (uint32_t r = 0; r < w.n_rows; r++) store_row(&w, r, sums[r]);
}

/* One token: a thread takes heads that follow each other, so that few KV heads
 * are read by two. */
static void attend_token(const pipit_stage *s) {
    const pipit_pass *p = s->pass;
    uint32_t n_heads = p->model->h.n_heads, end;
    uint32_t group = n_heads / p->model->layers[s->layer].params.n_kv_heads;
    attn_item item = {.n_tokens = 1};
    pipit_split(n_heads, s->thread, s->n_threads, &item.head, &end);
    for (; item.head < end; item.head += item.n_heads) {
        uint32_t in_group = item.head % group;
        item.kv_head = item.head / group;
        item.n_heads = pipit_min_u32(group - in_group, PIPIT_ATTN_ROWS);
        item.n_heads = pipit_min_u32(item.n_heads, end - item.head);
        attend_item(p, s->layer, &item, s->thread);
    }
}

void pipit_attention_attend(const pipit_stage *s) {
    const pipit_pass *p = s->pass;
    const pipit_layer *l = &p->model->layers[s->layer];
    uint32_t i = s->slice * s->n_threads + s->thread;
    if (p->n_tokens == 1) {
        attend_token(s);
        return;
    }
    for (uint32_t token = 0; token < p->n_tokens;) {
        attn_plan plan = make_plan(p, l, token);
        /* Dealt out in turn: later tokens see more. */
        for (; i < plan.n_items; i += s->n_slices * s->n_threads) {
            attn_item item = item_of(&plan, i);
            attend_item(p, s->layer, &item, s->thread);
        }
        i -= plan.n_items;
        token += plan.n_tokens;
    }
}
