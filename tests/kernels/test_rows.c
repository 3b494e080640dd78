/* Row kernels and attention: every implementation against the scalar one. */
#include "cases.h"

#define MAX_N 131u

static void fill(pipit_rng *rng, float *x, size_t n, case_values values) {
    for (size_t i = 0; i < n; i++) x[i] = case_float(rng, values);
}

static void rows_with(case_values values) {
    pipit_rng rng;
    pipit_rng_seed(&rng, 3);
    for (uint32_t n = 1; n <= MAX_N; n++) {
        float x[MAX_N], w[MAX_N], a[MAX_N], b[MAX_N];
        fill(&rng, x, n, values);
        fill(&rng, w, n, values);
        const pipit_kernels *s = pipit_kernels_at(0);
        for (uint32_t i = 1; pipit_kernels_at(i); i++) {
            const pipit_kernels *k = pipit_kernels_at(i);
            s->rms_norm(x, w, n, 1e-5f, a);
            k->rms_norm(x, w, n, 1e-5f, b);
            CHECK_BITS(b, a, n);
            memcpy(b, x, sizeof x);
            k->rms_norm(b, w, n, 1e-5f, b); /* in place */
            CHECK_BITS(b, a, n);
            memcpy(a, x, sizeof x);
            memcpy(b, x, sizeof x);
            s->add(a, w, n);
            k->add(b, w, n);
            CHECK_BITS(b, a, n);
            s->silu_mul(a, w, n);
            k->silu_mul(b, w, n);
            CHECK_BITS(b, a, n);
            memcpy(a, x, sizeof x);
            memcpy(b, x, sizeof x);
            s->gelu_mul(a, w, n);
            k->gelu_mul(b, w, n);
            CHECK_BITS(b, a, n);
            memcpy(a, x, sizeof x);
            memcpy(b, x, sizeof x);
            float sum_a = s->softmax(a, n), sum_b = k->softmax(b, n);
            CHECK_BITS(&sum_b, &sum_a, 1);
            CHECK_BITS(b, a, n);
        }
    }
}

static void rows_give_the_same_bits(void) {
    rows_with(CASE_TAME);
}

static void extreme_rows_give_the_same_bits(void) {
    rows_with(CASE_WILD);
}

static void turned_rows_give_the_same_bits(void) {
    const pipit_kernels *s = pipit_kernels_at(0);
    pipit_rng rng;
    pipit_rng_seed(&rng, 9);
    for (uint32_t i = 1; pipit_kernels_at(i); i++)
        for (size_t n = 4; n <= 512; n *= 2) {
            const pipit_kernels *k = pipit_kernels_at(i);
            float x[512], a[512], b[512];
            fill(&rng, x, n, CASE_WILD);
            memcpy(a, x, sizeof x);
            memcpy(b, x, sizeof x);
            s->hadamard(a, n);
            k->hadamard(b, n);
            CHECK_BITS(b, a, n);
        }
}

/* Twice makes n times the row. */
static void what_turning_is(void) {
    for (uint32_t i = 0; pipit_kernels_at(i); i++) {
        const pipit_kernels *k = pipit_kernels_at(i);
        float x[64], y[64];
        for (int j = 0; j < 64; j++) x[j] = y[j] = (float)((j * 37) % 64 - 20);
        k->hadamard(y, 64);
        CHECK(y[0] == 64 * 31.5f - 20 * 64);
        k->hadamard(y, 64);
        for (int j = 0; j < 64; j++) CHECK(y[j] == 64 * x[j]);
    }
}

static void exponentials_over_their_whole_range(void) {
    for (float from = -120; from < 120; from += 5) {
        float a[512], b[512], one[512];
        for (int i = 0; i < 512; i++) {
            a[i] = b[i] = from + (float)i * 0.01f;
            one[i] = 1;
        }
        for (uint32_t i = 1; pipit_kernels_at(i); i++) {
            float c[512], d[512];
            memcpy(c, a, sizeof a);
            memcpy(d, b, sizeof b);
            pipit_kernels_at(0)->silu_mul(c, one, 512);
            pipit_kernels_at(i)->silu_mul(d, one, 512);
            CHECK_BITS(d, c, 512);
        }
    }
}

typedef struct cache {
    _Alignas(16) uint8_t keys[4 * 40 * 4 * 24], values[4 * 40 * 4 * 24];
} cache;

static void fill_cache(pipit_rng *rng, const pipit_kernels *k,
                       pipit_kv_type type, uint32_t dim, uint32_t n,
                       case_values values, cache *c) {
    memset(c, 0, sizeof *c);
    for (uint32_t p = 0; p < n; p++) {
        float key[96], value[96];
        fill(rng, key, dim, values);
        fill(rng, value, dim, values);
        k->kv_store(key, value, dim, type, p, c->keys, c->values);
    }
}

static void attention_with(pipit_kv_type type, uint32_t dim, uint32_t n_heads,
                           uint32_t n_pos, case_values values) {
    enum { STRIDE = 64 };
    static cache a, b;
    static uint8_t scratch[16 * (16 + 2 * 96)];
    PIPIT_ASSERT(pipit_attn_scratch_bytes(n_heads, dim) <= sizeof scratch);
    float q[16 * 96], sa[16 * STRIDE] = {0}, sb[16 * STRIDE] = {0};
    float oa[16 * 96], ob[16 * 96], sums[16];
    pipit_rng rng, again;
    pipit_rng_seed(&rng, dim + n_heads * 100 + n_pos * 10000);
    again = rng;
    const pipit_kernels *s = pipit_kernels_at(0);
    fill_cache(&rng, s, type, dim, n_pos, values, &a);
    for (uint32_t i = 1; pipit_kernels_at(i); i++) {
        const pipit_kernels *k = pipit_kernels_at(i);
        pipit_rng same = again;
        fill_cache(&same, k, type, dim, n_pos, values, &b);
        CHECK(memcmp(&a, &b, sizeof a) == 0);
        pipit_kv_span span = {.keys = a.keys, .values = a.values, .type = type,
                              .head_dim = dim, .n_pos = n_pos};
        fill(&same, q, sizeof q / sizeof q[0], values);
        s->attn_scores(q, n_heads, 0.125f, &span, sa, STRIDE, scratch);
        k->attn_scores(q, n_heads, 0.125f, &span, sb, STRIDE, scratch);
        for (uint32_t h = 0; h < n_heads; h++)
            CHECK_BITS(sb + h * STRIDE, sa + h * STRIDE, n_pos);
        for (uint32_t h = 0; h < n_heads; h++) {
            float *row = sa + h * STRIDE;
            if (type == PIPIT_KV_Q8) sums[h] = s->softmax(row, n_pos);
            for (uint32_t p = n_pos; p < STRIDE; p++) row[p] = 0;
        }
        fill(&same, oa, (size_t)n_heads * dim, values);
        memcpy(ob, oa, sizeof oa);
        s->attn_mix(sa, STRIDE, sums, n_heads, &span, oa);
        k->attn_mix(sa, STRIDE, sums, n_heads, &span, ob);
        CHECK_BITS(ob, oa, (size_t)n_heads * dim);
    }
}

static void attention_gives_the_same_bits(void) {
    static const uint32_t dims[] = {4, 8, 12, 64, 80, 96};
    static const pipit_kv_type types[] = {PIPIT_KV_F16, PIPIT_KV_F32,
                                          PIPIT_KV_Q8};
    for (int t = 0; t < 3; t++)
        for (size_t d = 0; d < 6; d++)
            for (uint32_t heads = 1; heads <= 16; heads += heads < 5 ? 1 : 11)
                for (uint32_t n = 1; n <= 38; n += 1 + n / 8) {
                    if (types[t] == PIPIT_KV_Q8 && dims[d] % 32 != 0) continue;
                    attention_with(types[t], dims[d], heads, n, CASE_TAME);
                    attention_with(types[t], dims[d], heads, n, CASE_WILD);
                }
}

int main(void) {
    CASE(rows_give_the_same_bits);
    CASE(extreme_rows_give_the_same_bits);
    CASE(turned_rows_give_the_same_bits);
    CASE(what_turning_is);
    CASE(exponentials_over_their_whole_range);
    CASE(attention_gives_the_same_bits);
    return check_done();
}
