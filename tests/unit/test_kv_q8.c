/* Keys and values in 8 bits: what is stored comes back within half a step, and a
 * session of them is near one of floats, with the same bits however it is cut. */
#include "kv_q8.h"
#include "kvcache.h"
#include "session.h"

#include "tiny_model.h"

#include <math.h>

enum { DIM = 96, SLOTS = 256, LONG = 300 };

static _Alignas(16) uint8_t keys[2][SLOTS * DIM * 2],
    values[2][SLOTS * DIM * 2];

static pipit_kv8_head head(int i) {
    PIPIT_ASSERT(pipit_kv8_key_bytes(DIM, SLOTS) <= sizeof keys[0] &&
                 pipit_kv8_value_bytes(DIM, SLOTS) <= sizeof values[0]);
    return pipit_kv8_head_at(keys[i], values[i], DIM, SLOTS);
}

static float largest(const float *x, int n) {
    float most = 0;
    for (int i = 0; i < n; i++) most = fmaxf(most, fabsf(x[i]));
    return most;
}

static float value_at(const pipit_kv8_head *h, uint32_t slot, uint32_t d) {
    pipit_matrix m = pipit_kv8_values(h, slot & ~31u, 32);
    float row[32];
    pipit_layout_row(&m, d, row);
    return row[slot % 32] * h->scales[slot];
}

/* Within half a step of each scale; f16 scales of keys are off by 2^-11. */
static void check_slot(const pipit_kv8_head *h, uint32_t slot,
                       const float *key, const float *value) {
    pipit_matrix m = pipit_kv8_keys(h, slot & ~3u, 4);
    float row[DIM], most = largest(value, DIM);
    pipit_layout_row(&m, slot % 4, row);
    for (int i = 0; i < DIM; i++) {
        float step = largest(key + i / 32 * 32, 32) / 127;
        CHECK(fabsf(row[i] - key[i]) <= 0.57f * step);
        CHECK(fabsf(value_at(h, slot, (uint32_t)i) - value[i]) <=
              0.501f * most / 127);
    }
}

static void what_is_stored_comes_back(void) {
    static float x[SLOTS][2][DIM];
    pipit_kv8_head a = head(0), b = head(1);
    pipit_rng rng;
    pipit_rng_seed(&rng, 5);
    for (uint32_t s = 0; s < SLOTS; s++) {
        for (int i = 0; i < 2 * DIM; i++)
            x[s][i / DIM][i % DIM] = (float)(pipit_rng_unit(&rng) * 8 - 4);
        if (s == 7) memset(x[s], 0, sizeof x[s]);
        if (s == 9) x[s][0][40] = x[s][1][3] = 1e4f;
        pipit_kv8_store(&a, s, x[s][0], x[s][1]);
    }
    for (uint32_t s = 0; s < SLOTS; s++) check_slot(&a, s, x[s][0], x[s][1]);
    pipit_kv8_copy(&b, &a, 141);
    for (uint32_t s = 0; s < 141; s++) check_slot(&b, s, x[s][0], x[s][1]);
}

static void what_is_no_number_is_kept_as_0(void) {
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    pipit_kv8_head h = head(0);
    for (int k = 0; k < 3; k++) {
        float x[DIM], row[DIM];
        for (int i = 0; i < DIM; i++) x[i] = 1;
        x[33] = bad[k];
        pipit_kv8_store(&h, 0, x, x);
        pipit_matrix m = pipit_kv8_keys(&h, 0, 1);
        pipit_layout_row(&m, 0, row);
        CHECK(row[33] == 0 && fabsf(row[2] - 1) < 0.01f);
        CHECK(value_at(&h, 0, 33) == 0 && h.scales[0] <= 3.4e38f / 100);
        CHECK(fabsf(value_at(&h, 0, 2) - (k == 0 ? 1 : 0)) < 0.01f);
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
    CASE(sessions_are_near_those_of_floats);
    CASE(the_same_bits_however_cut);
    CASE(a_copied_beginning_gives_the_same_bits);
    CASE(heads_that_do_not_fit_are_refused);
    return check_done();
}
