/* Generations that step together: each gets, to the bit, what it gets alone,
 * whoever comes, goes or fails beside it. */
#include "adapter.h"
#include "session.h"
#include "tiny_model.h"

enum { MEMBERS = 7, MOST = 60 };

/* What one member asks for. */
typedef struct wish {
    uint32_t prompt, period; /* tokens, and after how many they repeat */
    uint32_t n_context, max_tokens;
    pipit_kv_type kv;
    float temperature;
    bool lookup, adapted;
} wish;

static const wish wishes[MEMBERS] = {
    {30, 6, 80, 0, PIPIT_KV_F16, 0, true, false},
    {3, 50, 40, 0, PIPIT_KV_F16, 0, false, false},
    {17, 5, 96, 44, PIPIT_KV_F16, 1.5f, true, false},
    {1, 50, 60, 31, PIPIT_KV_F32, 0.7f, true, false},
    {50, 50, 96, 3, PIPIT_KV_F16, 0.3f, false, false},
    {24, 4, 70, 40, PIPIT_KV_F16, 0.3f, true, true},
    {9, 3, 44, 20, PIPIT_KV_F16, 0, true, true},
};

typedef struct member {
    pipit_session *session;
    pipit_generation *generation;
    uint32_t tokens[MOST];
    pipit_logprob best[MOST][2];
    size_t n_tokens, n_text;
    char text[512];
    pipit_finish finish;
    float logits[TINY_VOCAB]; /* after the end */
} member;

static pipit_tokenizer *tokenizer;
static pipit_adapter *adapter;
static member alone[MEMBERS], found[MEMBERS];

static pipit_adapter *make_adapter(const tiny *t) {
    uint32_t ranks[7 * PIPIT_N_TARGETS];
    pipit_adapter *a = NULL;
    pipit_rng rng;
    size_t n = t->model->h.n_layers * (size_t)PIPIT_N_TARGETS;
    pipit_rng_seed(&rng, 3);
    for (size_t i = 0; i < n; i++) ranks[i] = i == 4 ? 0 : 3;
    CHECK(pipit_adapter_make(t->model, 6, ranks, NULL, &a, NULL) == PIPIT_OK);
    for (size_t i = 0; i < n; i++) {
        pipit_lora *x = &a->layers[i / PIPIT_N_TARGETS][i % PIPIT_N_TARGETS];
        for (size_t k = 0; k < (size_t)x->rank * x->n_in; k++)
            x->a[k] = (float)pipit_rng_unit(&rng) - 0.5f;
        for (size_t k = 0; k < (size_t)x->rank * x->n_out; k++)
            x->b[k] = (float)pipit_rng_unit(&rng) - 0.5f;
    }
    pipit_adapter_freeze(a);
    return a;
}

static tiny_options family(uint32_t i) {
    tiny_options o = tiny_defaults();
    if (i == 0) return o;
    o.arch = "gemma3";
    o.n_layers = 7; /* the sixth is global */
    o.window = 8;
    return o;
}

static void set_up(tiny *t, uint32_t f, uint32_t n_threads, const char *kernels,
                   uint64_t step_macs) {
    tiny_options o = family(f);
    tiny_write(&o);
    CHECK(tiny_load(n_threads, kernels, SIZE_MAX / 2, NULL, t, NULL) ==
          PIPIT_OK);
    t->engine->step_macs = step_macs;
    CHECK(pipit_tokenizer_open(t->file, NULL, &tokenizer, NULL) == PIPIT_OK);
    adapter = make_adapter(t);
}

static void tear_down(tiny *t) {
    pipit_adapter_close(adapter);
    pipit_tokenizer_close(tokenizer);
    tiny_close(t);
}

static void open_session(tiny *t, size_t i, member *m) {
    const wish *w = &wishes[i];
    const float scale = 0.5f;
    uint32_t prompt[64];
    pipit_session_options so = {w->n_context, w->kv};
    *m = (member){0};
    CHECK(pipit_session_open(t->model, &so, NULL, &m->session, NULL) ==
          PIPIT_OK);
    if (w->adapted)
        CHECK(pipit_session_set_adapters(m->session, &adapter, &scale, 1,
                                         NULL) == PIPIT_OK);
    for (uint32_t k = 0; k < w->prompt; k++)
        prompt[k] = (5 + (uint32_t)i + k % w->period * 3) % TINY_VOCAB;
    CHECK(pipit_session_eval(m->session, prompt, w->prompt, 0, NULL, NULL,
                             NULL) == PIPIT_OK);
}

static void open_generation(size_t i, member *m) {
    const wish *w = &wishes[i];
    pipit_generation_options o = {.max_tokens = w->max_tokens, .logprobs = true,
                                  .n_logprobs = 2, .ignore_end = true,
                                  .lookup = w->lookup};
    pipit_sampling_defaults(&o.sampling);
    o.sampling.temperature = w->temperature;
    o.sampling.seed = 100 + i;
    if (i == 2) o.sampling.repetition_penalty = 1.2f;
    CHECK(pipit_generation_open(m->session, tokenizer, &o, NULL, &m->generation,
                                NULL) == PIPIT_OK);
}

static void take(member *m, const pipit_sampled *s) {
    if (!CHECK(m->n_tokens < MOST)) return;
    memcpy(m->best[m->n_tokens], s->best, sizeof m->best[0]);
    m->tokens[m->n_tokens++] = s->token;
    memcpy(m->text + m->n_text, s->text.bytes, s->text.n_bytes);
    m->n_text += s->text.n_bytes;
    m->finish = s->finish;
}

/* Closes the answer and says what the session knows then. */
static void end_generation(member *m) {
    pipit_generation_close(m->generation);
    m->generation = NULL;
    const float *logits = pipit_session_logits(m->session, 0);
    if (logits) memcpy(m->logits, logits, sizeof m->logits);
}

static void close_member(member *m) {
    pipit_generation_close(m->generation);
    pipit_session_close(m->session);
    m->generation = NULL;
    m->session = NULL;
}

static void run_alone(tiny *t) {
    for (size_t i = 0; i < MEMBERS; i++) {
        member *m = &alone[i];
        pipit_sampled s;
        open_session(t, i, m);
        open_generation(i, m);
        while (m->finish == PIPIT_FINISH_NONE)
            if (pipit_generation_step(m->generation, &s) == PIPIT_OK)
                take(m, &s);
        end_generation(m);
        close_member(m);
    }
}

static void check_same(const member *a, const member *b) {
    CHECK_EQ_U64(a->n_tokens, b->n_tokens);
    CHECK(memcmp(a->tokens, b->tokens, sizeof a->tokens) == 0);
    CHECK(memcmp(a->best, b->best, sizeof a->best) == 0);
    CHECK_EQ_U64(a->n_text, b->n_text);
    CHECK(memcmp(a->text, b->text, sizeof a->text) == 0);
    CHECK(a->finish == b->finish);
    CHECK_BITS(a->logits, b->logits, TINY_VOCAB);
}

/* One common step of those that are generating. */
static void step_all(member *members, size_t n) {
    pipit_generation *all[MEMBERS];
    pipit_sampled sampled[MEMBERS];
    pipit_status statuses[MEMBERS];
    size_t of[MEMBERS], k = 0;
    for (size_t i = 0; i < n; i++)
        if (members[i].generation) all[k] = members[i].generation, of[k++] = i;
    CHECK(pipit_generations_step(all, k, sampled, statuses) == PIPIT_OK);
    for (size_t i = 0; i < k; i++) {
        CHECK(statuses[i] >= 0);
        if (statuses[i] != PIPIT_OK) continue;
        take(&members[of[i]], &sampled[i]);
        if (sampled[i].finish == PIPIT_FINISH_NONE) continue;
        end_generation(&members[of[i]]);
    }
}

static bool any(const member *members) {
    for (size_t i = 0; i < MEMBERS; i++)
        if (members[i].generation) return true;
    return false;
}

static void run_together(tiny *t) {
    for (size_t i = 0; i < MEMBERS; i++) open_session(t, i, &found[i]);
    for (size_t i = 0; i < MEMBERS; i++) open_generation(i, &found[i]);
    while (any(found)) step_all(found, MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++) {
        check_same(&found[i], &alone[i]);
        close_member(&found[i]);
    }
}

/* Lengths, contexts, types of cache, samplers, adapters and drafts differ. */
static void together_is_as_alone(void) {
    static const uint64_t macs[] = {PIPIT_STEP_MACS, 40000, 1};
    for (uint32_t f = 0; f < 2; f++)
        for (uint32_t k = 0; pipit_kernels_list(k); k++) {
            tiny t;
            set_up(&t, f, 1 + (f + k) % 2, pipit_kernels_list(k),
                   PIPIT_STEP_MACS);
            run_alone(&t);
            CHECK(alone[0].n_tokens > 20 && alone[6].n_tokens == 20);
            for (size_t i = 0; i < 3; i++) {
                t.engine->step_macs = macs[i];
                run_together(&t);
            }
            tear_down(&t);
        }
}

/* In small steps: some come later, some are closed in the middle of a pass, the
 * one whose workspace it is among them, some are stepped alone in between or
 * lose what was under way. */
static void who_comes_and_goes_changes_nothing(void) {
    pipit_rng rng;
    pipit_rng_seed(&rng, 11);
    tiny t;
    set_up(&t, 1, 2, NULL, 1);
    run_alone(&t);
    for (int round = 0; round < 8; round++) {
        t.engine->step_macs = round % 2 ? 1 : 60000;
        uint32_t n_steps = 0;
        bool was[MEMBERS] = {false};
        memset(found, 0, sizeof found);
        for (bool left = true; left; n_steps++) {
            size_t i = (size_t)(pipit_rng_unit(&rng) * MEMBERS);
            double what = pipit_rng_unit(&rng);
            pipit_sampled s;
            member *m = &found[i];
            if (!was[i] && (what < 0.2 || n_steps > 200)) {
                was[i] = true;
                open_session(&t, i, m);
                open_generation(i, m);
            } else if (m->generation && what < 0.02) {
                end_generation(m); /* the session stays */
                CHECK_EQ_U64(pipit_session_length(m->session),
                             wishes[i].prompt + m->n_tokens -
                                 (m->n_tokens > 0 ? 1 : 0));
                m->finish = PIPIT_FINISH_NONE;
            } else if (m->generation && what < 0.03) {
                close_member(m);
            } else if (m->generation && what < 0.2) {
                if (pipit_generation_step(m->generation, &s) == PIPIT_OK) {
                    take(m, &s);
                    if (s.finish != PIPIT_FINISH_NONE) end_generation(m);
                }
            }
            step_all(found, MEMBERS);
            left = any(found);
            for (size_t k = 0; k < MEMBERS; k++) left |= !was[k];
        }
        for (size_t i = 0; i < MEMBERS; i++) {
            if (found[i].finish != PIPIT_FINISH_NONE)
                check_same(&found[i], &alone[i]);
            else /* as far as it came */
                CHECK(memcmp(found[i].tokens, alone[i].tokens,
                             found[i].n_tokens * sizeof(uint32_t)) == 0);
            close_member(&found[i]);
        }
    }
    tear_down(&t);
}

/* A session that shares a pass may be changed from outside; the others only have
 * to begin the pass again. */
static void a_session_leaves_a_pass(void) {
    tiny t;
    set_up(&t, 0, 1, NULL, 1);
    run_alone(&t);
    for (int way = 0; way < 5; way++)
        for (size_t leaver = 0; leaver < 3; leaver++) {
            uint32_t token = 4;
            for (size_t i = 0; i < 3; i++) {
                open_session(&t, i, &found[i]);
                open_generation(i, &found[i]);
            }
            step_all(found, 3); /* the first tokens */
            step_all(found, 3);
            for (size_t i = 0; i < 3; i++)
                CHECK(pipit_session_in_batch(found[i].session));
            member *m = &found[leaver];
            pipit_session *s = m->session;
            if (way > 0) pipit_generation_close(m->generation);
            if (way > 0) m->generation = NULL;
            if (way == 1) CHECK(pipit_session_rewind(s, 1) == PIPIT_OK);
            if (way == 2)
                CHECK(pipit_session_begin(s, &token, 1, 0, NULL) == PIPIT_OK);
            if (way == 3)
                CHECK(pipit_session_sync(s, &token, 1, NULL, NULL) == PIPIT_OK);
            if (way == 4) close_member(m);
            for (size_t i = 0; i < 3; i++)
                CHECK(!found[i].session ||
                      pipit_session_in_batch(found[i].session) == (way == 0));
            while (any(found)) step_all(found, 3);
            for (size_t i = 0; i < 3; i++) {
                if (i != leaver || way == 0) check_same(&found[i], &alone[i]);
                close_member(&found[i]);
            }
        }
    tear_down(&t);
}

/* One step gives a token to each that can share the pass; the others take turns,
 * and nothing is allocated. */
static void one_pass_serves_all_that_fit(void) {
    tiny t;
    set_up(&t, 0, 1, NULL, PIPIT_STEP_MACS);
    for (size_t i = 0; i < MEMBERS; i++) open_session(&t, i, &found[i]);
    for (size_t i = 0; i < MEMBERS; i++) open_generation(i, &found[i]);
    step_all(found, MEMBERS); /* from the logits of the prompts */
    for (size_t i = 0; i < MEMBERS; i++) CHECK_EQ_U64(found[i].n_tokens, 1);
    step_all(found, MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++)
        CHECK_EQ_U64(found[i].n_tokens, wishes[i].adapted ? 1 : 2);
    step_all(found, MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++)
        if (wishes[i].adapted) CHECK_EQ_U64(found[i].n_tokens, 2);
    for (size_t i = 0; i < MEMBERS; i++) close_member(&found[i]);

    /* A workspace of four rows, for seven. */
    pipit_generation *all[MEMBERS];
    size_t n_tokens[MEMBERS] = {0};
    for (size_t i = 0; i < MEMBERS; i++) {
        pipit_generation_options o = {.max_tokens = 3, .ignore_end = true};
        uint32_t token = (uint32_t)i;
        pipit_sampling_defaults(&o.sampling);
        found[i].session = tiny_session(&t, 4);
        CHECK(pipit_session_eval(found[i].session, &token, 1, 0, NULL, NULL,
                                 NULL) == PIPIT_OK);
        CHECK(pipit_generation_open(found[i].session, tokenizer, &o, NULL,
                                    &all[i], NULL) == PIPIT_OK);
        found[i].generation = all[i];
    }
    for (size_t step = 0; step < 5; step++) {
        pipit_sampled sampled[MEMBERS];
        pipit_status statuses[MEMBERS];
        CHECK(pipit_generations_step(all, MEMBERS, sampled, statuses) ==
              PIPIT_OK);
        for (size_t i = 0; i < MEMBERS; i++)
            n_tokens[i] += statuses[i] == PIPIT_OK;
        /* Two steps are enough for the four and the three. */
        for (size_t i = 0; i < MEMBERS; i++)
            CHECK(n_tokens[i] >= 1 + step / 2);
    }
    for (size_t i = 0; i < MEMBERS; i++) close_member(&found[i]);
    tear_down(&t);
}

static void one_that_fails_stops_no_other(void) {
    tiny t;
    set_up(&t, 0, 2, NULL, PIPIT_STEP_MACS);
    run_alone(&t);
    pipit_generation_options o = {.max_tokens = 5};
    pipit_logit_bias none[TINY_VOCAB];
    pipit_session *hopeless = tiny_session(&t, 20);
    pipit_session *ended = tiny_session(&t, 20);
    pipit_generation *all[5] = {NULL};
    pipit_sampled sampled[5];
    pipit_status statuses[5];
    uint32_t prompt[] = {1, 2, 3};
    for (uint32_t i = 0; i < TINY_VOCAB; i++)
        none[i] = (pipit_logit_bias){i, -1.0f / 0.0f};
    pipit_sampling_defaults(&o.sampling);
    CHECK(pipit_session_eval(ended, prompt, 3, 0, NULL, NULL, NULL) ==
          PIPIT_OK);
    CHECK(pipit_session_eval(hopeless, prompt, 3, 0, NULL, NULL, NULL) ==
          PIPIT_OK);
    o.max_tokens = 1;
    CHECK(pipit_generation_open(ended, tokenizer, &o, NULL, &all[1], NULL) ==
          PIPIT_OK);
    CHECK(pipit_generation_step(all[1], sampled) == PIPIT_OK);
    o.sampling.bias = none;
    o.sampling.n_bias = TINY_VOCAB;
    CHECK(pipit_generation_open(hopeless, tokenizer, &o, NULL, &all[2], NULL) ==
          PIPIT_OK);
    open_session(&t, 0, &found[0]);
    open_generation(0, &found[0]);
    all[3] = all[4] = found[0].generation; /* one twice */
    while (found[0].finish == PIPIT_FINISH_NONE) {
        CHECK(pipit_generations_step(all, 5, sampled, statuses) == PIPIT_OK);
        CHECK(statuses[0] == PIPIT_E_ARGUMENT);
        CHECK(statuses[1] == PIPIT_E_STATE);
        CHECK(statuses[2] == PIPIT_E_STATE);
        CHECK(statuses[3] == PIPIT_OK && statuses[4] == PIPIT_E_STATE);
        take(&found[0], &sampled[3]);
    }
    end_generation(&found[0]);
    check_same(&found[0], &alone[0]);
    CHECK(pipit_generations_step(NULL, 0, NULL, NULL) == PIPIT_OK);
    CHECK(pipit_generations_step(all, 1, NULL, statuses) == PIPIT_E_ARGUMENT);
    CHECK(pipit_generations_step(all, 1, sampled, NULL) == PIPIT_E_ARGUMENT);
    CHECK(pipit_generations_step(NULL, 1, sampled, statuses) ==
          PIPIT_E_ARGUMENT);
    pipit_generation_close(all[1]);
    pipit_generation_close(all[2]);
    pipit_session_close(ended);
    pipit_session_close(hopeless);
    close_member(&found[0]);
    tear_down(&t);
}

int main(void) {
    CASE(together_is_as_alone);
    CASE(who_comes_and_goes_changes_nothing);
    CASE(a_session_leaves_a_pass);
    CASE(one_pass_serves_all_that_fit);
    CASE(one_that_fails_stops_no_other);
    return check_done();
}
