#include "mixture.h"

/* The least that the chosen probabilities are taken to sum up to (the smallest
 * normal half, as llama.cpp has it). */
#define LEAST_SUM 6.103515625e-5f

/* The best of a token's experts, best first; ties go to the lower number. */
static void choose(const pipit_pass *p, uint32_t token) {
    const pipit_hparams *h = &p->model->h;
    const pipit_mixture *m = &p->mixture;
    float *odds = m->router + token * m->router_stride;
    float *weights = m->weights + (size_t)token * h->n_experts_used;
    uint32_t *experts = m->experts + (size_t)token * h->n_experts_used;
    float all = p->kernels->softmax(odds, h->n_experts), sum = 0;
    for (uint32_t i = 0; i < h->n_experts_used; i++) {
        uint32_t best = 0;
        for (uint32_t e = 1; e < h->n_experts; e++)
            if (odds[e] > odds[best]) best = e;
        experts[i] = best;
        weights[i] = odds[best] / all;
        sum += weights[i];
        odds[best] = -1; /* taken */
    }
    if (!(sum > LEAST_SUM)) sum = LEAST_SUM;
    for (uint32_t i = 0; i < h->n_experts_used; i++)
        weights[i] = weights[i] / sum * h->expert_scale;
}

/* Counts, then places: a token's rows stay in the order of tokens. */
static void sort_rows(const pipit_pass *p) {
    const pipit_mixture *m = &p->mixture;
    uint32_t n_experts = p->model->h.n_experts;
    uint32_t n = p->n_tokens * p->model->h.n_experts_used;
    memset(m->first, 0, (n_experts + 1) * sizeof *m->first);
    for (uint32_t i = 0; i < n; i++) m->first[m->experts[i] + 1]++;
    for (uint32_t e = 0; e < n_experts; e++) m->first[e + 1] += m->first[e];
    for (uint32_t i = 0; i < n; i++) m->rows[i] = m->first[m->experts[i]]++;
    for (uint32_t e = n_experts; e > 0; e--) m->first[e] = m->first[e - 1];
    m->first[0] = 0;
}

static void route(const pipit_stage *s, const pipit_layer *l,
                  const pipit_acts *acts) {
    pipit_pass *p = s->pass;
    uint32_t begin, end;
    pipit_stage whole = *s; /* whatever the slice is of */
    whole.n_slices = 1;
    pipit_stage_product(&whole, &l->ffn_router, acts, p->mixture.router,
                        p->mixture.router_stride);
    pipit_stage_barrier(s);
    pipit_split(p->n_tokens, s->thread, s->n_threads, &begin, &end);
    for (uint32_t i = begin; i < end; i++) choose(p, i);
    pipit_stage_barrier(s);
    if (s->thread == 0) sort_rows(p);
    pipit_stage_barrier(s);
}

/* Inputs of tokens to the rows of their experts. */
static pipit_acts gather(const pipit_stage *s, const pipit_acts *acts,
                         bool floats, bool blocks) {
    pipit_pass *p = s->pass;
    pipit_mixture *m = &p->mixture;
    uint32_t used = p->model->h.n_experts_used, begin, end;
    pipit_acts gathered = {.x = m->x, .x_stride = p->row_stride,
                           .blocks = m->blocks,
                           .block_stride = p->block_stride};
    if (p->n_tokens == 1) return *acts; /* the same for each */
    if (!pipit_stage_is_first(s)) return gathered;
    pipit_split(p->n_tokens * used, s->thread, s->n_threads, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        size_t token = i / used, row = m->rows[i];
        if (floats)
            memcpy(m->x + row * p->row_stride, acts->x + token * acts->x_stride,
                   p->model->h.n_embd * sizeof(float));
        if (blocks)
            memcpy(m->blocks + row * p->block_stride,
                   acts->blocks + token * acts->block_stride, p->block_stride);
    }
    pipit_stage_barrier(s);
    return gathered;
}

static pipit_matrix expert_of(const pipit_matrix *all, uint32_t expert,
                              uint32_t n_rows) {
    pipit_matrix w = *all;
    w.n_rows = n_rows;
    w.groups += (size_t)(expert * (uint64_t)n_rows / PIPIT_GROUP_ROWS) *
                w.group_bytes;
    return w;
}

/* Rows of y = expert . acts, this thread's part of each, for all experts. */
static pipit_part multiply_all(const pipit_stage *s, const pipit_matrix *all,
                               uint32_t n_rows, const pipit_acts *acts,
                               float *y, size_t y_stride) {
    const pipit_mixture *m = &s->pass->mixture;
    pipit_matrix w = expert_of(all, 0, n_rows);
    pipit_part r = pipit_stage_part(s, &w);
    for (uint32_t e = 0; e < s->pass->model->h.n_experts; e++) {
        uint32_t first = m->first[e], n = m->first[e + 1] - first;
        if (n == 0) continue;
        pipit_acts its = *acts;
        its.x += first * acts->x_stride;
        its.blocks += first * acts->block_stride;
        w = expert_of(all, e, n_rows);
        pipit_stage_multiply(s, &w, r.g0, r.g1, &its, n,
                             y + first * y_stride, y_stride);
    }
    return r;
}

/* Columns r of y: the weighted sums of the experts' rows, in order. */
static void combine(const pipit_pass *p, pipit_part r) {
    const pipit_mixture *m = &p->mixture;
    uint32_t used = p->model->h.n_experts_used;
    for (uint32_t t = 0; t < p->n_tokens; t++) {
        float *y = p->y + t * p->embd_stride;
        for (uint32_t c = r.begin; c < r.end; c++) y[c] = 0;
        for (uint32_t i = t * used; i < (t + 1) * used; i++) {
            const float *row = m->y + m->rows[i] * p->embd_stride;
            for (uint32_t c = r.begin; c < r.end; c++)
                y[c] += m->weights[i] * row[c];
        }
    }
}

void pipit_mixture_in(const pipit_stage *s) {
    pipit_pass *p = s->pass;
    pipit_mixture *m = &p->mixture;
    const pipit_layer *l = &p->model->layers[s->layer];
    uint32_t n_ff = l->params.n_ff;
    uint32_t n_rows = p->n_tokens * p->model->h.n_experts_used;
    size_t up = p->ffn_stride / 2;
    bool floats = pipit_is_float(&l->ffn_gate) || pipit_is_float(&l->ffn_up);
    bool blocks =
        !pipit_is_float(&l->ffn_gate) || !pipit_is_float(&l->ffn_up);
    pipit_acts acts =
        pipit_stage_prepare(s, p->x, p->embd_stride, p->model->h.n_embd,
                            l->ffn_norm,
                            blocks || !pipit_is_float(&l->ffn_router));
    if (pipit_stage_is_first(s)) route(s, l, &acts);
    acts = gather(s, &acts, floats, blocks);
    pipit_part r = multiply_all(s, &l->ffn_gate, n_ff, &acts, m->ffn,
                                p->ffn_stride);
    multiply_all(s, &l->ffn_up, n_ff, &acts, m->ffn + up, p->ffn_stride);
    for (uint32_t i = 0; i < n_rows; i++) {
        float *gate = m->ffn + i * p->ffn_stride + r.begin;
        p->kernels->silu_mul(gate, gate + up, r.end - r.begin);
    }
    pipit_stage_barrier(s);
}

void pipit_mixture_out(const pipit_stage *s) {
    pipit_pass *p = s->pass;
    pipit_mixture *m = &p->mixture;
    const pipit_layer *l = &p->model->layers[s->layer];
    /* The stages split p->n_tokens rows: here they are the experts'. */
    pipit_pass rows = *p;
    pipit_stage sorted = *s;
    sorted.pass = &rows;
    rows.n_tokens = p->n_tokens * p->model->h.n_experts_used;
    rows.blocks = m->blocks;
    pipit_acts acts = pipit_stage_prepare(&sorted, m->ffn, p->ffn_stride,
                                          l->params.n_ff, NULL,
                                          !pipit_is_float(&l->ffn_down));
    pipit_part r = multiply_all(s, &l->ffn_down, p->model->h.n_embd, &acts,
                                m->y, p->embd_stride);
    combine(p, r);
    pipit_stage_add_residual(s, r, NULL, l->ffn_post_norm);
}
