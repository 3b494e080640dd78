/* Keys and values in 8 bits: what is stored comes back within half a step, and a
 * session of them is near one of floats, with the same bits however it is cut. */
#include "kvcache.h"
#include "session.h"

#include "tiny_model.h"

#include <math.h>

enum { DIM = 96, SLOTS = 256, LONG = 300 };

static _Alignas(16) uint8_t keys[SLOTS * (DIM + 4)], values[SLOTS * (DIM + 4)];

static float largest(const float *x, int n) {
    float most = 0;
    for (int i = 0; i < n; i++) most = fmaxf(most, fabsf(x[i]));
    return most;
}

static float key_at(uint32_t slot, uint32_t d) {
    const uint8_t *group = keys + slot / 4 * pipit_kv8_group_bytes(DIM);
    const int8_t *q = (const int8_t *)group + 16;
    return (float)q[d / 4 * 16 + slot % 4 * 4 + d % 4] *
           pipit_load_f32(group + 4 * (slot % 4));
}

static float value_scale(uint32_t slot) {
    return pipit_load_f32(values + slot / 32 * pipit_kv8_block_bytes(DIM) +
                          4 * (slot % 32));
}

static float value_at(uint32_t slot, uint32_t d) {
    const uint8_t *block = values + slot / 32 * pipit_kv8_block_bytes(DIM);
    const int8_t *q = (const int8_t *)block + 128;
    return (float)q[d / 4 * 128 + slot % 32 / 4 * 16 + d % 4 * 4 + slot % 4] *
           value_scale(slot);
}

static void store(uint32_t slot, const float *key, const float *value) {
    pipit_kernels_at(0)->kv_store(key, value, DIM, PIPIT_KV_Q8, slot, keys,
                                  values);
}

/* Within half a step of each scale. */
static void what_is_stored_comes_back(void) {
    static float x[SLOTS][2][DIM];
    pipit_rng rng;
    pipit_rng_seed(&rng, 5);
    for (uint32_t s = 0; s < SLOTS; s++) {
        for (int i = 0; i < 2 * DIM; i++)
            x[s][i / DIM][i % DIM] = (float)(pipit_rng_unit(&rng) * 8 - 4);
        if (s == 7) memset(x[s], 0, sizeof x[s]);
        if (s == 9) x[s][0][40] = x[s][1][3] = 1e4f;
        store(s, x[s][0], x[s][1]);
    }
    for (uint32_t s = 0; s < SLOTS; s++)
        for (uint32_t i = 0; i < DIM; i++) {
            CHECK(fabsf(key_at(s, i) - x[s][0][i]) <=
                  0.501f * largest(x[s][0], DIM) / 127);
            CHECK(fabsf(value_at(s, i) - x[s][1][i]) <=
                  0.501f * largest(x[s][1], DIM) / 127);
        }
}

static void what_is_no_number_is_kept_as_0(void) {
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int k = 0; k < 3; k++) {
        float x[DIM], kept = k == 0 ? 1 : 0;
        for (int i = 0; i < DIM; i++) x[i] = 1;
        x[33] = bad[k];
        store(0, x, x);
        CHECK(key_at(0, 33) == 0 && fabsf(key_at(0, 2) - kept) < 0.01f);
        CHECK(value_at(0, 33) == 0 && fabsf(value_at(0, 2) - kept) < 0.01f);
        CHECK(value_scale(0) <= 3.4e38f / 100);
    }
}

/* Against doubles: rounding as the units say, large weights beside small ones,
 * blocks that weigh nothing. */
static void a_mix_is_near_the_exact_one(void) {
    static float x[SLOTS][DIM], p[SLOTS], key[DIM];
    pipit_rng rng;
    pipit_rng_seed(&rng, 6);
    for (uint32_t s = 0; s < SLOTS; s++) {
        for (int i = 0; i < DIM; i++)
            x[s][i] = (float)(pipit_rng_unit(&rng) * 2 - 1);
        store(s, key, x[s]);
    }
    for (int shape = 0; shape < 3; shape++) {
        float out[DIM] = {0}, sum = 0, most = 0;
        for (uint32_t s = 0; s < SLOTS; s++) {
            float u = (float)pipit_rng_unit(&rng);
            p[s] = shape == 0 ? u : shape == 1 ? expf(-20 * u) : 1e-4f * u;
            if (shape == 2 && s == 100) p[s] = 1;
            if (shape == 2 && s / 32 == 5) p[s] = 1e-9f;
            sum += p[s];
        }
        pipit_kv_span span = {keys, values, PIPIT_KV_Q8, DIM, SLOTS};
        pipit_kernels_at(0)->attn_mix(p, SLOTS, &sum, 1, &span, out);
        for (uint32_t d = 0; d < DIM; d++) {
            double exact = 0;
            for (uint32_t s = 0; s < SLOTS; s++)
                exact += (double)p[s] * (double)value_at(s, d);
            most = fmaxf(most, fabsf(out[d] - (float)exact) / sum);
        }
        CHECK(most < 0.002f);
    }
}

/* ---- sessions -------------------------------------------------------------- */

static uint32_t tokens[LONG];

static tiny_options wide_heads(bool windowed) {
    tiny_options o = tiny_defaults();
    o.n_embd = 64;
    o.n_heads = 2; /* of 32 elements */
    o.n_kv_heads = 1;
    o.n_context = LONG + 20;
    if (windowed) {
        o.arch = "gemma3";
        o.n_layers = 7;
        o.window = 40;
    }
    return o;
}

static pipit_session *open_session(tiny *t, pipit_kv_type type) {
    pipit_session_options so = {.n_context = LONG + 20, .kv_type = type};
    pipit_session *s = NULL;
    CHECK(pipit_session_open(t->model, &so, NULL, &s, NULL) == PIPIT_OK);
    return s;
}

/* Tokens in pieces; the last one's logits, owned by the caller. */
static float *last_logits(tiny *t, pipit_kv_type type, size_t piece) {
    float *out = malloc(sizeof(float) * TINY_VOCAB);
    pipit_session *s = open_session(t, type);
    tiny_tokens(tokens, LONG);
    for (size_t at = 0; at < LONG; at += piece) {
        size_t n = LONG - at < piece ? LONG - at : piece;
        CHECK(pipit_session_eval(s, tokens + at, n, 0, NULL, NULL, NULL) ==
              PIPIT_OK);
    }
    memcpy(out, pipit_session_logits(s, 0), sizeof(float) * TINY_VOCAB);
    pipit_session_close(s);
    return out;
}

static void sessions_are_near_those_of_floats(void) {
    for (int windowed = 0; windowed < 2; windowed++) {
        tiny_options o = wide_heads(windowed);
        tiny t = tiny_open(&o);
        float *exact = last_logits(&t, PIPIT_KV_F32, 64);
        float *near = last_logits(&t, PIPIT_KV_Q8, 64);
        float *chosen = last_logits(&t, PIPIT_KV_AUTO, 64);
        double error = 0, size = 0;
        for (int i = 0; i < TINY_VOCAB; i++) {
            error += pow((double)near[i] - (double)exact[i], 2);
            size += pow((double)exact[i], 2);
        }
        CHECK(error > 0 && sqrt(error / size) < 0.01);
        CHECK_BITS(chosen, near, TINY_VOCAB);
        free(exact);
        free(near);
        free(chosen);
        tiny_close(&t);
    }
}

static void the_same_bits_however_cut(void) {
    for (int windowed = 0; windowed < 2; windowed++) {
        tiny_options o = wide_heads(windowed);
        tiny t = tiny_open(&o);
        float *all = last_logits(&t, PIPIT_KV_Q8, 1000);
        tiny_close(&t);
        for (uint32_t i = 0; pipit_kernels_list(i); i++)
            for (uint32_t threads = 1; threads <= 3; threads++) {
                CHECK(tiny_load(threads, pipit_kernels_list(i), 1000, NULL, &t,
                                NULL) == PIPIT_OK);
                static const size_t cuts[] = {31, 1, 47};
                float *cut = last_logits(&t, PIPIT_KV_Q8, cuts[threads - 1]);
                CHECK_BITS(cut, all, TINY_VOCAB);
                free(cut);
                tiny_close(&t);
            }
        free(all);
    }
}

static void a_copied_beginning_gives_the_same_bits(void) {
    tiny_options o = wide_heads(false);
    tiny t = tiny_open(&o);
    float *all = last_logits(&t, PIPIT_KV_Q8, LONG);
    pipit_session *first = open_session(&t, PIPIT_KV_Q8);
    pipit_session *second = open_session(&t, PIPIT_KV_Q8);
    size_t kept = 0;
    CHECK(pipit_session_eval(first, tokens, 203, 0, NULL, NULL, NULL) ==
          PIPIT_OK);
    CHECK(pipit_session_sync(second, tokens, LONG, &kept, NULL) == PIPIT_OK);
    CHECK_EQ_U64(kept, 203);
    while (pipit_session_step(second) == PIPIT_PENDING) {}
    CHECK_BITS(pipit_session_logits(second, 0), all, TINY_VOCAB);
    /* and what it was rewound over doesn't matter */
    CHECK(pipit_session_rewind(second, 77) == PIPIT_OK);
    CHECK(pipit_session_eval(second, tokens + 77, LONG - 77, 0, NULL, NULL,
                             NULL) == PIPIT_OK);
    CHECK_BITS(pipit_session_logits(second, 0), all, TINY_VOCAB);
    pipit_session_close(first);
    pipit_session_close(second);
    free(all);
    tiny_close(&t);
}

static void heads_that_do_not_fit_are_refused(void) {
    tiny_options o = tiny_defaults(); /* of 8 elements */
    tiny t = tiny_open(&o);
    pipit_session_options so = {.n_context = 20, .kv_type = PIPIT_KV_Q8};
    pipit_session *s = NULL;
    pipit_error error = {0};
    CHECK(pipit_session_open(t.model, &so, NULL, &s, &error) ==
          PIPIT_E_ARGUMENT);
    CHECK_HOLDS(error.message, "multiple of 32");
    so.kv_type = PIPIT_KV_AUTO;
    CHECK(pipit_session_open(t.model, &so, NULL, &s, &error) == PIPIT_OK);
    pipit_session_close(s);
    tiny_close(&t);
}

int main(void) {
    CASE(what_is_stored_comes_back);
    CASE(what_is_no_number_is_kept_as_0);
    CASE(a_mix_is_near_the_exact_one);
    CASE(sessions_are_near_those_of_floats);
    CASE(the_same_bits_however_cut);
    CASE(a_copied_beginning_gives_the_same_bits);
    CASE(heads_that_do_not_fit_are_refused);
    return check_done();
}
