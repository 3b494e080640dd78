#include "pass.h"

#include "mathf.h"

static size_t round4(size_t n) {
    return (n + 3) & ~(size_t)3;
}

static float *take_rows(pipit_arena *arena, uint32_t rows, size_t stride) {
    return pipit_arena_take(arena, rows, stride * sizeof(float));
}

static void set_strides(const pipit_hparams *h,
                        const pipit_layer_params *layers,
                        const pipit_kernels *kernels, uint32_t n_context,
                        pipit_pass *p, size_t *max_cols) {
    size_t q = (size_t)h->n_heads * h->head_dim, kv = 0, ff = 0;
    for (uint32_t l = 0; l < h->n_layers; l++) {
        size_t n = (size_t)layers[l].n_kv_heads * h->head_dim;
        if (n > kv) kv = n;
        if (layers[l].n_ff > ff) ff = layers[l].n_ff;
    }
    p->embd_stride = round4(h->n_embd);
    p->qkv_stride = q + 2 * kv;
    p->heads_stride = q;
    if (h->n_taps > 0 && p->qkv_stride < round4(3 * (size_t)h->n_embd))
        p->qkv_stride = round4(3 * (size_t)h->n_embd);
    if (h->n_taps > 0 && q < p->embd_stride) p->heads_stride = p->embd_stride;
    p->ffn_stride = 2 * round4(ff);
    p->vocab_stride = pipit_vocab_stride(h);
    p->row_stride = p->embd_stride > q ? p->embd_stride : q;
    *max_cols = p->row_stride > round4(ff) ? p->row_stride : round4(ff);
    if (h->arch->sub_norms) p->row_stride = *max_cols;
    p->block_stride = (*max_cols + PIPIT_ACT_BLOCK - 1) / PIPIT_ACT_BLOCK *
                      kernels->act_block_bytes;
    /* A windowed query's first block may begin before its window, and the last
     * one goes beyond what is there. */
    p->score_stride = round4((size_t)n_context + 2 * PIPIT_KV8_BLOCK);
}

static void carve_threads(const pipit_hparams *h, const pipit_kernels *kernels,
                          uint32_t n_threads, size_t max_cols,
                          pipit_arena *arena, pipit_pass *p) {
    p->threads = pipit_arena_take(arena, n_threads, sizeof *p->threads);
    for (uint32_t i = 0; i < n_threads; i++) {
        pipit_pass_thread t;
        size_t scratch =
            kernels->matmul_scratch_bytes((uint32_t)max_cols, p->n_batch);
        size_t queries = pipit_attn_scratch_bytes(PIPIT_ATTN_ROWS, h->head_dim);
        if (queries > scratch) scratch = queries;
        t.row = take_rows(arena, 1, max_cols);
        t.blocks = pipit_arena_take(arena, 1, p->block_stride);
        t.q = take_rows(arena, PIPIT_ATTN_ROWS, h->head_dim);
        t.out = take_rows(arena, PIPIT_ATTN_ROWS, h->head_dim);
        t.scores = take_rows(arena, PIPIT_ATTN_ROWS, p->score_stride);
        t.scratch = pipit_arena_take(arena, 1, scratch);
        if (arena->base) p->threads[i] = t;
    }
}

static void carve_mixture(const pipit_hparams *h, uint32_t n,
                          pipit_arena *arena, pipit_pass *p) {
    pipit_mixture *m = &p->mixture;
    uint32_t used = n * h->n_experts_used;
    m->router_stride = round4(h->n_experts);
    m->router = take_rows(arena, n, m->router_stride);
    m->weights = take_rows(arena, used, 1);
    m->experts = pipit_arena_take(arena, used, sizeof *m->experts);
    m->rows = pipit_arena_take(arena, used, sizeof *m->rows);
    m->first = pipit_arena_take(arena, h->n_experts + 1u, sizeof *m->first);
    m->x = take_rows(arena, used, p->row_stride);
    m->blocks = pipit_arena_take(arena, used, p->block_stride);
    m->ffn = take_rows(arena, used, p->ffn_stride);
    m->y = take_rows(arena, used, p->embd_stride);
}

void pipit_pass_carve(const pipit_hparams *h, const pipit_layer_params *layers,
                      const pipit_kernels *kernels, uint32_t n_context,
                      uint32_t n_threads, pipit_arena *arena,
                      pipit_pass *pass) {
    uint32_t n = pipit_min_u32(PIPIT_PASS_ROWS, n_context);
    size_t max_cols;
    memset(pass, 0, sizeof *pass);
    pass->n_batch = n;
    set_strides(h, layers, kernels, n_context, pass, &max_cols);
    pass->rows = pipit_arena_take(arena, n, sizeof *pass->rows);
    pass->x = take_rows(arena, n, pass->embd_stride);
    pass->h = take_rows(arena, n, pass->row_stride);
    pass->y = take_rows(arena, n, pass->embd_stride);
    pass->qkv = take_rows(arena, n, pass->qkv_stride);
    pass->heads = take_rows(arena, n, pass->heads_stride);
    pass->ffn = take_rows(arena, n, pass->ffn_stride);
    pass->blocks = pipit_arena_take(arena, n, pass->block_stride);
    pass->rope = take_rows(arena, n, h->n_rot);
    pass->rope_windowed = take_rows(arena, n, h->n_rot);
    pass->rope_freqs = pipit_arena_take(arena, h->n_rot / 2, sizeof(double));
    pass->rope_windowed_freqs =
        pipit_arena_take(arena, h->n_rot / 2, sizeof(double));
    if (h->n_experts > 0) carve_mixture(h, n, arena, pass);
    carve_threads(h, kernels, n_threads, max_cols, arena, pass);
}

void pipit_pass_put_logits(const pipit_pass *p, uint32_t row, const float *y,
                           uint32_t first, uint32_t n) {
    const pipit_model *m = p->model;
    float cap = m->h.logit_softcap, scale = m->h.logit_scale;
    float *logits = p->rows[row].logits;
    if (!logits) return;
    logits += first;
    memcpy(logits, y, n * sizeof *y);
    if (scale == 1.0f && !m->output_bias && !(cap > 0)) return;
    for (uint32_t i = 0; i < n; i++) {
        float logit = logits[i] * scale;
        if (m->output_bias) logit += m->output_bias[first + i];
        if (cap > 0) logit = cap * pipit_tanhf(logit / cap);
        logits[i] = logit;
    }
}
