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
    pipit_train_floats dx, dh, dq, dk, dv, dheads, dact;
} layer_rows;

static layer_rows rows_of(const pipit_train *t) {
    const pipit_layer *l = pipit_train_layer(t);
    size_t e = t->embd_stride, q = t->qkv_stride, f = t->ffn_stride;
    size_t k_at = l->attn_q.n_rows, v_at = k_at + l->attn_k.n_rows;
    return (layer_rows){
        .x = FLOATS(pipit_train_input(t, t->layer), e),
        .h1 = FLOATS(t->h1, e), .q = FLOATS(t->qkv, q),
        .k = FLOATS(t->qkv + k_at, q), .v = FLOATS(t->qkv + v_at, q),
        .heads = FLOATS(t->heads, t->heads_stride),
        .middle = FLOATS(t->middle, e), .h2 = FLOATS(t->h2, e),
        .gate = FLOATS(t->gate, f), .up = FLOATS(t->up, f),
        .act = FLOATS(t->act, f),
        .y = FLOATS(pipit_train_input(t, t->layer + 1), e),
        .dx = FLOATS(t->dx, e), .dh = FLOATS(t->dh, e),
        .dq = FLOATS(t->dqkv, q), .dk = FLOATS(t->dqkv + k_at, q),
        .dv = FLOATS(t->dqkv + v_at, q),
        .dheads = FLOATS(t->dheads, t->heads_stride),
        .dact = FLOATS(t->dact, f)};
}

/* This thread's rows of x as the input of products with w and the like. */
static void quantize(const pipit_train_part *part, const pipit_matrix *w,
                     pipit_train_floats x) {
    const pipit_train *t = part->train;
    uint32_t begin, end;
    if (!pipit_train_quantizes(t, w)) return;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        t->kernels->quantize(x.x + i * x.stride, w->n_cols,
                             t->blocks + i * t->block_stride);
}

static void norm(const pipit_train_part *part, pipit_train_floats x,
                 const float *weights, pipit_train_floats y) {
    const pipit_train *t = part->train;
    uint32_t begin, end;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        t->kernels->rms_norm(x.x + i * x.stride, weights, t->model->h.n_embd,
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

/* y = x + y, this thread's outputs of w. */
static void add_residual(const pipit_train_part *part, const pipit_matrix *w,
                         pipit_train_floats x, pipit_train_floats y) {
    uint32_t g0, g1;
    pipit_split(pipit_matrix_n_groups(w), part->thread, part->n_threads, &g0,
                &g1);
    uint32_t begin = g0 * 4, end = pipit_min_u32(g1 * 4, w->n_rows);
    for (uint32_t i = 0; i < part->train->n && begin < end; i++)
        part->train->kernels->add(y.x + i * y.stride + begin,
                                  x.x + i * x.stride + begin, end - begin);
}

/* ---- forward ------------------------------------------------------------- */

static void forward_pack(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    pipit_train_pack_pairs(part);
    norm(part, r.x, l->attn_norm, r.h1);
    quantize(part, &l->attn_q, r.h1);
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

/* Queries and keys of this thread's rows, turned by the table. */
static void turn(const pipit_train_part *part, pipit_train_floats q,
                 const float *table) {
    const pipit_train *t = part->train;
    const pipit_hparams *h = &t->model->h;
    const pipit_layer_params *params = &pipit_train_layer(t)->params;
    uint32_t n_heads = h->n_heads + params->n_kv_heads, begin, end;
    if (!params->uses_rope) return;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        for (uint32_t head = 0; head < n_heads; head++)
            pipit_rope_turn(h->arch->rope, table + (size_t)i * h->n_rot,
                            h->n_rot,
                            q.x + i * q.stride + (size_t)head * h->head_dim);
}

/* The norm of head i of a row, queries first; NULL where there is none. */
static const float *norm_of_head(const pipit_train *t, uint32_t i) {
    const pipit_layer *l = pipit_train_layer(t);
    return i < t->model->h.n_heads ? l->attn_q_norm : l->attn_k_norm;
}

static uint32_t n_normed_heads(const pipit_train *t) {
    const pipit_hparams *h = &t->model->h;
    return h->arch->qk_norm
               ? h->n_heads + pipit_train_layer(t)->params.n_kv_heads
               : 0;
}

static void norm_heads(const pipit_train_part *part) {
    const pipit_train *t = part->train;
    const pipit_hparams *h = &t->model->h;
    uint32_t n_heads = n_normed_heads(t), begin, end, dim = h->head_dim;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        float *q = t->qkv + i * t->qkv_stride, *raw = t->raw + (q - t->qkv);
        memcpy(raw, q, (size_t)n_heads * dim * sizeof *q);
        for (size_t head = 0; head < n_heads; head++)
            t->kernels->rms_norm(raw + head * dim,
                                 norm_of_head(t, (uint32_t)head), dim,
                                 h->norm_eps, q + head * dim);
    }
}

/* dq and dk of normed heads to those of what came before. */
static void norm_heads_back(const pipit_train_part *part) {
    const pipit_train *t = part->train;
    const pipit_hparams *h = &t->model->h;
    uint32_t n_heads = n_normed_heads(t), begin, end, dim = h->head_dim;
    float *dx = part->own->strips;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        for (size_t head = 0; head < n_heads; head++) {
            size_t at = i * t->qkv_stride + head * dim;
            memset(dx, 0, dim * sizeof *dx);
            pipit_train_norm_back(t->raw + at,
                                  norm_of_head(t, (uint32_t)head),
                                  t->dqkv + at, dim, h->norm_eps, dx);
            memcpy(t->dqkv + at, dx, dim * sizeof *dx);
        }
}

static void forward_rope(const pipit_train_part *part) {
    if (n_normed_heads(part->train) > 0) norm_heads(part);
    turn(part, rows_of(part->train).q, part->train->rope);
}

static void forward_output_in(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    quantize(part, &pipit_train_layer(part->train)->attn_output, r.heads);
    pipit_train_pair_in(part, PIPIT_TARGET_OUTPUT, 1, r.heads);
}

static void forward_output(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    adapted(part, &l->attn_output, PIPIT_TARGET_OUTPUT, r.heads, r.middle);
    add_bias(part, &l->attn_output, l->attn_output_bias, r.middle);
    add_residual(part, &l->attn_output, r.x, r.middle);
}

static void forward_ffn_in(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    norm(part, r.middle, l->ffn_norm, r.h2);
    quantize(part, &l->ffn_gate, r.h2);
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
    quantize(part, &l->ffn_down, r.act);
    pipit_train_pair_in(part, PIPIT_TARGET_DOWN, 1, r.act);
}

static void forward_down(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    const pipit_layer *l = pipit_train_layer(part->train);
    adapted(part, &l->ffn_down, PIPIT_TARGET_DOWN, r.act, r.y);
    add_bias(part, &l->ffn_down, l->ffn_down_bias, r.y);
    add_residual(part, &l->ffn_down, r.middle, r.y);
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
    {forward_down, BIT(DOWN), false}, /* last: not made again */
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

/* dx += the gradient of a norm's input x, from dh of its output. */
static void norm_back(const pipit_train_part *part, pipit_train_floats x,
                      const float *weights) {
    const pipit_train *t = part->train;
    uint32_t begin, end;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        pipit_train_norm_back(x.x + i * x.stride, weights,
                              t->dh + i * t->embd_stride, t->model->h.n_embd,
                              t->model->h.norm_eps,
                              t->dx + i * t->embd_stride);
}

static void back_down_out(const pipit_train_part *part) {
    pipit_train_pair_out_back(part, PIPIT_TARGET_DOWN,
                              rows_of(part->train).dx);
}

static void back_down(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    adapted_back(part, &pipit_train_layer(part->train)->ffn_down,
                 PIPIT_TARGET_DOWN, r.act, r.dx, r.dact, false);
}

/* gate and up become their gradients. */
static void back_act(const pipit_train_part *part) {
    const pipit_train *t = part->train;
    layer_rows r = rows_of(t);
    uint32_t begin, end, n = pipit_train_layer(t)->params.n_ff;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        (t->model->h.arch->gelu ? t->train_kernels->gelu_back
                                : t->train_kernels->silu_back)(
            r.gate.x + i * r.gate.stride, r.up.x + i * r.up.stride,
            r.dact.x + i * r.dact.stride, n);
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
    norm_back(part, r.middle, pipit_train_layer(part->train)->ffn_norm);
    pipit_train_pair_out_back(part, PIPIT_TARGET_OUTPUT, r.dx);
}

static void back_output(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    adapted_back(part, &pipit_train_layer(part->train)->attn_output,
                 PIPIT_TARGET_OUTPUT, r.heads, r.dx, r.dheads, false);
}

static void back_rope(const pipit_train_part *part) {
    layer_rows r = rows_of(part->train);
    turn(part, r.dq, part->train->rope_back);
    norm_heads_back(part);
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
    {pipit_train_attend_back, BIT(Q), true},
    {back_rope, 0, true},
    {back_q, BIT(Q), true},
    {back_k, BIT(K), true},
    {back_v, BIT(V), true},
    {back_attn_norm, 0, true},
};
