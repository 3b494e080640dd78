#include "stage.h"

static void prepare_row(const pipit_pass *p, const float *in, uint32_t n_cols,
                        const float *norm, bool quantize, float *row,
                        uint8_t *blocks) {
    const pipit_kernels *k = p->kernels;
    if (norm) {
        k->rms_norm(in, norm, n_cols, p->model->h.norm_eps, row);
        in = row;
    }
    if (quantize) k->quantize(in, n_cols, blocks);
}

/* ---- adapters ----------------------------------------------------------- */

/* A x for n_rows rows, each part times the scale of its pair. */
static void reduce(const pipit_stage *s, pipit_input input, const float *x,
                   size_t x_stride, uint32_t n_rows, float *out) {
    const pipit_adaptation *all = &s->pass->adaptation;
    pipit_acts acts = {.x = x, .x_stride = x_stride};
    for (uint32_t i = 0; i < all->n; i++) {
        const pipit_adapter *adapter = all->active[i].adapter;
        const pipit_packed_lora *p = &adapter->packed[s->layer];
        const pipit_matrix *a = &p->a[input];
        uint32_t n = pipit_matrix_n_groups(a) * PIPIT_GROUP_ROWS, done = 0;
        if (n == 0) continue;
        for (uint32_t r = 0; r < n_rows; r++)
            memset(out + (size_t)r * all->stride, 0, n * sizeof *out);
        s->pass->kernels->accumulate(a, 0, n / PIPIT_GROUP_ROWS, &acts, n_rows,
                                     out, all->stride);
        for (uint32_t t = 0; t < PIPIT_N_TARGETS; t++) {
            uint32_t rank = p->b[t].n_cols;
            if (rank == 0 || pipit_input_of(t) != input || p->first[t] < done)
                continue;
            float scale = pipit_lora_scale(adapter, rank, all->active[i].scale);
            done = p->first[t] + rank;
            for (uint32_t r = 0; r < n_rows; r++)
                for (uint32_t c = p->first[t]; c < done; c++)
                    out[(size_t)r * all->stride + c] *= scale;
        }
        out += n;
    }
}

/* y += B (A x) for this thread's rows r of the target. */
static void expand(const pipit_stage *s, pipit_target target, pipit_part r,
                   float *y, size_t y_stride) {
    pipit_pass *p = s->pass;
    const pipit_adaptation *all = &p->adaptation;
    pipit_input input = pipit_input_of(target);
    bool one = p->n_tokens == 1;
    const float *rows =
        one ? all->own_rows + (size_t)s->thread * all->stride : all->rows;
    if (r.g0 == r.g1) return;
    for (uint32_t i = 0; i < all->n; i++) {
        const pipit_packed_lora *x = &all->active[i].adapter->packed[s->layer];
        const pipit_matrix *b = &x->b[target];
        pipit_acts acts = {.x = rows + x->first[target],
                           .x_stride = all->stride};
        if (b->n_cols > 0)
            p->kernels->accumulate(b, r.g0, r.g1, &acts, p->n_tokens, y,
                                   y_stride);
        rows += pipit_matrix_n_groups(&x->a[input]) * PIPIT_GROUP_ROWS;
    }
}

/* ---- inputs ------------------------------------------------------------- */

static pipit_acts prepare(const pipit_stage *s, pipit_input input,
                          const float *in, size_t in_stride, uint32_t n_cols,
                          const float *norm, bool quantize) {
    pipit_pass *p = s->pass;
    const pipit_adaptation *all = &p->adaptation;
    bool adapted = all->n > 0 && input != PIPIT_INPUT_OTHER;
    if (p->n_tokens == 1) {
        pipit_pass_thread *t = &p->threads[s->thread];
        pipit_acts own = {.x = norm ? t->row : in, .blocks = t->blocks};
        if (!pipit_stage_is_first(s)) return own;
        prepare_row(p, in, n_cols, norm, quantize, t->row, t->blocks);
        if (adapted)
            reduce(s, input, own.x, 0, 1,
                   all->own_rows + (size_t)s->thread * all->stride);
        return own;
    }
    uint32_t begin, end;
    const float *x = norm ? p->h : in;
    size_t x_stride = norm ? p->row_stride : in_stride;
    pipit_acts acts = {.x = x,
                       .x_stride = x_stride,
                       .blocks = p->blocks,
                       .block_stride = p->block_stride};
    if (!pipit_stage_is_first(s)) return acts;
    pipit_split(p->n_tokens, s->thread, s->n_threads, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        prepare_row(p, in + i * in_stride, n_cols, norm, quantize,
                    p->h + i * p->row_stride, p->blocks + i * p->block_stride);
    if (adapted && end > begin)
        reduce(s, input, x + begin * x_stride, x_stride, end - begin,
               all->rows + (size_t)begin * all->stride);
    pipit_stage_barrier(s);
    return acts;
}

pipit_acts pipit_stage_prepare(const pipit_stage *s, const float *in,
                               size_t in_stride, uint32_t n_cols,
                               const float *norm, bool quantize) {
    return prepare(s, PIPIT_INPUT_OTHER, in, in_stride, n_cols, norm, quantize);
}

static uint32_t n_cols_of(const pipit_stage *s, pipit_input input) {
    const pipit_hparams *h = &s->pass->model->h;
    if (input == PIPIT_INPUT_HEADS) return h->n_heads * h->head_dim;
    if (input == PIPIT_INPUT_DOWN)
        return s->pass->model->layers[s->layer].params.n_ff;
    return h->n_embd;
}

pipit_acts pipit_stage_prepare_adapted(const pipit_stage *s, pipit_input input,
                                       const float *in, size_t in_stride,
                                       const float *norm, bool quantize) {
    return prepare(s, input, in, in_stride, n_cols_of(s, input), norm,
                   quantize);
}

/* ---- products ------------------------------------------------------------ */

pipit_part pipit_stage_part(const pipit_stage *s, const pipit_matrix *w) {
    pipit_part r;
    uint32_t begin, end;
    pipit_split(pipit_matrix_n_groups(w), s->slice, s->n_slices, &begin, &end);
    pipit_split(end - begin, s->thread, s->n_threads, &r.g0, &r.g1);
    r.g0 += begin;
    r.g1 += begin;
    r.begin = r.g0 * PIPIT_GROUP_ROWS;
    r.end = pipit_min_u32(r.g1 * PIPIT_GROUP_ROWS, w->n_rows);
    if (r.begin > r.end) r.begin = r.end;
    return r;
}

/* y *= scale for the rows of those groups. */
static void scale_rows(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                       uint32_t n_rows, float *y, size_t y_stride) {
    uint32_t end = pipit_min_u32(g1 * PIPIT_GROUP_ROWS, w->n_rows);
    for (uint32_t i = 0; i < n_rows; i++)
        for (uint32_t r = g0 * PIPIT_GROUP_ROWS; r < end; r++)
            y[i * y_stride + r] *= *w->scale;
}

void pipit_stage_multiply(const pipit_stage *s, const pipit_matrix *w,
                          uint32_t g0, uint32_t g1, const pipit_acts *acts,
                          uint32_t n_rows, float *y, size_t y_stride) {
    const pipit_kernels *k = s->pass->kernels;
    if (g0 == g1) return;
    k->matmul(w, g0, g1, acts, n_rows, y, y_stride,
              s->pass->threads[s->thread].scratch);
    if (w->scale) scale_rows(w, g0, g1, n_rows, y, y_stride);
}

pipit_part pipit_stage_product(const pipit_stage *s, const pipit_matrix *w,
                               const pipit_acts *acts, float *y,
                               size_t y_stride) {
    pipit_part r = pipit_stage_part(s, w);
    pipit_stage_multiply(s, w, r.g0, r.g1, acts, s->pass->n_tokens, y,
                         y_stride);
    return r;
}

pipit_part pipit_stage_adapted(const pipit_stage *s, pipit_target target,
                               const pipit_acts *acts, float *y,
                               size_t y_stride) {
    const pipit_matrix *w =
        pipit_target_matrix(s->pass->model, s->layer, target);
    pipit_part r = pipit_stage_product(s, w, acts, y, y_stride);
    expand(s, target, r, y, y_stride);
    return r;
}

static void scale_row(float *y, float scale, uint32_t n) {
    if (scale != 1.0f)
        for (uint32_t i = 0; i < n; i++) y[i] *= scale;
}

void pipit_stage_add_residual(const pipit_stage *s, pipit_part r,
                              const float *bias, const float *post_norm) {
    pipit_pass *p = s->pass;
    const pipit_hparams *h = &p->model->h;
    uint32_t n = r.end - r.begin;
    for (uint32_t i = 0; i < p->n_tokens; i++) {
        float *y = p->y + i * p->embd_stride + r.begin;
        if (bias) p->kernels->add(y, bias + r.begin, n);
        if (post_norm) continue;
        scale_row(y, h->residual_scale, n);
        p->kernels->add(p->x + i * p->embd_stride + r.begin, y, n);
    }
    pipit_stage_barrier(s);
    if (!post_norm || !pipit_stage_is_last(s)) return;
    uint32_t begin, end;
    pipit_split(p->n_tokens, s->thread, s->n_threads, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        float *y = p->y + i * p->embd_stride;
        p->kernels->rms_norm(y, post_norm, h->n_embd, h->norm_eps, y);
        scale_row(y, h->residual_scale, h->n_embd);
        p->kernels->add(p->x + i * p->embd_stride, y, h->n_embd);
    }
    pipit_stage_barrier(s);
}
