#include "shortconv.h"

/* Channels [begin, end) of one token; u goes to the ring. */
static void convolve(pipit_pass *p, uint32_t layer, uint32_t token,
                     uint32_t begin, uint32_t end) {
    const pipit_layer *l = &p->model->layers[layer];
    const pipit_kvcache *kv = p->rows[token].of->kv;
    const pipit_conv_layer *c = &kv->convs[layer];
    const float *bcv = p->qkv + token * p->qkv_stride;
    uint32_t n = p->model->h.n_embd, n_taps = kv->n_taps;
    uint32_t pos = p->rows[token].pos;
    float *u = pipit_conv_row(kv, c, pos);
    float *y = p->heads + token * p->heads_stride;
    for (uint32_t i = begin; i < end; i++) {
        u[i] = bcv[i] * bcv[2 * (size_t)n + i];
        y[i] = 0;
    }
    pipit_conv_keep(kv, c, pos, begin, end);
    for (uint32_t j = 0; j < n_taps; j++) {
        if (pos + j + 1 < n_taps) continue; /* before the first position */
        const float *past = pipit_conv_row(kv, c, pos + j + 1 - n_taps);
        for (uint32_t i = begin; i < end; i++)
            y[i] += l->conv[(size_t)i * n_taps + j] * past[i];
    }
    for (uint32_t i = begin; i < end; i++) y[i] *= bcv[n + i];
}

void pipit_short_convolution_in(const pipit_stage *s) {
    pipit_pass *p = s->pass;
    const pipit_layer *l = &p->model->layers[s->layer];
    uint32_t n = p->model->h.n_embd, begin, end;
    pipit_acts acts = pipit_stage_prepare(s, p->x, p->embd_stride, n,
                                          l->attn_norm,
                                          !pipit_is_float(&l->conv_in));
    pipit_stage_product(s, &l->conv_in, &acts, p->qkv, p->qkv_stride);
    pipit_stage_barrier(s);
    if (!pipit_stage_is_last(s)) return;
    pipit_split(n, s->thread, s->n_threads, &begin, &end);
    for (uint32_t i = 0; i < p->n_tokens; i++)
        convolve(p, s->layer, i, begin, end);
    pipit_stage_barrier(s);
}

void pipit_short_convolution_out(const pipit_stage *s) {
    pipit_pass *p = s->pass;
    const pipit_layer *l = &p->model->layers[s->layer];
    pipit_acts acts = pipit_stage_prepare(s, p->heads, p->heads_stride,
                                          p->model->h.n_embd, NULL,
                                          !pipit_is_float(&l->conv_out));
    pipit_part r =
        pipit_stage_product(s, &l->conv_out, &acts, p->y, p->embd_stride);
    pipit_stage_add_residual(s, r, NULL, NULL);
}
