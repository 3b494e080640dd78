/* scalar.c — the specification of every kernel, in plain loops. */
#include "scalar.h"

#include "../mathf.h"
#include "forms.h"
#include "kv8.h"

#include <math.h>

/* 32 activations. */
typedef struct act_block {
    float d;
    int32_t sum[2]; /* of each 16 quants */
    int8_t q[32];
} act_block;

static float largest(const float *x) {
    float amax = 0;
    for (int i = 0; i < 32; i++) {
        float a = x[i] < 0 ? -x[i] : x[i];
        if (a > amax) amax = a;
    }
    return amax;
}

static void quantize(const float *x, size_t n, uint8_t *blocks) {
    for (size_t b = 0; b < n / 32; b++, x += 32) {
        act_block out = {0};
        float amax = largest(x), inverse = amax > 0 ? 127.0f / amax : 0;
        out.d = amax / 127.0f;
        for (int i = 0; i < 32; i++) {
            float v = x[i] * inverse;
            if (!(v > -127.0f)) v = v != v ? 0.0f : -127.0f;
            if (v > 127.0f) v = 127.0f;
            out.q[i] = (int8_t)pipit_round_even(v);
            out.sum[i / 16] += out.q[i];
        }
        memcpy(blocks + b * sizeof out, &out, sizeof out);
    }
}

/* One block of 32: its integer dots by halves, and what they are worth before
 * the scales that the whole super-block shares. */
static void dot_block(const pipit_form_factors *f, const int8_t *q,
                      const act_block *x, bool by_halves, float *t, float *u) {
    int32_t dot[2] = {0, 0};
    for (int i = 0; i < 32; i++) dot[i / 16] += q[i] * x->q[i];
    float whole = f->scale[0] * (float)(dot[0] + dot[1]);
    if (by_halves)
        whole = f->scale[0] * (float)dot[0] + f->scale[1] * (float)dot[1];
    *t += x->d * whole;
    if (by_halves) {
        *u += f->min[0] * (x->d * (float)x->sum[0]);
        *u += f->min[1] * (x->d * (float)x->sum[1]);
    } else {
        *u += f->min[0] * (x->d * (float)(x->sum[0] + x->sum[1]));
    }
}

static float dot_quants(const pipit_matrix *w, const pipit_form_info *form,
                        const uint8_t *group, uint32_t r,
                        const uint8_t *blocks) {
    float acc = 0, acc_min = 0;
    bool by_halves = form->scales >= PIPIT_SCALES_I8_16;
    for (uint32_t b = 0; b < w->n_cols / form->block_cols;
         b++, group += form->block_bytes) {
        pipit_form_factors f = {0};
        float t = 0, u = 0;
        for (uint32_t s = 0; s < form->n_subs; s++, blocks += sizeof(act_block)) {
            act_block x;
            int8_t q[32];
            memcpy(&x, blocks, sizeof x);
            f = pipit_form_factors_of(form, group, s, r, pipit_scale_of);
            pipit_form_quants(form, group, s, r, q);
            dot_block(&f, q, &x, by_halves, &t, &u);
        }
        acc += f.d * t;
        acc_min += f.m * u;
    }
    return form->has_min ? acc + acc_min : acc;
}

static float weight_at(const pipit_matrix *w, const uint8_t *group, uint32_t r,
                       uint32_t c) {
    if (w->type == PIPIT_TYPE_F32)
        return pipit_load_f32(group + 16 * (size_t)c + 4 * r);
    uint16_t h = pipit_load_u16(group + 8 * (size_t)c + 2 * r);
    return w->type == PIPIT_TYPE_F16 ? pipit_f16_to_f32(h)
                                     : pipit_bf16_to_f32(h);
}

static float dot_floats(const pipit_matrix *w, const uint8_t *group, uint32_t r,
                        const float *x, float acc) {
    for (uint32_t c = 0; c < w->n_cols; c++)
        acc += weight_at(w, group, r, c) * x[c];
    return acc;
}

static void multiply_row(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                         const pipit_acts *x, float *y) {
    const pipit_form_info *form = pipit_form(w->type);
    bool floats = form->kind == PIPIT_FORM_FLOAT;
    for (uint32_t g = g0; g < g1; g++) {
        const uint8_t *group = w->groups + g * w->group_bytes;
        for (uint32_t r = 0; r < PIPIT_GROUP_ROWS; r++)
            y[g * PIPIT_GROUP_ROWS + r] =
                floats ? dot_floats(w, group, r, x->x, 0)
                       : dot_quants(w, form, group, r, x->blocks);
    }
}

static size_t matmul_scratch_bytes(uint32_t n_cols, uint32_t n_tokens) {
    (void)n_cols;
    (void)n_tokens;
    return 0;
}

static void matmul(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                   const pipit_acts *x, uint32_t n_tokens, float *y,
                   size_t y_stride, uint8_t *scratch) {
    (void)scratch;
    for (uint32_t i = 0; i < n_tokens; i++) {
        pipit_acts row = {.x = x->x + i * x->x_stride,
                          .blocks = x->blocks + i * x->block_stride};
        multiply_row(w, g0, g1, &row, y + i * y_stride);
    }
}

static void accumulate(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                       const pipit_acts *x, uint32_t n_tokens, float *y,
                       size_t y_stride) {
    for (uint32_t i = 0; i < n_tokens; i++)
        for (uint32_t g = g0; g < g1; g++) {
            const uint8_t *group = w->groups + g * w->group_bytes;
            float *out = y + i * y_stride + g * PIPIT_GROUP_ROWS;
            for (uint32_t r = 0; r < PIPIT_GROUP_ROWS; r++)
                out[r] =
                    dot_floats(w, group, r, x->x + i * x->x_stride, out[r]);
        }
}

/* ---- rows --------------------------------------------------------------- */

void pipit_scalar_rms_norm(const float *x, const float *w, size_t n, float eps,
                           float *y) {
    float sums[4] = {0, 0, 0, 0};
    for (size_t i = 0; i < n; i++) sums[i % 4] += x[i] * x[i];
    float sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    float scale = 1.0f / pipit_sqrtf(sum / (float)n + eps);
    for (size_t i = 0; i < n; i++) y[i] = x[i] * scale * w[i];
}

void pipit_scalar_add(float *x, const float *y, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] += y[i];
}

static void hadamard(float *x, size_t n) {
    for (size_t h = 1; h < n; h *= 2)
        for (size_t i = 0; i < n; i++) {
            if (i & h) continue;
            float a = x[i], b = x[i + h];
            x[i] = a + b;
            x[i + h] = a - b;
        }
}

void pipit_scalar_silu_mul(float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++)
        gate[i] = gate[i] / (1.0f + pipit_expf(-gate[i])) * up[i];
}

void pipit_scalar_gelu_mul(float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float x = gate[i];
        float inner = 0.79788456080286535588f * (x + 0.044715f * x * x * x);
        gate[i] = 0.5f * x * (1.0f + pipit_tanhf(inner)) * up[i];
    }
}

/* ---- attention ---------------------------------------------------------- */

static float kv_at(const void *data, pipit_kv_type type, size_t i) {
    const uint8_t *bytes = data;
    return type == PIPIT_KV_F32 ? pipit_load_f32(bytes + 4 * i)
                                : pipit_scale_of(pipit_load_u16(bytes + 2 * i));
}

static void attn_scores(const float *q, uint32_t n_heads, float scale,
                        const pipit_kv_span *kv, float *scores,
                        size_t score_stride, uint8_t *scratch) {
    size_t dim = kv->head_dim;
    if (kv->type == PIPIT_KV_Q8) {
        pipit_scalar_scores8(q, n_heads, scale, kv, scores, score_stride,
                             scratch);
        return;
    }
    for (uint32_t h = 0; h < n_heads; h++)
        for (uint32_t p = 0; p < kv->n_pos; p++) {
            size_t group = (size_t)(p / 4) * dim * 4;
            float acc = 0;
            for (size_t d = 0; d < dim; d++)
                acc += q[h * dim + d] *
                       kv_at(kv->keys, kv->type, group + 4 * d + p % 4);
            scores[h * score_stride + p] = acc * scale;
        }
}

float pipit_scalar_softmax(float *s, size_t n) {
    float max = -INFINITY, sums[4] = {0, 0, 0, 0};
    for (size_t i = 0; i < n; i++)
        if (s[i] > max) max = s[i];
    for (size_t i = 0; i < n; i++) {
        s[i] = pipit_expf_below_0(s[i] - max);
        sums[i % 4] += s[i];
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static void attn_mix(const float *p, size_t p_stride, const float *sums,
                     uint32_t n_heads, const pipit_kv_span *kv, float *out) {
    size_t dim = kv->head_dim;
    if (kv->type == PIPIT_KV_Q8) {
        pipit_scalar_mix8(p, p_stride, sums, n_heads, kv, out);
        return;
    }
    for (uint32_t h = 0; h < n_heads; h++)
        for (uint32_t i = 0; i < kv->n_pos; i++)
            for (size_t d = 0; d < dim; d++)
                out[h * dim + d] += p[h * p_stride + i] *
                                    kv_at(kv->values, kv->type, i * dim + d);
}

static void kv_store(const float *key, const float *value, uint32_t head_dim,
                     pipit_kv_type type, uint32_t pos, void *keys,
                     void *values) {
    size_t dim = head_dim;
    if (type == PIPIT_KV_Q8) {
        pipit_kv8_store(key, value, head_dim, pos, keys, values);
        return;
    }
    for (size_t d = 0; d < dim; d++) {
        size_t k = (size_t)(pos / 4) * dim * 4 + 4 * d + pos % 4;
        size_t v = pos * dim + d;
        if (type == PIPIT_KV_F32) {
            memcpy((uint8_t *)keys + 4 * k, key + d, 4);
            memcpy((uint8_t *)values + 4 * v, value + d, 4);
        } else {
            uint16_t kh = pipit_f32_to_f16(key[d]);
            uint16_t vh = pipit_f32_to_f16(value[d]);
            memcpy((uint8_t *)keys + 2 * k, &kh, 2);
            memcpy((uint8_t *)values + 2 * v, &vh, 2);
        }
    }
}

const pipit_kernels pipit_kernels_scalar = {
    .name = "scalar",
    .act_block_bytes = sizeof(act_block),
    .quantize = quantize,
    .matmul_scratch_bytes = matmul_scratch_bytes,
    .matmul = matmul,
    .accumulate = accumulate,
    .rms_norm = pipit_scalar_rms_norm,
    .add = pipit_scalar_add,
    .hadamard = hadamard,
    .silu_mul = pipit_scalar_silu_mul,
    .gelu_mul = pipit_scalar_gelu_mul,
    .attn_scores = attn_scores,
    .softmax = pipit_scalar_softmax,
    .attn_mix = attn_mix,
    .kv_store = kv_store,
};
