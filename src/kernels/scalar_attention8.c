/* scalar_attention8.c — the specification of attention with keys and values of 8
 * bits: kv8.h says what, this how. */
#include "../mathf.h"
#include "kv8.h"
#include "scalar.h"

static float larger(float a, float b) {
    return b > a ? b : a; /* NaN doesn't count */
}

static float amount(float x) {
    return x != x ? 0 : x < 0 ? -x : x;
}

static float largest_sum(const float s[4]) {
    return larger(s[0] + s[1], s[2] + s[3]);
}

static int8_t quant_of(float v, float least) {
    if (!(v > least)) v = v != v ? 0.0f : least;
    if (v > 127.0f) v = 127.0f;
    return (int8_t)pipit_round_even(v);
}

/* ---- scores ---------------------------------------------------------------- */

static float quantize_query(const float *x, uint32_t dim, int8_t *q) {
    float most = 0, sum = 0;
    for (uint32_t i = 0; i < dim; i += 8) {
        float s[4];
        for (uint32_t j = 0; j < 4; j++) {
            float a = amount(x[i + j]), b = amount(x[i + 4 + j]);
            most = larger(larger(most, a), b);
            s[j] = a + b;
        }
        sum = larger(sum, largest_sum(s));
    }
    pipit_kv8_unit u =
        pipit_kv8_unit_of(most, sum, PIPIT_KV8_QUERY_BOUND);
    for (uint32_t i = 0; i < dim; i++)
        q[i] = quant_of(x[i] * u.inverse, -127.0f);
    return u.unit;
}

void pipit_scalar_scores8(const float *q, uint32_t n_heads, float scale,
                          const pipit_kv_span *kv, float *scores,
                          size_t score_stride, uint8_t *scratch) {
    uint32_t dim = kv->head_dim;
    int8_t *quants = (int8_t *)scratch;
    for (uint32_t h = 0; h < n_heads; h++, scores += score_stride) {
        float d = quantize_query(q + h * dim, dim, quants) * scale;
        for (uint32_t p = 0; p < kv->n_pos; p++) {
            const uint8_t *group =
                (const uint8_t *)kv->keys + p / 4 * pipit_kv8_group_bytes(dim);
            const int8_t *key = (const int8_t *)group + 16 + 4 * (p % 4);
            int32_t dot = 0;
            for (uint32_t i = 0; i < dim; i++)
                dot += quants[i] * key[i / 4 * 16 + i % 4];
            scores[p] = (float)dot * pipit_load_f32(group + 4 * (p % 4)) * d;
        }
    }
}

/* ---- the mix --------------------------------------------------------------- */

/* out += values . what 8 bits hold of w, which is taken from w; bias: 0 to
 * round, a half to round down. */
static void mix_part(float w[32], float bias, const uint8_t *values,
                     uint32_t dim, float *out) {
    float most = 0, sums[2][4] = {{0}};
    int8_t q[32];
    for (int i = 0; i < 32; i++) {
        most = larger(most, w[i]);
        sums[i / 16][i % 4] += w[i];
    }
    pipit_kv8_unit u = pipit_kv8_unit_of(
        most, larger(largest_sum(sums[0]), largest_sum(sums[1])),
        PIPIT_KV8_WEIGHT_BOUND);
    for (int i = 0; i < 32; i++) {
        q[i] = quant_of(w[i] * u.inverse - bias, 0.0f);
        w[i] = larger(0, w[i] - u.unit * (float)q[i]);
    }
    for (uint32_t d = 0; d < dim; d++) {
        const int8_t *value =
            (const int8_t *)values + d / 4 * 128 + d % 4 * 4;
        int32_t dot = 0;
        for (int i = 0; i < 32; i++) dot += q[i] * value[i / 4 * 16 + i % 4];
        out[d] += u.unit * (float)dot;
    }
}

static void mix_row(const float *p, float sum, const float *scales,
                    const uint8_t *values, uint32_t dim, float *out) {
    float w[32], most = 0;
    for (int i = 0; i < 32; i++) {
        most = larger(most, p[i]);
        w[i] = p[i] * scales[i];
    }
    if (!(most > PIPIT_KV8_LEAST * sum)) return;
    bool large = most > PIPIT_KV8_LARGE * sum;
    mix_part(w, large ? 0.5f : 0.0f, values, dim, out);
    if (large) mix_part(w, 0.0f, values, dim, out);
}

static void mix_block(const float *p, size_t p_stride, const float *sums,
                      uint32_t n_heads, const float *scales,
                      const uint8_t *values, uint32_t dim, float *out) {
    for (uint32_t h = 0; h < n_heads; h++, p += p_stride, out += dim)
        mix_row(p, sums[h], scales, values, dim, out);
}

void pipit_scalar_mix8(const float *p, size_t p_stride, const float *sums,
                       uint32_t n_heads, const pipit_kv_span *kv, float *out) {
    pipit_kv8_mix(mix_block, p, p_stride, sums, n_heads, kv, out);
}
