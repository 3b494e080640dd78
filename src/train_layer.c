/* The stages of a layer, forward and back. A barrier stands between any two:
 * within one, a thread reads only what it wrote itself or an earlier stage. */
#include "mathf.h"
#include "rope.h"
#include "train_product.h"
#include "train_row.h"

#define FLOATS(pointer, step) ((pipit_train_floats){(pointer), (step)})
#define BIT(target) (1u << PIPIT_TARGET_##target)

typedef struct layer_rows {
    pipit_train_floats x, h1, q, k, v, heads, middle, h2, gate, up, act, y;
    /* What the last product of a block reads and gives. */
    pipit_train_floats heads_in, attn_out, act_in, ffn_out;
    pipit_train_floats dx, dy, dh, dq, dk, dv, dheads, dact;
} layer_rows;

static layer_rows rows_of(const pipit_train *t) {
    const pipit_layer *l = pipit_train_layer(t);
    const pipit_arch *a = t->model->h.arch;
    size_t e = t->embd_stride, q = t->qkv_stride, f = t->ffn_stride;
    size_t k_at = l->attn_q.n_rows, v_at = k_at + l->attn_k.n_rows;
    float *x = pipit_train_input(t, t->layer);
    float *y = pipit_train_input(t, t->layer + 1);
    size_t out_at = (size_t)t->layer * t->n_rows * e;
    return (layer_rows){
        .x = FLOATS(x, e), .h1 = FLOATS(a->no_pre_norms ? x : t->h1, e),
        .q = FLOATS(t->qkv, q),
        .k = FLOATS(t->qkv + k_at, q), .v = FLOATS(t->qkv + v_at, q),
        .heads = FLOATS(t->heads, t->heads_stride),
        .heads_in = FLOATS(a->sub_norms ? t->heads_normed : t->heads,
                           t->heads_stride),
        .attn_out = FLOATS(a->post_norms ? t->attn_out : t->middle, e),
        .middle = FLOATS(t->middle, e),
        .h2 = FLOATS(a->no_pre_norms ? t->middle : t->h2, e),
        .gate = FLOATS(t->gate, f), .up = FLOATS(t->up, f),
        .act = FLOATS(t->act, f),
        .act_in = FLOATS(a->sub_norms ? t->act_normed : t->act, f),
        .ffn_out = FLOATS(a->post_norms ? t->ffn_outs + out_at : y, e),
        .y = FLOATS(y, e), .dx = FLOATS(t->dx, e),
        .dy = FLOATS(pipit_train_joins_plainly(t->model) ? t->dx : t->dy, e),
        .dh = FLOATS(t->dh, e),
        .dq = FLOATS(t->dqkv, q), .dk = FLOATS(t->dqkv + k_at, q),
        .dv = FLOATS(t->dqkv + v_at, q),
        .dheads = FLOATS(t->dheads, t->heads_stride),
        .dact = FLOATS(t->dact, f)};
}

/* This thread's rows of n columns as the input of products. */
static void quantize(const pipit_train_part *part, uint32_t n,
                     pipit_train_floats x) {
    const pipit_train *t = part->train;
    uint32_t begin, end;
    if (t->precise) return;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        t->kernels->quantize(x.x + i * x.stride, n,
                             t->blocks + i * t->block_stride);
}

/* y = norm of n columns of x, this thread's rows; nothing without weights. */
static void norm(const pipit_train_part *part, pipit_train_floats x,
                 const float *weights, uint32_t n, pipit_train_floats y) {
    const pipit_train *t = part->train;
    uint32_t begin, end;
    if (!weights) return;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        t->kernels->rms_norm(x.x + i * x.stride, weights, n,
                             t->model->h.norm_eps, y.x + i * y.stride);
}

static void add_bias(const pipit_train_part *part, const pipit_matrix *w,
                     const float *bias, pipit_train_floats y) {
    uint32_t g0, g1;
    if (!bias) return;
    pipit_split(pipit_matrix_n_groups(w), part->thread, part->n_threads, &g0,
                &g1);
    uint32_t begin = g0 * 4, end = pipit_min_u32(g1 * 4, w->n_rows);
    for (uint32_t i = 0; i < part->train->n && begin < end; i++)
        part->train->kernels->add(y.x + i * y.stride + begin, bias + begin,
                                  end - begin);
}

/* y = W x + the pair's part, this thread's outputs. */
static void adapted(const pipit_train_part *part, const pipit_matrix *w,
                    pipit_target target, pipit_train_floats x,
                    pipit_train_floats y) {
    pipit_train_product(part, &(pipit_train_output){w, y}, 1, x,
                        part->train->n);
    pipit_train_pair_out(part, target, y);
}

static void scale_row(float *y, float scale, uint32_t n) {
    for (uint32_t i = 0; i < n && scale != 1.0f; i++) y[i] *= scale;
}

/* y = x + y, this thread's outputs of w; what is normed first waits for join. */
static void add_residual(const pipit_train_part *part, const pipit_matrix *w,
                         pipit_train_floats x, pipit_train_floats y) {
    const pipit_hparams *h = &part->train->model->h;
    uint32_t g0, g1;
    if (h->arch->post_norms) return;
    pipit_split(pipit_matrix_n_groups(w), part->thread, part->n_threads, &g0,
                &g1);
    uint32_t begin = g0 * 4, end = pipit_min_u32(g1 * 4, w->n_rows);
    for (uint32_t i = 0; i < part->train->n && begin < end; i++) {
        float *to = y.x + i * y.stride + begin;
        scale_row(to, h->residual_scale, end - begin);
        part->train->kernels->add(to, x.x + i * x.stride + begin, end - begin);
    }
}

/* y = x + the norm of out, this thread's rows; nothing without weights. */
static void join(const pipit_train_part *part, pipit_train_floats x,
                 pipit_train_floats out, const float *weights,
                 pipit_train_floats y) {
    const pipit_train *t = part->train;
    const pipit_hparams *h = &t->model->h;
    uint32_t begin, end;
    if (!weights) return;
    norm(part, out, weights, h->n_embd, y);
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        scale_row(y.x + i * y.stride, h->residual_scale, h->n_embd);
        t->kernels->add(y.x + i * y.stride, x.x + i * x.stride, h->n_embd);
    }
}

/* ---- forward ------------------------------------------------------------- */

static void forward_pack(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    pipit_train_pack_pairs(part);
    norm(part, r.x, l->attn_norm, l->attn_q.n_cols, r.h1);
    quantize(part, l->attn_q.n_cols, r.h1);
}

static void forward_qkv_in(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    pipit_train_pair_in(part, PIPIT_TARGET_Q, 3, r.h1);
}

static void forward_qkv(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    pipit_train_output outputs[] = {
        {&l->attn_q, r.q}, {&l->attn_k, r.k}, {&l->attn_v, r.v}};
    pipit_train_product(part, outputs, 3, r.h1, part->train->n);
    pipit_train_pair_out(part, PIPIT_TARGET_Q, r.q);
    pipit_train_pair_out(part, PIPIT_TARGET_K, r.k);
    pipit_train_pair_out(part, PIPIT_TARGET_V, r.v);
    add_bias(part, &l->attn_q, l->attn_q_bias, r.q);
    add_bias(part, &l->attn_k, l->attn_k_bias, r.k);
    add_bias(part, &l->attn_v, l->attn_v_bias, r.v);
}

/* Queries and keys of this thread's rows, turned by one of the tables. */
static void turn(const pipit_train_part *part, pipit_train_floats q,
                 float *const tables[2]) {
    const pipit_train *t = part->train;
    const pipit_hparams *h = &t->model->h;
    const pipit_layer_params *params = &pipit_train_layer(t)->params;
    uint32_t n_heads = h->n_heads + params->n_kv_heads, begin, end;
    const float *table = tables[params->windowed_rope];
    if (!params->uses_rope) return;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        for (uint32_t head = 0; head < n_heads; head++)
            pipit_rope_turn(h->arch->rope, table + (size_t)i * h->n_rot,
                            h->n_rot,
                            q.x + i * q.stride + (size_t)head * h->head_dim);
}

/* A part of a row that is normed by itself: a head, or all queries or keys. */
typedef struct span {
    size_t at;
    uint32_t n;
    const float *weights;
} span;

static uint32_t n_spans(const pipit_train *t) {
    const pipit_hparams *h = &t->model->h;
    if (!h->arch->qk_norm) return 0;
    return h->arch->qk_norm_wide
               ? 2
               : h->n_heads + pipit_train_layer(t)->params.n_kv_heads;
}

static span span_of(const pipit_train *t, uint32_t i) {
    const pipit_layer *l = pipit_train_layer(t);
    const pipit_hparams *h = &t->model->h;
    uint32_t n_q = l->attn_q.n_rows, dim = h->head_dim;
    bool is_key = i >= (h->arch->qk_norm_wide ? 1 : h->n_heads);
    const float *weights = is_key ? l->attn_k_norm : l->attn_q_norm;
    if (!h->arch->qk_norm_wide) return (span){(size_t)i * dim, dim, weights};
    return (span){is_key ? n_q : 0, is_key ? l->attn_k.n_rows : n_q, weights};
}

static void norm_heads(const pipit_train_part *part) {
    const pipit_train *t = part->train;
    uint32_t n = n_spans(t), begin, end;
    pipit_train_rows(part, &begin, &end);
    for (size_t i = begin; i < end; i++)
        for (uint32_t j = 0; j < n; j++) {
            span s = span_of(t, j);
            float *q = t->qkv + i * t->qkv_stride + s.at;
            float *raw = t->raw + i * t->qkv_stride + s.at;
            memcpy(raw, q, s.n * sizeof *q);
            t->kernels->rms_norm(raw, s.weights, s.n, t->model->h.norm_eps, q);
        }
}

/* d of a norm's output becomes that of its input x, n floats. */
static void norm_row_back(const pipit_train_part *part, const float *x,
                          const float *weights, uint32_t n, float *d) {
    float *dx = part->own->strips;
    memset(dx, 0, n * sizeof *dx);
    pipit_train_norm_back(x, weights, d, n, part->train->model->h.norm_eps,
                          dx);
    memcpy(d, dx, n * sizeof *d);
}

/* dq and dk of normed heads to those of what came before. */
static void norm_heads_back(const pipit_train_part *part) {
    const pipit_train *t = part->train;
    uint32_t n = n_spans(t), begin, end;
    pipit_train_rows(part, &begin, &end);
    for (size_t i = begin; i < end; i++)
        for (uint32_t j = 0; j < n; j++) {
            span s = span_of(t, j);
            size_t at = i * t->qkv_stride + s.at;
            norm_row_back(part, t->raw + at, s.weights, s.n, t->dqkv + at);
        }
}

static void forward_rope(const pipit_train_part *part) {
    bool last = part->train->model->h.arch->qk_norm_last;
    if (!last) norm_heads(part);
    turn(part, rows_of(part->train).q, part->train->rope);
    if (last) norm_heads(part);
}

static void forward_output_in(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    norm(part, r.heads, l->attn_sub_norm, l->attn_output.n_cols, r.heads_in);
    quantize(part, l->attn_output.n_cols, r.heads_in);
    pipit_train_pair_in(part, PIPIT_TARGET_OUTPUT, 1, r.heads_in);
}

static void forward_output(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    adapted(part, &l->attn_output, PIPIT_TARGET_OUTPUT, r.heads_in,
            r.attn_out);
    add_bias(part, &l->attn_output, l->attn_output_bias, r.attn_out);
    add_residual(part, &l->attn_output, r.x, r.attn_out);
}

static void forward_ffn_in(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    join(part, r.x, r.attn_out, l->attn_post_norm, r.middle);
    norm(part, r.middle, l->ffn_norm, l->ffn_gate.n_cols, r.h2);
    quantize(part, l->ffn_gate.n_cols, r.h2);
    pipit_train_pair_in(part, PIPIT_TARGET_GATE, 2, r.h2);
}

static void forward_ffn(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    pipit_train_output outputs[] = {{&l->ffn_gate, r.gate}, {&l->ffn_up, r.up}};
    if (part->train->is_again && pipit_train_is_kept(part->train)) return;
    pipit_train_product(part, outputs, 2, r.h2, part->train->n);
    pipit_train_pair_out(part, PIPIT_TARGET_GATE, r.gate);
    pipit_train_pair_out(part, PIPIT_TARGET_UP, r.up);
    add_bias(part, &l->ffn_gate, l->ffn_gate_bias, r.gate);
    add_bias(part, &l->ffn_up, l->ffn_up_bias, r.up);
}

/* The row's gate and up to where they are kept, or back. */
static void keep_row(const pipit_train *t, uint32_t i, float *gate, float *up,
                     uint32_t n) {
    size_t row = (size_t)(t->layer - t->first_kept) * t->n_rows + i;
    uint8_t *kept = t->kept + 2 * row * t->kept_bytes;
    if (t->is_again) {
        t->train_kernels->restore(kept, n, gate);
        t->train_kernels->restore(kept + t->kept_bytes, n, up);
    } else {
        t->train_kernels->keep(gate, n, kept);
        t->train_kernels->keep(up, n, kept + t->kept_bytes);
    }
}

static void forward_act(const pipit_train_part *part) {
    const pipit_train *t = part->train;
    layer_rows r = rows_of(t);
    const pipit_layer *l = pipit_train_layer(t);
    uint32_t begin, end, n = l->params.n_ff;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        float *act = r.act.x + i * r.act.stride;
        float *gate = r.gate.x + i * r.gate.stride;
        float *up = r.up.x + i * r.up.stride;
        if (t->keeps && pipit_train_is_kept(t)) keep_row(t, i, gate, up, n);
        memcpy(act, gate, n * sizeof *act);
        if (t->model->h.arch->gelu)
            t->kernels->gelu_mul(act, up, n);
        else
            t->kernels->silu_mul(act, up, n);
    }
    norm(part, r.act, l->ffn_sub_norm, n, r.act_in);
    quantize(part, n, r.act_in);
    pipit_train_pair_in(part, PIPIT_TARGET_DOWN, 1, r.act_in);
}

static void forward_down(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    adapted(part, &l->ffn_down, PIPIT_TARGET_DOWN, r.act_in, r.ffn_out);
    add_bias(part, &l->ffn_down, l->ffn_down_bias, r.ffn_out);
    add_residual(part, &l->ffn_down, r.middle, r.ffn_out);
}

static void forward_end(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    join(part, r.middle, r.ffn_out,
         pipit_train_layer(part->train)->ffn_post_norm, r.y);
}

const pipit_train_stage pipit_train_forward[PIPIT_TRAIN_FORWARD_STAGES] = {
    {forward_pack, 0, false},
    {forward_qkv_in, 0, false},
    {forward_qkv, BIT(Q) | BIT(K) | BIT(V), false},
    {forward_rope, 0, false},
    {pipit_train_attend, BIT(K), true},
    {forward_output_in, 0, false},
    {forward_output, BIT(OUTPUT), false},
    {forward_ffn_in, 0, false},
    {forward_ffn, BIT(GATE) | BIT(UP), false},
    {forward_act, BIT(K), false},
    /* Not made again: */
    {forward_down, BIT(DOWN), false},
    {forward_end, 0, false},
};

/* ---- back ---------------------------------------------------------------- */

/* dx becomes or gets W^T dy and the pair's part; and the pair's gradients. */
static void adapted_back(const pipit_train_part *part, const pipit_matrix *w,
                         pipit_target target, pipit_train_floats x,
                         pipit_train_floats dy, pipit_train_floats dx,
                         bool add) {
    pipit_train_product_back(part, w, dy, part->train->n, dx, add);
    pipit_train_pair_in_back(part, target, dx);
    pipit_train_pair_gradients(part, target, x, dy);
}

/* dx += the gradient of a norm's input x, from dh of its output; without
 * weights there was no norm. */
static void norm_back(const pipit_train_part *part, pipit_train_floats x,
                      const float *weights) {
    const pipit_train *t = part->train;
    uint32_t begin, end;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        float *dx = t->dx + i * t->embd_stride;
        const float *dh = t->dh + i * t->embd_stride;
        if (weights)
            pipit_train_norm_back(x.x + i * x.stride, weights, dh,
                                  t->model->h.n_embd, t->model->h.norm_eps,
                                  dx);
        else
            t->kernels->add(dx, dh, t->model->h.n_embd);
    }
}

/* dy of what a block gave, from dx of the stream that it was joined to. */
static void join_back(const pipit_train_part *part, pipit_train_floats out,
                      const float *weights) {
    const pipit_train *t = part->train;
    const pipit_hparams *h = &t->model->h;
    uint32_t begin, end;
    if (pipit_train_joins_plainly(t->model)) return;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        float *dy = t->dy + i * t->embd_stride;
        memcpy(dy, t->dx + i * t->embd_stride, h->n_embd * sizeof *dy);
        if (weights)
            norm_row_back(part, out.x + i * out.stride, weights, h->n_embd,
                          dy);
        scale_row(dy, h->residual_scale, h->n_embd);
    }
}

static void back_down_out(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    join_back(part, r.ffn_out, pipit_train_layer(part->train)->ffn_post_norm);
    pipit_train_pair_out_back(part, PIPIT_TARGET_DOWN, r.dy);
}

static void back_down(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    adapted_back(part, &pipit_train_layer(part->train)->ffn_down,
                 PIPIT_TARGET_DOWN, r.act_in, r.dy, r.dact, false);
}

/* gate and up become their gradients. */
static void back_act(const pipit_train_part *part) {
    const pipit_train *t = part->train;
    layer_rows r = rows_of(t);
    const pipit_layer *l = pipit_train_layer(t);
    uint32_t begin, end, n = l->params.n_ff;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        float *dact = r.dact.x + i * r.dact.stride;
        if (l->ffn_sub_norm)
            norm_row_back(part, r.act.x + i * r.act.stride, l->ffn_sub_norm, n,
                          dact);
        (t->model->h.arch->gelu ? t->train_kernels->gelu_back
                                : t->train_kernels->silu_back)(
            r.gate.x + i * r.gate.stride, r.up.x + i * r.up.stride, dact, n);
    }
    pipit_train_pair_out_back(part, PIPIT_TARGET_GATE, r.gate);
    pipit_train_pair_out_back(part, PIPIT_TARGET_UP, r.up);
}

static void back_gate(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    adapted_back(part, &pipit_train_layer(part->train)->ffn_gate,
                 PIPIT_TARGET_GATE, r.h2, r.gate, r.dh, false);
}

static void back_up(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    adapted_back(part, &pipit_train_layer(part->train)->ffn_up,
                 PIPIT_TARGET_UP, r.h2, r.up, r.dh, true);
}

static void back_ffn_norm(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    norm_back(part, r.middle, l->ffn_norm);
    join_back(part, r.attn_out, l->attn_post_norm);
    pipit_train_pair_out_back(part, PIPIT_TARGET_OUTPUT, r.dy);
}

static void back_output(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    adapted_back(part, &pipit_train_layer(part->train)->attn_output,
                 PIPIT_TARGET_OUTPUT, r.heads_in, r.dy, r.dheads, false);
}

static void back_heads(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    uint32_t begin, end;
    if (!l->attn_sub_norm) return;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        norm_row_back(part, r.heads.x + i * r.heads.stride, l->attn_sub_norm,
                      l->attn_output.n_cols, r.dheads.x + i * r.dheads.stride);
}

static void back_rope(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    bool last = part->train->model->h.arch->qk_norm_last;
    if (last) norm_heads_back(part);
    turn(part, r.dq, part->train->rope_back);
    if (!last) norm_heads_back(part);
    pipit_train_pair_out_back(part, PIPIT_TARGET_Q, r.dq);
    pipit_train_pair_out_back(part, PIPIT_TARGET_K, r.dk);
    pipit_train_pair_out_back(part, PIPIT_TARGET_V, r.dv);
}

static void back_q(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    adapted_back(part, &pipit_train_layer(part->train)->attn_q,
                 PIPIT_TARGET_Q, r.h1, r.dq, r.dh, false);
}

static void back_k(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    adapted_back(part, &pipit_train_layer(part->train)->attn_k,
                 PIPIT_TARGET_K, r.h1, r.dk, r.dh, true);
}

static void back_v(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    adapted_back(part, &pipit_train_layer(part->train)->attn_v,
                 PIPIT_TARGET_V, r.h1, r.dv, r.dh, true);
}

static void back_attn_norm(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    norm_back(part, r.x, pipit_train_layer(part->train)->attn_norm);
}

const pipit_train_stage pipit_train_backward[PIPIT_TRAIN_BACKWARD_STAGES] = {
    {back_down_out, 0, true},
    {back_down, BIT(DOWN), true},
    {back_act, BIT(K), true},
    {back_gate, BIT(GATE), true},
    {back_up, BIT(UP), true},
    {back_ffn_norm, 0, true},
    {back_output, BIT(OUTPUT), true},
    {back_heads, 0, true},
    {pipit_train_attend_back, BIT(Q), true},
    {back_rope, 0, true},
    {back_q, BIT(Q), true},
    {back_k, BIT(K), true},
    {back_v, BIT(V), true},
    {back_attn_norm, 0, true},
};
