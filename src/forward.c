/* forward.c — the forward pass as a story. Every thread of the pool tells it at
 * the same time: each stage splits rows (of tokens, or of weights) between them
 * and a barrier stands wherever one thread reads what others wrote.
 *
 * A single token takes a path of its own: matrix-vector products, and each
 * thread norms and quantizes the one row for itself, which is cheaper than
 * waiting for another to do it. */
#include "forward.h"

#include "attention.h"
#include "mixture.h"
#include "rope.h"
#include "shortconv.h"
#include "stage.h"

/* Groups of the vocabulary whose logits a thread has at once: 64 are 1 KB a
 * row. */
#define LOGIT_GROUPS 64u

static void attention(const pipit_stage *s, uint32_t layer) {
    pipit_pass *p = s->pass;
    const pipit_layer *l = &p->model->layers[layer];
    uint32_t n_q = l->attn_q.n_rows, n_kv = l->attn_k.n_rows;
    bool quantize = !pipit_is_float(&l->attn_q) ||
                    !pipit_is_float(&l->attn_k) || !pipit_is_float(&l->attn_v);
    pipit_acts acts = pipit_stage_prepare_adapted(
        s, PIPIT_INPUT_ATTN, p->x, p->embd_stride, l->attn_norm, quantize);
    pipit_stage_adapted(s, PIPIT_TARGET_Q, &acts, p->qkv, p->qkv_stride);
    pipit_stage_adapted(s, PIPIT_TARGET_K, &acts, p->qkv + n_q, p->qkv_stride);
    pipit_stage_adapted(s, PIPIT_TARGET_V, &acts, p->qkv + n_q + n_kv,
                        p->qkv_stride);
    pipit_stage_barrier(s);
    if (p->model->h.arch->qk_norm_wide) {
        pipit_attention_norm_wide(p, layer, s->thread, s->n_threads);
        pipit_stage_barrier(s);
    }
    pipit_attention_place(p, layer, s->thread, s->n_threads);
    pipit_stage_barrier(s);
    pipit_attention_attend(p, layer, s->thread, s->n_threads);
    pipit_stage_barrier(s);
    acts = pipit_stage_prepare_adapted(
        s, PIPIT_INPUT_HEADS, p->heads, p->heads_stride, l->attn_sub_norm,
        !pipit_is_float(&l->attn_output));
    pipit_part r = pipit_stage_adapted(s, PIPIT_TARGET_OUTPUT, &acts, p->y,
                                       p->embd_stride);
    pipit_stage_add_residual(s, r, l->attn_output_bias, l->attn_post_norm);
}

/* gate = act(gate) * up for the columns r, which this thread wrote. */
static void activate(const pipit_stage *s, const pipit_layer *l, pipit_part r,
                     size_t up_offset) {
    pipit_pass *p = s->pass;
    const pipit_kernels *k = p->kernels;
    uint32_t n = r.end - r.begin;
    for (uint32_t i = 0; i < p->n_tokens; i++) {
        float *gate = p->ffn + i * p->ffn_stride + r.begin;
        float *up = gate + up_offset;
        if (l->ffn_gate_bias) k->add(gate, l->ffn_gate_bias + r.begin, n);
        if (l->ffn_up_bias) k->add(up, l->ffn_up_bias + r.begin, n);
        if (p->model->h.arch->gelu)
            k->gelu_mul(gate, up, n);
        else
            k->silu_mul(gate, up, n);
    }
}

static void feed_forward(const pipit_stage *s, uint32_t layer) {
    pipit_pass *p = s->pass;
    const pipit_layer *l = &p->model->layers[layer];
    size_t up = p->ffn_stride / 2;
    pipit_acts acts = pipit_stage_prepare_adapted(
        s, PIPIT_INPUT_FFN, p->x, p->embd_stride, l->ffn_norm,
        !pipit_is_float(&l->ffn_gate) || !pipit_is_float(&l->ffn_up));
    pipit_part r =
        pipit_stage_adapted(s, PIPIT_TARGET_GATE, &acts, p->ffn, p->ffn_stride);
    pipit_stage_adapted(s, PIPIT_TARGET_UP, &acts, p->ffn + up, p->ffn_stride);
    activate(s, l, r, up);
    pipit_stage_barrier(s);
    acts = pipit_stage_prepare_adapted(s, PIPIT_INPUT_DOWN, p->ffn,
                                       p->ffn_stride, l->ffn_sub_norm,
                                       !pipit_is_float(&l->ffn_down));
    r = pipit_stage_adapted(s, PIPIT_TARGET_DOWN, &acts, p->y, p->embd_stride);
    pipit_stage_add_residual(s, r, l->ffn_down_bias, l->ffn_post_norm);
}

static void embed(const pipit_stage *s) {
    pipit_pass *p = s->pass;
    const pipit_hparams *h = &p->model->h;
    uint32_t begin, end;
    pipit_split(p->n_tokens, s->thread, s->n_threads, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        float *x = p->x + i * p->embd_stride;
        const pipit_pass_row *row = &p->rows[i];
        const pipit_pass *own = row->of;
        pipit_layout_row(&p->model->token_embd, row->token, x);
        if (h->embed_scale != 1.0f)
            for (uint32_t c = 0; c < h->n_embd; c++) x[c] *= h->embed_scale;
        pipit_rope_table(own->rope_freqs, own->rope_magnitude, h->n_rot,
                         row->pos, p->rope + (size_t)i * h->n_rot);
        pipit_rope_table(own->rope_windowed_freqs, own->rope_windowed_magnitude,
                         h->n_rot, row->pos,
                         p->rope_windowed + (size_t)i * h->n_rot);
    }
    pipit_stage_barrier(s);
}

/* Groups [g0, g1) of the vocabulary, for the rows whose logits are wanted: some
 * groups of all rows at once, then each row's to where its session has them. */
static void read_logits(const pipit_stage *s, uint32_t g0, uint32_t g1) {
    pipit_pass *p = s->pass;
    const pipit_model *m = p->model;
    float *y = p->threads[s->thread].scores;
    uint32_t first = p->n_plain, n_rows = p->n_tokens - first, a, b;
    /* The stages split p->n_tokens rows: here they are the wanted ones. */
    pipit_pass wanted = *p;
    wanted.n_tokens = n_rows;
    pipit_stage rows = {&wanted, s->thread, s->n_threads, s->layer};
    pipit_acts acts =
        pipit_stage_prepare(&rows, p->x + first * p->embd_stride,
                            p->embd_stride, m->h.n_embd, m->output_norm,
                            !pipit_is_float(&m->output));
    pipit_split(g1 - g0, s->thread, s->n_threads, &a, &b);
    /* At least four: there are no more rows than positions. */
    size_t fit = PIPIT_ATTN_ROWS * p->score_stride / (n_rows * PIPIT_GROUP_ROWS);
    uint32_t most = fit < LOGIT_GROUPS ? (uint32_t)fit : LOGIT_GROUPS;
    for (uint32_t g = g0 + a, end = g0 + b, n; g < end; g += n) {
        pipit_matrix w = m->output;
        uint32_t begin = g * PIPIT_GROUP_ROWS;
        n = pipit_min_u32(end - g, most);
        w.groups += g * w.group_bytes;
        w.n_rows -= begin;
        size_t stride = (size_t)n * PIPIT_GROUP_ROWS;
        pipit_stage_multiply(&rows, &w, 0, n, &acts, n_rows, y, stride);
        for (uint32_t i = 0; i < n_rows; i++)
            pipit_pass_put_logits(p, first + i, y + i * stride, begin,
                                  pipit_min_u32((uint32_t)stride, w.n_rows));
    }
    pipit_stage_barrier(s);
}

typedef struct step_job {
    pipit_pass *pass;
    uint32_t layer_begin, layer_end; /* the first step embeds */
    uint32_t group_begin, group_end;
} step_job;

static void run_step(void *context, uint32_t thread, uint32_t n_threads) {
    const step_job *job = context;
    pipit_stage s = {job->pass, thread, n_threads, 0};
    const pipit_model *m = job->pass->model;
    if (job->layer_begin == 0 && job->layer_end > 0) embed(&s);
    for (uint32_t l = job->layer_begin; l < job->layer_end; l++) {
        s.layer = l;
        if (m->layers[l].params.is_convolution)
            pipit_short_convolution(&s, l);
        else
            attention(&s, l);
        if (m->h.n_experts > 0)
            pipit_mixture_feed_forward(&s, l);
        else
            feed_forward(&s, l);
    }
    if (job->group_end > job->group_begin)
        read_logits(&s, job->group_begin, job->group_end);
}

bool pipit_forward_step(pipit_pass *pass, pipit_progress *progress) {
    const pipit_model *m = pass->model;
    uint64_t most = m->engine->step_macs;
    uint32_t n_wanted = pass->n_tokens - pass->n_plain;
    uint32_t n_groups = n_wanted ? pipit_matrix_n_groups(&m->output) : 0;
    uint64_t group_macs = (uint64_t)PIPIT_GROUP_ROWS * m->h.n_embd * n_wanted;
    step_job job = {.pass = pass, .layer_begin = progress->layer,
                    .group_begin = progress->group};
    uint64_t macs = 0;
    while (progress->layer < m->h.n_layers) {
        macs += pipit_pass_layer_macs(pass, progress->layer);
        if (macs > most && progress->layer > job.layer_begin) break;
        progress->layer++;
    }
    job.layer_end = progress->layer;
    if (progress->layer == m->h.n_layers && macs < most) {
        uint32_t left = n_groups - progress->group;
        uint64_t fit = n_wanted ? (most - macs) / group_macs + 1 : 0;
        progress->group += fit < left ? (uint32_t)fit : left;
    }
    job.group_end = progress->group;
    pipit_pool_run(pass->pool, run_step, &job);
    return progress->layer == m->h.n_layers && progress->group == n_groups;
}

void pipit_forward_init(pipit_pass *pass, const pipit_model *model,
                        pipit_kvcache *kv, uint32_t n_context) {
    pass->model = model;
    pass->kv = kv;
    pass->kernels = model->engine->kernels;
    pass->pool = model->engine->pool;
    pipit_rope_freqs(model, false, n_context, pass->rope_freqs,
                     &pass->rope_magnitude);
    pipit_rope_freqs(model, true, n_context, pass->rope_windowed_freqs,
                     &pass->rope_windowed_magnitude);
}
