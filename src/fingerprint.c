#include "fingerprint.h"

#include <stddef.h>

#define FNV_PRIME 0x100000001b3u
#define FNV_BASIS 0xcbf29ce484222325u
/* Columns unpacked at once would be a row: longer ones are passed over. */
#define MAX_COLS 8192u

static uint64_t mix_floats(uint64_t h, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        h = (h ^ bits) * FNV_PRIME;
    }
    return h;
}

static uint64_t mix_matrix(uint64_t h, const pipit_matrix *w, float *row) {
    if (!w->groups) return h;
    uint32_t rows[3] = {0, w->n_rows / 2, w->n_rows - 1};
    h = (h ^ w->n_rows) * FNV_PRIME;
    h = (h ^ w->n_cols) * FNV_PRIME;
    for (uint32_t i = 0; i < 3 && w->n_cols <= MAX_COLS; i++) {
        pipit_layout_row(w, rows[i], row);
        h = mix_floats(h, row, w->n_cols);
    }
    return h;
}

static uint64_t mix_layer(uint64_t h, const pipit_layer *l, uint32_t n_embd,
                          float *row) {
    const pipit_matrix *matrices[] = {
        &l->attn_q, &l->attn_k, &l->attn_v, &l->attn_output, &l->ffn_gate,
        &l->ffn_up, &l->ffn_down, &l->ffn_router, &l->conv_in, &l->conv_out};
    const float *norms[] = {l->attn_norm, l->attn_post_norm, l->ffn_norm,
                            l->ffn_post_norm};
    for (size_t i = 0; i < sizeof matrices / sizeof matrices[0]; i++)
        h = mix_matrix(h, matrices[i], row);
    for (size_t i = 0; i < sizeof norms / sizeof norms[0]; i++)
        if (norms[i]) h = mix_floats(h, norms[i], n_embd);
    return h;
}

void pipit_model_fingerprint(const pipit_model *model, char out[17]) {
    float row[MAX_COLS];
    uint64_t h = mix_matrix(FNV_BASIS, &model->token_embd, row);
    h = mix_matrix(h, &model->output, row);
    h = mix_floats(h, model->output_norm, model->h.n_embd);
    for (uint32_t l = 0; l < model->h.n_layers; l++)
        h = mix_layer(h, &model->layers[l], model->h.n_embd, row);
    for (uint32_t i = 0; i < PIPIT_FINGERPRINT_CHARS; i++)
        out[i] = "0123456789abcdef"[h >> (60 - 4 * i) & 15];
    out[PIPIT_FINGERPRINT_CHARS] = 0;
}
