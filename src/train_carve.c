/* Room for everything in train.h. */
#include "train_carve.h"

typedef struct sizes {
    size_t n_rows, rows4, length, rank4, dim, max_cols, widest;
    uint32_t in[PIPIT_N_TARGETS], out[PIPIT_N_TARGETS]; /* largest layer's */
} sizes;

static void shape_of(const pipit_model *m, uint32_t layer, uint32_t target,
                     uint32_t *n_in, uint32_t *n_out) {
    const pipit_matrix *w =
        pipit_target_matrix(m, layer, (pipit_target)target);
    *n_in = w->n_cols;
    *n_out = w->n_rows;
}

static sizes sizes_of(const pipit_model *m,
                      const pipit_training_options *o) {
    sizes s = {.n_rows = o->max_rows,
               .rows4 = pipit_train_stride(o->max_rows), .length = o->max_length,
               .rank4 = pipit_train_stride(o->rank), .dim = m->h.head_dim,
               .max_cols = m->h.n_embd};
    for (uint32_t l = 0; l < m->h.n_layers; l++)
        for (uint32_t i = 0; i < PIPIT_N_TARGETS; i++) {
            uint32_t n_in, n_out;
            shape_of(m, l, i, &n_in, &n_out);
            if (n_in > s.in[i]) s.in[i] = n_in;
            if (n_out > s.out[i]) s.out[i] = n_out;
            if (n_in > s.max_cols) s.max_cols = n_in;
            if (n_out > s.widest) s.widest = n_out;
        }
    if (s.max_cols > s.widest) s.widest = s.max_cols;
    return s;
}

static float *take(pipit_arena *arena, size_t rows, size_t stride) {
    size_t floats = 0; /* an overflow measures as one */
    if (!pipit_mul_size(rows, stride, &floats)) floats = SIZE_MAX / 8;
    return pipit_arena_take(arena, floats, sizeof(float));
}

/* All pairs' parameters, a then b; NULL pointers while measuring. */
static size_t lay_pairs(const pipit_model *m, const pipit_training_options *o,
                        pipit_train *t) {
    size_t at = 0;
    for (uint32_t l = 0; l < m->h.n_layers; l++)
        for (uint32_t i = 0; i < PIPIT_N_TARGETS; i++) {
            pipit_lora pair = {0};
            shape_of(m, l, i, &pair.n_in, &pair.n_out);
            if (o->targets >> i & 1) pair.rank = o->rank;
            if (t->parameters) {
                pair.a = t->parameters + at;
                pair.b = pair.a + (size_t)pair.rank * pair.n_in;
                t->pairs[l][i] = pair;
            }
            at += (size_t)pair.rank * ((size_t)pair.n_in + pair.n_out);
        }
    return at;
}

static size_t whole_strips(size_t n) {
    return (n + PIPIT_STRIP_A - 1) / PIPIT_STRIP_A * PIPIT_STRIP_A;
}

static void carve_pairs(const sizes *s, pipit_arena *arena, size_t rank,
                        pipit_train *t) {
    for (uint32_t i = 0; i < PIPIT_N_TARGETS; i++) {
        pipit_train_pair *p = &t->work[i];
        p->a = take(arena, whole_strips(rank), s->in[i]);
        p->a_turned = take(arena, whole_strips(s->in[i]), rank);
        p->b = take(arena, whole_strips(s->out[i]), rank);
        p->b_turned = take(arena, whole_strips(rank), s->out[i]);
        p->z = take(arena, s->n_rows, s->rank4);
        p->dz = take(arena, s->n_rows, s->rank4);
        p->z_strips = take(arena, s->rows4, rank);
        p->dz_strips = take(arena, s->rows4, rank);
    }
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static void carve_thread(const sizes *s, const pipit_train *t,
                         pipit_arena *arena, pipit_train_thread *own) {
    const pipit_hparams *h = &t->model->h;
    size_t queries = PIPIT_TRAIN_QUERIES, length4 = t->length_stride;
    /* Attention packs some queries, or what they see. */
    size_t strips = larger(s->rows4 * PIPIT_TRAIN_CHUNK,
                           queries * larger(length4, s->dim));
    own->tile = take(arena, larger(PIPIT_TRAIN_CHUNK, s->rows4),
                     PIPIT_TRAIN_TILE);
    own->strips = take(arena, larger(strips, 4 * s->widest), 1);
    own->sums = take(arena, s->rank4, PIPIT_TRAIN_TILE);
    own->scratch = pipit_arena_take_bytes(
        arena, t->kernels->matmul_scratch_bytes((uint32_t)s->max_cols,
                                                (uint32_t)s->n_rows));
    own->keys = take(arena, whole_strips(length4), s->dim);
    own->values = take(arena, whole_strips(length4), s->dim);
    own->p = take(arena, queries, length4);
    own->dp = take(arena, queries, length4);
    own->slopes = take(arena, larger(h->attn_softcap > 0 ? queries * length4 : 0,
                                     h->logit_softcap > 0 ? h->n_vocab : 0), 1);
}

/* As many of the last layers as fit PIPIT_TRAIN_KEEP, but for the very last. */
static void carve_kept(const pipit_model *m, const sizes *s,
                       pipit_arena *arena, pipit_train *t) {
    uint32_t n = m->h.n_layers - 1;
    t->kept_bytes = pipit_keep_bytes(s->out[PIPIT_TARGET_GATE]);
    size_t layer = 2 * s->n_rows * t->kept_bytes;
    if (n > PIPIT_TRAIN_KEEP / layer) n = (uint32_t)(PIPIT_TRAIN_KEEP / layer);
    t->first_kept = m->h.n_layers - 1 - n;
    t->kept = pipit_arena_take_bytes(arena, n * layer);
}

static void carve_rows(const pipit_model *m, const sizes *s,
                       pipit_arena *arena, pipit_train *t) {
    size_t n = s->n_rows, e = t->embd_stride;
    size_t inputs = (size_t)m->h.n_layers + 1;
    const pipit_arch *a = m->h.arch;
    size_t normed = a->post_norms ? n : 0, inner = a->sub_norms ? n : 0;
    t->tokens = pipit_arena_take(arena, n, sizeof *t->tokens);
    t->positions = pipit_arena_take(arena, n, sizeof *t->positions);
    t->answer_rows = pipit_arena_take(arena, n, sizeof *t->answer_rows);
    t->answers = pipit_arena_take(arena, n, sizeof *t->answers);
    t->losses = pipit_arena_take(arena, n, sizeof *t->losses);
    t->sequences = pipit_arena_take(arena, n, sizeof *t->sequences);
    t->inputs = take(arena, inputs * n, e);
    t->h1 = take(arena, n, e);
    t->h2 = take(arena, n, e);
    t->middle = take(arena, n, e);
    t->attn_out = take(arena, normed, e);
    t->ffn_outs = take(arena, m->h.n_layers * normed, e);
    t->dy = take(arena, pipit_train_joins_plainly(m) ? 0 : n, e);
    t->heads_normed = take(arena, inner, t->heads_stride);
    t->act_normed = take(arena, inner, t->ffn_stride);
    t->dx = take(arena, n, e);
    t->dh = take(arena, n, e);
    t->qkv = take(arena, n, t->qkv_stride);
    t->dqkv = take(arena, n, t->qkv_stride);
    t->raw = take(arena, a->qk_norm ? n : 0, t->qkv_stride);
    t->heads = take(arena, n, t->heads_stride);
    t->dheads = take(arena, n, t->heads_stride);
    t->gate = take(arena, n, t->ffn_stride);
    t->up = take(arena, n, t->ffn_stride);
    t->act = take(arena, n, t->ffn_stride);
    t->dact = take(arena, n, t->ffn_stride);
    for (int i = 0; i < 2; i++) {
        t->rope[i] = take(arena, n, m->h.n_rot);
        t->rope_back[i] = take(arena, n, m->h.n_rot);
        t->rope_freqs[i] =
            pipit_arena_take(arena, m->h.n_rot / 2, sizeof(double));
    }
    t->blocks = pipit_arena_take(arena, n, t->block_stride);
    t->head_h = take(arena, PIPIT_TRAIN_HEAD_ROWS, e);
    t->head_dh = take(arena, PIPIT_TRAIN_HEAD_ROWS, e);
    t->logits = take(arena, PIPIT_TRAIN_HEAD_ROWS, t->vocab_stride);
}

static void set_strides(const pipit_model *m, const sizes *s,
                        pipit_train *t) {
    t->embd_stride = pipit_train_stride(m->h.n_embd);
    t->heads_stride = pipit_train_stride(s->out[PIPIT_TARGET_Q]);
    t->qkv_stride = pipit_train_stride((size_t)s->out[PIPIT_TARGET_Q] +
                                       s->out[PIPIT_TARGET_K] +
                                       s->out[PIPIT_TARGET_V]);
    t->ffn_stride = pipit_train_stride(s->out[PIPIT_TARGET_GATE]);
    t->vocab_stride = pipit_train_stride(m->h.n_vocab);
    t->rank_stride = s->rank4;
    t->length_stride = pipit_train_stride(s->length);
    t->block_stride = (s->max_cols + PIPIT_ACT_BLOCK - 1) / PIPIT_ACT_BLOCK *
                      t->kernels->act_block_bytes;
}

size_t pipit_train_carve(const pipit_model *m,
                         const pipit_training_options *o, pipit_arena *arena,
                         pipit_train *t) {
    uint32_t n_threads = pipit_pool_size(m->engine->pool);
    sizes s = sizes_of(m, o);
    t->model = m;
    t->kernels = m->engine->kernels;
    t->train_kernels = pipit_train_kernels_of(t->kernels);
    t->n_rows = o->max_rows;
    t->max_length = o->max_length;
    t->rank = o->rank;
    t->scale = o->alpha / (float)o->rank;
    t->precise = o->precise;
    set_strides(m, &s, t);
    size_t n = lay_pairs(m, o, t);
    t->pairs = pipit_arena_take(arena, m->h.n_layers, sizeof *t->pairs);
    t->parameters = take(arena, n, 3);
    t->gradients = take(arena, n, 1);
    if (t->parameters) lay_pairs(m, o, t);
    carve_pairs(&s, arena, o->rank, t);
    carve_rows(m, &s, arena, t);
    carve_kept(m, &s, arena, t);
    t->threads = pipit_arena_take(arena, n_threads, sizeof *t->threads);
    for (uint32_t i = 0; i < n_threads; i++) {
        pipit_train_thread none;
        carve_thread(&s, t, arena, t->threads ? &t->threads[i] : &none);
    }
    return n;
}
