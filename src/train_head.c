/* Both ends of the model: tokens to the first layer's input, and the last
 * layer's output to logits, loss and its gradient, for the rows that precede an
 * answer token, some of them at a time. */
#include "mathf.h"
#include "rope.h"
#include "train_product.h"
#include "train_row.h"

static void fill_angles(const pipit_train *t, uint32_t row, int which) {
    uint32_t n = t->model->h.n_rot;
    float *turn = t->rope[which] + (size_t)row * n;
    float *back = t->rope_back[which] + (size_t)row * n;
    pipit_rope_table(t->rope_freqs[which], t->rope_magnitude[which], n,
                     t->positions[row], turn);
    for (uint32_t j = 0; j < n; j++) back[j] = j % 2 ? -turn[j] : turn[j];
}

void pipit_train_embed(const pipit_train_part *part) {
    pipit_train *t = part->train;
    const pipit_hparams *h = &t->model->h;
    uint32_t begin, end;
    pipit_train_rows(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        float *x = pipit_train_input(t, 0) + i * t->embd_stride;
        pipit_layout_row(&t->model->token_embd, t->tokens[i], x);
        for (uint32_t c = 0; c < h->n_embd && h->embed_scale != 1.0f; c++)
            x[c] *= h->embed_scale;
        for (int w = 0; w < 2; w++) fill_angles(t, i, w);
    }
}

static void own_answers(const pipit_train_part *part, uint32_t *begin,
                        uint32_t *end) {
    pipit_split(part->train->head_n, part->thread, part->n_threads, begin,
                end);
}

static float *last_row(const pipit_train *t, uint32_t i) {
    return pipit_train_input(t, t->model->h.n_layers) +
           t->answer_rows[t->head_first + i] * t->embd_stride;
}

static void head_norm(const pipit_train_part *part) {
    pipit_train *t = part->train;
    const pipit_model *m = t->model;
    uint32_t begin, end;
    own_answers(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        float *h = t->head_h + i * t->embd_stride;
        t->kernels->rms_norm(last_row(t, i), m->output_norm, m->h.n_embd,
                             m->h.norm_eps, h);
        if (pipit_train_quantizes(t, &m->output))
            t->kernels->quantize(h, m->h.n_embd,
                                 t->blocks + i * t->block_stride);
    }
}

static void head_logits(const pipit_train_part *part) {
    pipit_train *t = part->train;
    pipit_train_output logits = {&t->model->output,
                                 {t->logits, t->vocab_stride}};
    pipit_train_product(part, &logits, 1,
                        (pipit_train_floats){t->head_h, t->embd_stride},
                        t->head_n);
}

/* Products to logits, as pipit_pass_put_logits; of capped ones the slopes. */
static void finish_logits(const pipit_model *m, float *logits, float *slopes) {
    float cap = m->h.logit_softcap, scale = m->h.logit_scale;
    uint32_t n = m->h.n_vocab;
    for (uint32_t i = 0; i < n && scale != 1.0f; i++) logits[i] *= scale;
    for (uint32_t i = 0; i < n && m->output_bias; i++)
        logits[i] += m->output_bias[i];
    for (uint32_t i = 0; i < n && cap > 0; i++) {
        float t = pipit_tanhf(logits[i] / cap);
        logits[i] = cap * t;
        slopes[i] = 1.0f - t * t;
    }
}

/* The gradient of logits to that of the products. */
static void finish_back(const pipit_model *m, float *d, const float *slopes) {
    float cap = m->h.logit_softcap, scale = m->h.logit_scale;
    uint32_t n = m->h.n_vocab;
    for (uint32_t i = 0; i < n && cap > 0; i++) d[i] *= slopes[i];
    for (uint32_t i = 0; i < n && scale != 1.0f; i++) d[i] *= scale;
}

static void head_loss(const pipit_train_part *part) {
    pipit_train *t = part->train;
    const pipit_model *m = t->model;
    uint32_t begin, end;
    own_answers(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++) {
        float *logits = t->logits + i * t->vocab_stride;
        finish_logits(m, logits, part->own->slopes);
        t->losses[t->head_first + i] = pipit_train_loss_back(
            logits, m->h.n_vocab, t->answers[t->head_first + i], t->weight,
            t->kernels->softmax);
        finish_back(m, logits, part->own->slopes);
    }
}

static void head_back(const pipit_train_part *part) {
    pipit_train *t = part->train;
    pipit_train_product_back(
        part, &t->model->output,
        (pipit_train_floats){t->logits, t->vocab_stride}, t->head_n,
        (pipit_train_floats){t->head_dh, t->embd_stride}, false);
}

static void head_norm_back(const pipit_train_part *part) {
    pipit_train *t = part->train;
    const pipit_model *m = t->model;
    uint32_t begin, end;
    own_answers(part, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        pipit_train_norm_back(
            last_row(t, i), m->output_norm, t->head_dh + i * t->embd_stride,
            m->h.n_embd, m->h.norm_eps,
            t->dx + t->answer_rows[t->head_first + i] * t->embd_stride);
}

const pipit_train_stage pipit_train_head[PIPIT_TRAIN_HEAD_STAGES] = {
    {head_norm, 0, false},
    {head_logits, 1, false},
    {head_loss, 0, false}, /* the last, when there are no gradients */
    {head_back, 1, true},
    {head_norm_back, 0, true},
};
