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

static void attention_in(const pipit_stage *s) {
    pipit_pass *p = s->pass;
    const pipit_layer *l = &p->model->layers[s->layer];
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
    if (!pipit_stage_is_last(s)) return;
    if (p->model->h.arch->qk_norm_wide) {
        pipit_attention_norm_wide(s);
        pipit_stage_barrier(s);
    }
    pipit_attention_place(s);
    pipit_stage_barrier(s);
}

static void attention_out(const pipit_stage *s) {
    pipit_pass *p = s->pass;
    const pipit_layer *l = &p->model->layers[s->layer];
    pipit_acts acts = pipit_stage_prepare_adapted(
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

static void feed_forward_in(const pipit_stage *s) {
    pipit_pass *p = s->pass;
    const pipit_layer *l = &p->model->layers[s->layer];
    size_t up = p->ffn_stride / 2;
    pipit_acts acts = pipit_stage_prepare_adapted(
        s, PIPIT_INPUT_FFN, p->x, p->embd_stride, l->ffn_norm,
        !pipit_is_float(&l->ffn_gate) || !pipit_is_float(&l->ffn_up));
    pipit_part r =
        pipit_stage_adapted(s, PIPIT_TARGET_GATE, &acts, p->ffn, p->ffn_stride);
    pipit_stage_adapted(s, PIPIT_TARGET_UP, &acts, p->ffn + up, p->ffn_stride);
    activate(s, l, r, up);
    pipit_stage_barrier(s);
}

static void feed_forward_out(const pipit_stage *s) {
    pipit_pass *p = s->pass;
    const pipit_layer *l = &p->model->layers[s->layer];
    pipit_acts acts = pipit_stage_prepare_adapted(
        s, PIPIT_INPUT_DOWN, p->ffn, p->ffn_stride, l->ffn_sub_norm,
        !pipit_is_float(&l->ffn_down));
    pipit_part r = pipit_stage_adapted(s, PIPIT_TARGET_DOWN, &acts, p->y,
                                       p->embd_stride);
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
    pipit_stage rows = *s;
    rows.pass = &wanted;
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

/* ---- steps ----------------------------------------------------------------- */

/* A layer in phases, each ended by a barrier: attention (or what stands in its
 * place) in three, the feed-forward network in two. A pass has many rows, for
 * weights are unpacked once for all of them; a step is some phases, or a slice of
 * one where a layer is too large for a step. */
typedef enum phase {
    PHASE_IN,
    PHASE_ATTEND,
    PHASE_OUT,
    PHASE_FFN_IN,
    PHASE_FFN_OUT,
    N_PHASES,
} phase;

static void run_phase(const pipit_stage *s, phase which) {
    const pipit_model *m = s->pass->model;
    bool convolves = m->layers[s->layer].params.is_convolution;
    bool mixes = m->h.n_experts > 0;
    switch (which) {
        case PHASE_IN:
            (convolves ? pipit_short_convolution_in : attention_in)(s);
            break;
        case PHASE_ATTEND:
            if (convolves) break;
            pipit_attention_attend(s);
            pipit_stage_barrier(s);
            break;
        case PHASE_OUT:
            (convolves ? pipit_short_convolution_out : attention_out)(s);
            break;
        case PHASE_FFN_IN:
            (mixes ? pipit_mixture_in : feed_forward_in)(s);
            break;
        default: (mixes ? pipit_mixture_out : feed_forward_out)(s);
    }
}

/* Multiply-adds of attention itself, as time goes: keys and values are read at
 * some half of the weights' rate where they are of 8 bits, at a quarter as
 * floats. */
static uint64_t attend_macs(const pipit_pass *p) {
    const pipit_hparams *h = &p->model->h;
    uint64_t seen = 0;
    uint32_t slower = p->rows[0].of->kv->type == PIPIT_KV_Q8 ? 2 : 4;
    for (uint32_t i = 0; i < p->n_tokens; i++) seen += p->rows[i].pos + 1;
    return 2 * slower * seen * h->n_heads * h->head_dim;
}

static uint64_t macs_of(const pipit_pass *p, uint32_t layer, phase which) {
    const pipit_hparams *h = &p->model->h;
    const pipit_layer_params *l = &p->model->layers[layer].params;
    uint64_t n = (uint64_t)h->n_embd * p->n_tokens, heads = h->n_heads;
    uint64_t n_ff = (uint64_t)l->n_ff *
                    (h->n_experts_used ? h->n_experts_used : 1);
    switch (which) {
        case PHASE_IN:
            return l->is_convolution
                       ? 3 * n * h->n_embd
                       : n * (heads + 2 * l->n_kv_heads) * h->head_dim;
        case PHASE_ATTEND: return l->is_convolution ? 0 : attend_macs(p);
        case PHASE_OUT:
            return n * (l->is_convolution ? h->n_embd : heads * h->head_dim);
        case PHASE_FFN_IN: return 2 * n * n_ff;
        default: return n * n_ff;
    }
}

/* A token's attention is not cut: its heads are dealt to threads at once. */
static uint32_t n_slices_of(const pipit_pass *p, phase which, uint64_t macs) {
    enum { MOST_SLICES = 32 };
    uint64_t n = macs / p->model->engine->step_macs + 1;
    if (which == PHASE_ATTEND && p->n_tokens == 1) return 1;
    return n < MOST_SLICES ? (uint32_t)n : MOST_SLICES;
}

/* To what follows. */
static void advance(pipit_progress *at, uint32_t n_slices) {
    if (++at->slice < n_slices) return;
    at->slice = 0;
    if (++at->phase < N_PHASES) return;
    at->phase = 0;
    at->layer++;
}

typedef struct step_job {
    pipit_pass *pass;
    pipit_progress begin, end;
} step_job;

static bool is_before(const pipit_progress *a, const pipit_progress *b) {
    if (a->layer != b->layer) return a->layer < b->layer;
    return a->phase != b->phase ? a->phase < b->phase : a->slice < b->slice;
}

static void run_step(void *context, uint32_t thread, uint32_t n_threads) {
    const step_job *job = context;
    pipit_stage s = {.pass = job->pass, .thread = thread,
                     .n_threads = n_threads, .n_slices = 1};
    pipit_progress at = job->begin;
    if (pipit_progress_is_new(&at)) embed(&s);
    while (is_before(&at, &job->end)) {
        phase which = (phase)at.phase;
        s.layer = at.layer;
        s.slice = at.slice;
        s.n_slices = n_slices_of(s.pass, which,
                                 macs_of(s.pass, at.layer, which));
        run_phase(&s, which);
        advance(&at, s.n_slices);
    }
    s.slice = 0;
    s.n_slices = 1;
    if (job->end.group > at.group) read_logits(&s, at.group, job->end.group);
}

bool pipit_forward_step(pipit_pass *pass, pipit_progress *progress) {
    const pipit_model *m = pass->model;
    uint64_t most = m->engine->step_macs, macs = 0;
    uint32_t n_wanted = pass->n_tokens - pass->n_plain;
    uint32_t n_groups = n_wanted ? pipit_matrix_n_groups(&m->output) : 0;
    uint64_t group_macs = (uint64_t)PIPIT_GROUP_ROWS * m->h.n_embd * n_wanted;
    step_job job = {.pass = pass, .begin = *progress};
    while (progress->layer < m->h.n_layers) {
        phase which = (phase)progress->phase;
        uint64_t all = macs_of(pass, progress->layer, which);
        uint32_t n_slices = n_slices_of(pass, which, all);
        macs += all / n_slices;
        if (macs > most && is_before(&job.begin, progress)) break;
        advance(progress, n_slices);
    }
    if (progress->layer == m->h.n_layers && macs < most) {
        uint32_t left = n_groups - progress->group;
        uint64_t fit = n_wanted ? (most - macs) / group_macs + 1 : 0;
        progress->group += fit < left ? (uint32_t)fit : left;
    }
    job.end = *progress;
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
