/* Generation: what ends an answer, what the session holds after, and that the
 * same seed draws the same. */
#include "session.h"
#include "tiny_model.h"

typedef struct answer {
    uint32_t tokens[TINY_CONTEXT];
    size_t n_tokens, n_text;
    char text[1024];
    pipit_finish finish;
} answer;

typedef struct setting {
    tiny model;
    pipit_tokenizer *tokenizer;
    pipit_session *session;
} setting;

static setting set_up(void) {
    setting s;
    tiny_options o = tiny_defaults();
    uint32_t prompt[] = {1, 2, 3};
    s.model = tiny_open(&o);
    CHECK(pipit_tokenizer_open(s.model.file, NULL, &s.tokenizer, NULL) ==
          PIPIT_OK);
    s.session = tiny_session(&s.model, 40);
    CHECK(pipit_session_eval(s.session, prompt, 3, 0, NULL, NULL, NULL) ==
          PIPIT_OK);
    return s;
}

static void tear_down(setting *s) {
    pipit_session_close(s->session);
    pipit_tokenizer_close(s->tokenizer);
    tiny_close(&s->model);
}

static answer generate(setting *s, const pipit_generation_options *o) {
    static answer a;
    pipit_generation *g = NULL;
    pipit_error error = {0};
    pipit_sampled sampled = {0};
    a = (answer){0};
    pipit_status status = pipit_generation_open(s->session, s->tokenizer, o,
                                                NULL, &g, &error);
    if (!CHECK(status == PIPIT_OK)) printf("  %s\n", error.message);
    while (status >= 0 && a.finish == PIPIT_FINISH_NONE) {
        status = pipit_generation_step(g, &sampled);
        if (status != PIPIT_OK) continue;
        a.tokens[a.n_tokens++] = sampled.token;
        memcpy(a.text + a.n_text, sampled.text.bytes, sampled.text.n_bytes);
        a.n_text += sampled.text.n_bytes;
        a.finish = sampled.finish;
    }
    CHECK(pipit_generation_step(g, &sampled) == PIPIT_E_STATE);
    pipit_generation_close(g);
    return a;
}

static pipit_generation_options greedy(uint32_t max_tokens) {
    pipit_generation_options o = {.max_tokens = max_tokens};
    pipit_sampling_defaults(&o.sampling);
    return o;
}

/* The prompt repeats itself, so that drafts are made, right and wrong ones; the
 * answer and what the session holds after it must not show it. */
static void drafts_change_nothing(void) {
    static const float temperatures[] = {0, 0.3f, 1.5f};
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t max = 1; max < 60; max += 7) {
            answer found[2];
            float logits[2][TINY_VOCAB];
            for (int without = 0; without < 2; without++) {
                uint32_t prompt[30];
                setting s = set_up();
                pipit_generation_options o = greedy(max);
                o.sampling.temperature = temperatures[i];
                o.ignore_end = true;
                o.lookup = without == 0;
                for (uint32_t k = 0; k < 30; k++) prompt[k] = 5 + k % 6;
                pipit_session_close(s.session);
                s.session = tiny_session(&s.model, 80);
                pipit_session_eval(s.session, prompt, 30, 0, NULL, NULL, NULL);
                found[without] = generate(&s, &o);
                CHECK_EQ_U64(pipit_session_length(s.session),
                             30 + found[without].n_tokens - 1);
                CHECK_EQ_U64(pipit_session_n_logits(s.session), 1);
                memcpy(logits[without], pipit_session_logits(s.session, 0),
                       sizeof logits[0]);
                tear_down(&s);
            }
            CHECK_EQ_U64(found[0].n_tokens, found[1].n_tokens);
            CHECK(memcmp(&found[0], &found[1], sizeof found[0]) == 0);
            CHECK(memcmp(logits[0], logits[1], sizeof logits[0]) == 0);
        }
}

/* A generation closed while a draft is under way or partly used. */
static void closing_takes_a_draft_back(void) {
    for (size_t n_tokens = 1; n_tokens < 20; n_tokens++) {
        uint32_t prompt[30];
        setting s = set_up();
        pipit_generation *g;
        pipit_sampled sampled;
        pipit_generation_options o = greedy(0);
        o.lookup = true;
        o.ignore_end = true;
        for (uint32_t k = 0; k < 30; k++) prompt[k] = 5 + k % 6;
        pipit_session_close(s.session);
        s.session = tiny_session(&s.model, 80);
        pipit_session_eval(s.session, prompt, 30, 0, NULL, NULL, NULL);
        CHECK(pipit_generation_open(s.session, s.tokenizer, &o, NULL, &g,
                                    NULL) == PIPIT_OK);
        for (size_t n = 0; n < n_tokens;)
            n += pipit_generation_step(g, &sampled) == PIPIT_OK;
        pipit_generation_close(g);
        CHECK_EQ_U64(pipit_session_length(s.session), 30 + n_tokens - 1);
        CHECK(pipit_session_eval(s.session, prompt, 3, 0, NULL, NULL, NULL) ==
              PIPIT_OK);
        tear_down(&s);
    }
}

static void length_and_context_end_an_answer(void) {
    setting s = set_up();
    pipit_generation_options o = greedy(5);
    answer a = generate(&s, &o);
    CHECK(a.finish == PIPIT_FINISH_LENGTH);
    CHECK_EQ_U64(a.n_tokens, 5);
    /* All but the last are in the session. */
    CHECK_EQ_U64(pipit_session_length(s.session), 3 + 4);
    CHECK(memcmp(pipit_session_tokens(s.session) + 3, a.tokens, 4 * 4) == 0);
    o.max_tokens = 0;
    a = generate(&s, &o);
    CHECK(a.finish == PIPIT_FINISH_CONTEXT);
    CHECK_EQ_U64(pipit_session_length(s.session), 40);
    tear_down(&s);
}

static void a_stop_string_ends_an_answer_before_itself(void) {
    setting s = set_up();
    pipit_generation_options o = greedy(12);
    answer whole = generate(&s, &o);
    CHECK(pipit_session_rewind(s.session, 2) == PIPIT_OK);
    uint32_t again = 3;
    CHECK(pipit_session_eval(s.session, &again, 1, 0, NULL, NULL, NULL) ==
          PIPIT_OK);
    /* From the middle of the answer, across a border of tokens. */
    size_t at = whole.n_text / 2;
    pipit_string stop = {whole.text + at, 3};
    o.stop = &stop;
    o.n_stop = 1;
    answer a = generate(&s, &o);
    CHECK(a.finish == PIPIT_FINISH_STOP);
    CHECK(a.n_text <= at && memcmp(a.text, whole.text, a.n_text) == 0);
    CHECK(strstr(whole.text, "t") != NULL);
    tear_down(&s);
}

static void an_end_token_ends_an_answer(void) {
    setting s = set_up();
    pipit_generation_options o = greedy(30);
    /* t49 is the vocabulary's end: make it certain. */
    pipit_logit_bias bias = {TINY_VOCAB - 1, 1000};
    o.sampling.bias = &bias;
    o.sampling.n_bias = 1;
    answer a = generate(&s, &o);
    CHECK(a.finish == PIPIT_FINISH_END);
    CHECK_EQ_U64(a.n_tokens, 1);
    CHECK_EQ_U64(a.n_text, 0);
    CHECK_EQ_U64(pipit_session_length(s.session), 3);
    o.ignore_end = true;
    o.max_tokens = 4;
    a = generate(&s, &o);
    CHECK(a.finish == PIPIT_FINISH_LENGTH);
    CHECK_EQ_U64(a.n_tokens, 4);
    tear_down(&s);
}

static void the_same_seed_draws_the_same(void) {
    answer first[2];
    for (int i = 0; i < 3; i++) {
        setting s = set_up();
        pipit_generation_options o = greedy(20);
        o.sampling.temperature = 1.5f;
        o.sampling.seed = i < 2 ? 7 : 8;
        answer a = generate(&s, &o);
        if (i == 1)
            CHECK(memcmp(a.tokens, first[0].tokens, sizeof a.tokens) == 0);
        if (i == 2)
            CHECK(memcmp(a.tokens, first[0].tokens, sizeof a.tokens) != 0);
        if (i == 0) first[0] = a;
        tear_down(&s);
    }
}

static void logprobs_are_the_models_own(void) {
    setting s = set_up();
    pipit_generation_options o = greedy(1);
    pipit_generation *g = NULL;
    pipit_sampled sampled;
    float logits[TINY_VOCAB];
    memcpy(logits, pipit_session_logits(s.session, 0), sizeof logits);
    o.logprobs = true;
    o.n_logprobs = 3;
    CHECK(pipit_generation_open(s.session, s.tokenizer, &o, NULL, &g, NULL) ==
          PIPIT_OK);
    CHECK(pipit_generation_step(g, &sampled) == PIPIT_OK);
    CHECK_EQ_U64(sampled.n_best, 3);
    CHECK_EQ_U64(sampled.best[0].token, sampled.token);
    CHECK(sampled.best[0].logprob == sampled.logprob);
    CHECK(sampled.best[1].logprob >= sampled.best[2].logprob);
    CHECK(sampled.logprob ==
          pipit_logprob_of(logits, TINY_VOCAB, sampled.token));
    pipit_generation_close(g);
    tear_down(&s);
}

static void what_is_impossible_is_refused(void) {
    setting s = set_up();
    pipit_generation *g = NULL;
    pipit_error error = {0};
    pipit_generation_options o = greedy(1);
    pipit_string empty = {"", 0};
    o.n_logprobs = PIPIT_MAX_LOGPROBS + 1;
    CHECK(pipit_generation_open(s.session, s.tokenizer, &o, NULL, &g, &error) ==
          PIPIT_E_ARGUMENT);
    o = greedy(1);
    o.stop = &empty;
    o.n_stop = 1;
    CHECK(pipit_generation_open(s.session, s.tokenizer, &o, NULL, &g, &error) ==
          PIPIT_E_ARGUMENT);
    o = greedy(1);
    o.sampling.temperature = -1;
    CHECK(pipit_generation_open(s.session, s.tokenizer, &o, NULL, &g, &error) ==
          PIPIT_E_ARGUMENT);
    CHECK_HOLDS(error.message, "temperature");
    o = greedy(1);
    check_memory memory = {.fail_at = 1};
    pipit_allocator a = check_allocator(&memory);
    CHECK(pipit_generation_open(s.session, s.tokenizer, &o, &a, &g, &error) ==
          PIPIT_E_MEMORY);
    CHECK(pipit_session_rewind(s.session, 1) == PIPIT_OK);
    CHECK(pipit_generation_open(s.session, s.tokenizer, &o, NULL, &g, &error) ==
          PIPIT_E_STATE);
    CHECK(g == NULL);
    tear_down(&s);
}

int main(void) {
    CASE(length_and_context_end_an_answer);
    CASE(drafts_change_nothing);
    CASE(closing_takes_a_draft_back);
    CASE(a_stop_string_ends_an_answer_before_itself);
    CASE(an_end_token_ends_an_answer);
    CASE(the_same_seed_draws_the_same);
    CASE(logprobs_are_the_models_own);
    CASE(what_is_impossible_is_refused);
    return check_done();
}
