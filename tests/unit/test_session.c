/* Sessions: evaluation in any batches, sync, rewind, windows, several at once. */
#include "session.h"

#include "tiny_model.h"

enum { N = 170, BATCH = 128 };

static uint32_t tokens[N];

/* Logits of every position, in one go. */
static float *all_logits(tiny *t) {
    float *out = malloc(sizeof(float) * N * TINY_VOCAB);
    pipit_session *s = tiny_session(t, TINY_CONTEXT);
    tiny_tokens(tokens, N);
    CHECK(pipit_session_eval(s, tokens, N, PIPIT_ALL_LOGITS, NULL, NULL,
                             NULL) == PIPIT_OK);
    CHECK_EQ_U64(pipit_session_n_logits(s), N);
    for (size_t i = 0; i < N; i++)
        memcpy(out + i * TINY_VOCAB, pipit_session_logits(s, i),
               TINY_VOCAB * sizeof(float));
    pipit_session_close(s);
    return out;
}

static void check_last(const pipit_session *s, const float *all, size_t n) {
    const float *logits = pipit_session_logits(s, 0);
    if (CHECK(logits != NULL))
        CHECK_BITS(logits, all + (n - 1) * TINY_VOCAB, TINY_VOCAB);
}

static tiny_options family(int i) {
    tiny_options o = tiny_defaults();
    if (i > 0) {
        o.arch = "gemma3";
        o.n_layers = 7; /* the sixth is global */
        o.window = i == 1 ? 8 : 200;
    }
    return o;
}

static void batches_of_any_size_give_the_same_bits(void) {
    for (int f = 0; f < 3; f++) {
        tiny_options o = family(f);
        tiny t = tiny_open(&o);
        float *all = all_logits(&t);
        static const size_t sizes[] = {1, 7, 13, 64, 150};
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            pipit_session *s = tiny_session(&t, TINY_CONTEXT);
            for (size_t at = 0; at < N; at += sizes[k]) {
                size_t n = N - at < sizes[k] ? N - at : sizes[k];
                CHECK(pipit_session_eval(s, tokens + at, n, 0, NULL, NULL,
                                         NULL) == PIPIT_OK);
                check_last(s, all, at + n);
            }
            CHECK_EQ_U64(pipit_session_length(s), N);
            pipit_session_close(s);
        }
        free(all);
        tiny_close(&t);
    }
}

/* A window shorter than what was rewound over needs positions that the ring has
 * lost: they are evaluated anew, with the same bits. */
static void rewinding_and_going_on_gives_the_same_bits(void) {
    static const size_t cuts[] = {89, 70, 40, 9, 1, 0};
    for (int f = 0; f < 3; f++) {
        tiny_options o = family(f);
        tiny t = tiny_open(&o);
        float *all = all_logits(&t);
        for (size_t k = 0; k < 6; k++) {
            pipit_session *s = tiny_session(&t, TINY_CONTEXT);
            uint32_t other[3] = {4, 3, 2};
            CHECK(pipit_session_eval(s, tokens, N, 0, NULL, NULL, NULL) ==
                  PIPIT_OK);
            CHECK(pipit_session_rewind(s, cuts[k]) == PIPIT_OK);
            CHECK(pipit_session_logits(s, 0) == NULL);
            CHECK_EQ_U64(pipit_session_length(s), cuts[k]);
            CHECK(pipit_session_step(s) == PIPIT_E_STATE);
            CHECK(pipit_session_eval(s, other, 3, 0, NULL, NULL, NULL) ==
                  PIPIT_OK);
            CHECK(pipit_session_rewind(s, cuts[k]) == PIPIT_OK);
            CHECK(pipit_session_eval(s, tokens + cuts[k], N - cuts[k], 0, NULL,
                                     NULL, NULL) == PIPIT_OK);
            check_last(s, all, N);
            CHECK(pipit_session_rewind(s, N + 1) == PIPIT_E_ARGUMENT);
            pipit_session_close(s);
        }
        free(all);
        tiny_close(&t);
    }
}

static void sync_keeps_the_common_beginning(void) {
    tiny_options o = tiny_defaults();
    tiny t = tiny_open(&o);
    float *all = all_logits(&t);
    pipit_session *s = tiny_session(&t, TINY_CONTEXT);
    size_t kept = 99;
    uint32_t other[30];
    CHECK(pipit_session_sync(s, tokens, 20, &kept, NULL) == PIPIT_OK);
    CHECK_EQ_U64(kept, 0);
    while (pipit_session_step(s) == PIPIT_PENDING) {}
    check_last(s, all, 20);
    /* The same again: nothing to do. */
    CHECK(pipit_session_sync(s, tokens, 20, &kept, NULL) == PIPIT_OK);
    CHECK_EQ_U64(kept, 20);
    CHECK(pipit_session_step(s) == PIPIT_OK);
    check_last(s, all, 20);
    /* Shorter: the last token is evaluated for its logits. */
    CHECK(pipit_session_sync(s, tokens, 15, &kept, NULL) == PIPIT_OK);
    CHECK_EQ_U64(kept, 14);
    while (pipit_session_step(s) == PIPIT_PENDING) {}
    check_last(s, all, 15);
    /* Another turn, then back. */
    memcpy(other, tokens, sizeof other);
    other[10] = (other[10] + 1) % TINY_VOCAB;
    CHECK(pipit_session_sync(s, other, 30, &kept, NULL) == PIPIT_OK);
    CHECK_EQ_U64(kept, 10);
    while (pipit_session_step(s) == PIPIT_PENDING) {}
    CHECK(pipit_session_sync(s, tokens, 60, &kept, NULL) == PIPIT_OK);
    CHECK_EQ_U64(kept, 10);
    while (pipit_session_step(s) == PIPIT_PENDING) {}
    check_last(s, all, 60);
    /* What is wrong changes nothing. */
    other[29] = TINY_VOCAB;
    CHECK(pipit_session_sync(s, other, 30, &kept, NULL) == PIPIT_E_TOKEN);
    CHECK_EQ_U64(pipit_session_length(s), 60);
    check_last(s, all, 60);
    pipit_session_close(s);
    free(all);
    tiny_close(&t);
}

static bool stop_at_once(void *context) {
    ++*(int *)context;
    return true;
}

static void stopping_keeps_whole_batches(void) {
    tiny_options o = tiny_defaults();
    tiny t = tiny_open(&o);
    float *all = all_logits(&t);
    pipit_session *s = tiny_session(&t, TINY_CONTEXT);
    pipit_error error;
    int asked = 0;
    CHECK(pipit_session_eval(s, tokens, N, 0, stop_at_once, &asked, &error) ==
          PIPIT_E_CANCELLED);
    CHECK_EQ_I64(asked, 1);
    CHECK_EQ_U64(pipit_session_length(s), BATCH);
    CHECK(pipit_session_logits(s, 0) == NULL);
    CHECK(pipit_session_eval(s, tokens + BATCH, N - BATCH, 0, NULL, NULL,
                             NULL) == PIPIT_OK);
    check_last(s, all, N);
    pipit_session_close(s);
    free(all);
    tiny_close(&t);
}

static void sessions_interleave_step_by_step(void) {
    tiny_options o = tiny_defaults();
    tiny t = tiny_open(&o);
    float *all = all_logits(&t);
    pipit_session *s[4];
    for (size_t i = 0; i < 4; i++) {
        s[i] = tiny_session(&t, TINY_CONTEXT);
        CHECK(pipit_session_begin(s[i], tokens, N - i, 0, NULL) == PIPIT_OK);
    }
    for (int pending = 4; pending > 0;) {
        pending = 0;
        for (size_t i = 0; i < 4; i++)
            pending += pipit_session_step(s[i]) == PIPIT_PENDING;
    }
    for (size_t i = 0; i < 4; i++) {
        check_last(s[i], all, N - i);
        pipit_session_close(s[i]);
    }
    free(all);
    tiny_close(&t);
}

static void progress_counts_tokens(void) {
    tiny_options o = tiny_defaults();
    tiny t = tiny_open(&o);
    pipit_session *s = tiny_session(&t, TINY_CONTEXT);
    size_t done = 99, total = 99;
    tiny_tokens(tokens, N);
    CHECK(pipit_session_eval(s, tokens, 5, 0, NULL, NULL, NULL) == PIPIT_OK);
    CHECK(pipit_session_begin(s, tokens + 5, 150, 0, NULL) == PIPIT_OK);
    pipit_session_progress(s, &done, &total);
    CHECK_EQ_U64(done, 0);
    CHECK_EQ_U64(total, 150);
    CHECK(pipit_session_step(s) == PIPIT_PENDING);
    pipit_session_progress(s, &done, &total);
    CHECK_EQ_U64(done, BATCH);
    while (pipit_session_step(s) == PIPIT_PENDING) {}
    pipit_session_progress(s, &done, &total);
    CHECK_EQ_U64(done, 150);
    CHECK_EQ_U64(total, 150);
    pipit_session_close(s);
    tiny_close(&t);
}

static void what_does_not_fit_is_refused_first(void) {
    tiny_options o = tiny_defaults();
    tiny t = tiny_open(&o);
    pipit_session *s = tiny_session(&t, 10), *none = NULL;
    pipit_session_options so = {.n_context = TINY_CONTEXT + 1};
    pipit_error error = {0};
    uint32_t bad = TINY_VOCAB;
    tiny_tokens(tokens, N);
    CHECK_EQ_U64(pipit_session_capacity(s), 10);
    CHECK(pipit_session_begin(s, tokens, 11, 0, &error) == PIPIT_E_CONTEXT);
    CHECK_HOLDS(error.message, "context of 10");
    CHECK(pipit_session_begin(s, tokens, 0, 0, &error) == PIPIT_E_ARGUMENT);
    CHECK(pipit_session_begin(s, NULL, 1, 0, &error) == PIPIT_E_ARGUMENT);
    CHECK(pipit_session_begin(s, tokens, 1, 8, &error) == PIPIT_E_ARGUMENT);
    CHECK(pipit_session_begin(s, &bad, 1, 0, &error) == PIPIT_E_TOKEN);
    CHECK_HOLDS(error.message, "token 50");
    CHECK(pipit_session_step(s) == PIPIT_E_STATE);
    CHECK(pipit_session_eval(s, tokens, 10, 0, NULL, NULL, NULL) == PIPIT_OK);
    CHECK(pipit_session_begin(s, tokens, 1, 0, &error) == PIPIT_E_CONTEXT);
    CHECK(pipit_session_logits(s, 0) != NULL); /* nothing was lost */
    CHECK(pipit_session_logits(s, 1) == NULL);
    CHECK(pipit_session_open(t.model, &so, NULL, &none, &error) ==
          PIPIT_E_CONTEXT);
    for (uint64_t i = 1; i <= 2; i++) {
        check_memory memory = {.fail_at = i};
        pipit_allocator a = check_allocator(&memory);
        pipit_session *small = NULL;
        pipit_status status =
            pipit_session_open(t.model, NULL, &a, &small, &error);
        CHECK_EQ_I64(status, i == 1 ? PIPIT_E_MEMORY : PIPIT_OK);
        if (small)
            CHECK(pipit_session_begin(small, tokens, 3, PIPIT_ALL_LOGITS,
                                      &error) == PIPIT_E_MEMORY);
        pipit_session_close(small);
        CHECK_EQ_U64(memory.n_live, 0);
    }
    pipit_session_close(s);
    pipit_session_close(NULL);
    tiny_close(&t);
}

static void every_kernel_and_thread_gives_the_same_bits(void) {
    tiny_options o = family(1);
    tiny first = tiny_open(&o);
    float *all = all_logits(&first);
    for (uint32_t i = 0; pipit_kernels_list(i); i++)
        for (uint32_t threads = 1; threads <= 4; threads++) {
            tiny t;
            CHECK(tiny_load(threads, pipit_kernels_list(i), 1000, NULL, &t,
                            NULL) == PIPIT_OK);
            float *same = all_logits(&t);
            CHECK_BITS(same, all, N * TINY_VOCAB);
            free(same);
            tiny_close(&t);
        }
    free(all);
    tiny_close(&first);
}

/* A session that syncs to a text of which another has the beginning. */
static void sessions_share_a_beginning(void) {
    static const uint32_t windows[] = {0, 8};
    for (size_t w = 0; w < 2; w++)
        for (uint32_t context = 60; context <= 360; context += 300) {
            uint32_t text[50], other[50];
            size_t kept = 0;
            tiny_options o = tiny_defaults();
            if (windows[w]) o.arch = "gemma3";
            o.window = windows[w];
            o.n_context = 400;
            tiny t = tiny_open(&o);
            tiny_tokens(text, 50);
            memcpy(other, text, sizeof text);
            for (size_t i = 30; i < 50; i++) other[i] = (text[i] + 1) % 40;
            pipit_session *first = tiny_session(&t, 60);
            pipit_session *second = tiny_session(&t, context);
            CHECK(pipit_session_eval(first, text, 50, 0, NULL, NULL, NULL) ==
                  PIPIT_OK);
            CHECK(pipit_session_sync(second, other, 50, &kept, NULL) ==
                  PIPIT_OK);
            /* Rings of another size can't be copied. */
            bool shared = windows[w] == 0 || context == 60;
            CHECK_EQ_U64(kept, shared ? 30 : 0);
            while (pipit_session_step(second) == PIPIT_PENDING) {}
            pipit_session_close(first);
            pipit_session *fresh = tiny_session(&t, 60);
            CHECK(pipit_session_eval(fresh, other, 50, 0, NULL, NULL, NULL) ==
                  PIPIT_OK);
            CHECK(memcmp(pipit_session_logits(fresh, 0),
                         pipit_session_logits(second, 0),
                         TINY_VOCAB * sizeof(float)) == 0);
            /* And all of it is there: going on gives the same as well. */
            CHECK(pipit_session_sync(second, text, 50, &kept, NULL) ==
                  PIPIT_OK);
            while (pipit_session_step(second) == PIPIT_PENDING) {}
            CHECK(pipit_session_sync(fresh, text, 50, &kept, NULL) == PIPIT_OK);
            while (pipit_session_step(fresh) == PIPIT_PENDING) {}
            CHECK(memcmp(pipit_session_logits(fresh, 0),
                         pipit_session_logits(second, 0),
                         TINY_VOCAB * sizeof(float)) == 0);
            pipit_session_close(fresh);
            pipit_session_close(second);
            tiny_close(&t);
        }
}

int main(void) {
    CASE(batches_of_any_size_give_the_same_bits);
    CASE(rewinding_and_going_on_gives_the_same_bits);
    CASE(sync_keeps_the_common_beginning);
    CASE(sessions_share_a_beginning);
    CASE(stopping_keeps_whole_batches);
    CASE(sessions_interleave_step_by_step);
    CASE(progress_counts_tokens);
    CASE(what_does_not_fit_is_refused_first);
    CASE(every_kernel_and_thread_gives_the_same_bits);
    return check_done();
}
