/* Draws are compared with probabilities computed here in double, from the
 * definition in pipit.h: counts by chi-square with fixed seeds, so that a
 * failure is a change and not bad luck. */
#include "check.h"
#include "logits_row.h"
#include "sampler.h"

#include <math.h>

typedef struct fixture {
    pipit_sampler sampler;
    uint8_t *block;
} fixture;

static void open_sampler(fixture *f, const pipit_sampling *o,
                         uint32_t n_vocab) {
    pipit_arena arena = {0};
    pipit_error error;
    const pipit_kernels *kernels = pipit_kernels_at(0);
    CHECK(pipit_sampling_check(o, n_vocab, &error) == PIPIT_OK);
    pipit_sampler_carve(o, n_vocab, kernels, &arena, &f->sampler);
    size_t bytes = arena.used;
    f->block = aligned_alloc(64, bytes);
    memset(f->block, 0xA5, bytes);
    arena = (pipit_arena){.base = f->block, .capacity = bytes};
    pipit_sampler_carve(o, n_vocab, kernels, &arena, &f->sampler);
    CHECK_EQ_U64(arena.used, bytes);
    pipit_sampler_reset(&f->sampler);
}

/* One token from these logits; PIPIT_NO_TOKEN when there is none. */
static uint32_t pick(fixture *f, const float *logits) {
    uint32_t token = PIPIT_NO_TOKEN;
    pipit_status s = pipit_sampler_pick(&f->sampler, logits, &token);
    CHECK(s == PIPIT_OK || (s == PIPIT_E_STATE && token == PIPIT_NO_TOKEN));
    return token;
}

static uint32_t pick_once(const pipit_sampling *o, const float *logits,
                          uint32_t n) {
    fixture f;
    open_sampler(&f, o, n);
    uint32_t token = pick(&f, logits);
    free(f.block);
    return token;
}

static pipit_sampling at_temperature(float temperature) {
    pipit_sampling o;
    pipit_sampling_defaults(&o);
    o.temperature = temperature;
    o.seed = 12345;
    return o;
}

/* ---- greedy ------------------------------------------------------------ */

static void defaults_are_greedy(void) {
    pipit_sampling o;
    memset(&o, 0xA5, sizeof o);
    pipit_sampling_defaults(&o);
    CHECK(o.temperature == 0 && o.top_k == 0 && o.top_p == 0 && o.min_p == 0);
    CHECK(o.n_bias == 0 && o.presence_penalty == 0);
    float logits[5] = {1, 3, 2, 3, -1};
    CHECK_EQ_U64(pick_once(&o, logits, 5), 1); /* ties: the lowest id */
    pipit_sampling zero = {0};
    CHECK_EQ_U64(pick_once(&zero, logits, 5), 1);
}

static void greedy_specials(void) {
    pipit_sampling o = at_temperature(0);
    float nans[4] = {NAN, -5, NAN, -6};
    CHECK_EQ_U64(pick_once(&o, nans, 4), 1);
    float infinite[4] = {3, INFINITY, INFINITY, 5};
    CHECK_EQ_U64(pick_once(&o, infinite, 4), 1);
    float low[3] = {-INFINITY, -3.4e38f, -INFINITY};
    CHECK_EQ_U64(pick_once(&o, low, 3), 1);
    float one[1] = {-7};
    CHECK_EQ_U64(pick_once(&o, one, 1), 0);
}

static void nothing_to_choose(void) {
    float none[3] = {NAN, -INFINITY, NAN};
    for (int hot = 0; hot < 2; hot++) {
        pipit_sampling o = at_temperature((float)hot);
        CHECK_EQ_U64(pick_once(&o, none, 3), PIPIT_NO_TOKEN);
        o.top_k = 2;
        CHECK_EQ_U64(pick_once(&o, none, 3), PIPIT_NO_TOKEN);
    }
    pipit_logit_bias bans[2] = {{0, -INFINITY}, {1, -INFINITY}};
    pipit_sampling o = at_temperature(1);
    o.bias = bans;
    o.n_bias = 2;
    float two[2] = {1, 2};
    CHECK_EQ_U64(pick_once(&o, two, 2), PIPIT_NO_TOKEN);
}

static void leaves_logits_alone(void) {
    float logits[64], before[64];
    pipit_logit_bias bias = {3, 2};
    pipit_sampling o = at_temperature(1);
    o.top_k = 5, o.top_p = 0.5f, o.min_p = 0.1f, o.repetition_penalty = 1.5f;
    o.bias = &bias, o.n_bias = 1;
    make_logits(logits, 64, 1);
    logits[7] = INFINITY;
    memcpy(before, logits, sizeof logits);
    pick_once(&o, logits, 64);
    CHECK_BITS(logits, before, 64);
}

/* ---- bias and penalties ------------------------------------------------ */

static void bias_is_added(void) {
    float logits[3] = {1, 2, 3};
    pipit_logit_bias bias[3] = {{2, -1.5f}, {0, 0.5f}, {0, 0.75f}};
    pipit_sampling o = at_temperature(0);
    o.bias = bias;
    o.n_bias = 1;
    CHECK_EQ_U64(pick_once(&o, logits, 3), 1); /* 1, 2, 1.5 */
    o.n_bias = 3;
    CHECK_EQ_U64(pick_once(&o, logits, 3), 0); /* 2.25: both are added */
    bias[0] = (pipit_logit_bias){2, -INFINITY};
    logits[2] = INFINITY;
    CHECK_EQ_U64(pick_once(&o, logits, 3), 0); /* banned all the same */
}

static void bias_is_copied(void) {
    float logits[2] = {0, 1};
    pipit_logit_bias bias = {0, 5};
    pipit_sampling o = at_temperature(0);
    fixture f;
    o.bias = &bias;
    o.n_bias = 1;
    open_sampler(&f, &o, 2);
    bias = (pipit_logit_bias){1, 50};
    CHECK_EQ_U64(pick(&f, logits), 0);
    free(f.block);
}

/* Greedy shows what a penalty makes of a logit. */
static void penalties_apply(void) {
    static const struct {
        float repetition, presence, frequency;
        float logits[3];
        uint32_t best;
    } cases[] = {
        /* token 0 was seen three times, token 2 once */
        {2, 0, 0, {4, 1.9f, 3}, 0},    /* 2, 1.9, 1.5 */
        {2, 0, 0, {4, 2.1f, 3}, 1},    /* 2, 2.1, 1.5 */
        {2, 0, 0, {-1, -1.9f, -9}, 1}, /* -2, -1.9, -18 */
        {2, 0, 0, {-1, -2.1f, -9}, 0},
        {0.5f, 0, 0, {1, 1.9f, -9}, 0}, /* 2: a reward */
        {0, 0, 0, {4, 3.9f, 3}, 0},     /* off */
        {1, 0, 0, {4, 3.9f, 3}, 0},
        {1, 1, 0, {4, 2.9f, 3}, 0}, /* once, however often seen */
        {1, 1, 0, {4, 3.1f, 3}, 1},
        {1, 0, 1, {4, 0.9f, 1.5f}, 0}, /* 1, 0.9, 0.5 */
        {1, 0, 1, {4, 1.1f, 1.5f}, 1},
        {1, -1, 0, {1, 1.9f, 0}, 0},     /* a reward too */
        {2, 0.5f, 0.5f, {8, 1.9f, 0}, 0}, /* 4 - 0.5 - 1.5 = 2 */
        {2, 0.5f, 0.5f, {8, 2.1f, 0}, 1}};
    const uint32_t history[4] = {0, 2, 0, 0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pipit_sampling o = at_temperature(0);
        fixture f;
        o.repetition_penalty = cases[i].repetition;
        o.presence_penalty = cases[i].presence;
        o.frequency_penalty = cases[i].frequency;
        open_sampler(&f, &o, 3);
        for (size_t n = 1; n <= 4; n++)
            pipit_sampler_accept(&f.sampler, history, n);
        if (!CHECK_EQ_U64(pick(&f, cases[i].logits), cases[i].best))
            printf("(penalty case %zu)\n", i);
        pipit_sampler_reset(&f.sampler); /* nothing seen */
        uint32_t plain = pick_once(&(pipit_sampling){0}, cases[i].logits, 3);
        CHECK_EQ_U64(pick(&f, cases[i].logits), plain);
        free(f.block);
    }
}

/* Counts at any time are those of the last `window` tokens. */
static void window_slides(void) {
    enum { n_vocab = 5, n = 200 };
    uint32_t history[n];
    for (uint32_t window = 0; window < 8; window++) {
        pipit_sampling o = at_temperature(0);
        fixture f;
        o.presence_penalty = 1;
        o.penalty_window = window;
        open_sampler(&f, &o, n_vocab);
        for (size_t i = 0; i < n; i++) {
            history[i] = (uint32_t)(i * i + i / 3) % n_vocab;
            pipit_sampler_accept(&f.sampler, history, i + 1);
            size_t from = window && i + 1 > window ? i + 1 - window : 0;
            for (uint32_t t = 0; t < n_vocab; t++) {
                uint32_t count = 0;
                for (size_t j = from; j <= i; j++) count += history[j] == t;
                CHECK_EQ_U64(f.sampler.counts[t], count);
            }
        }
        free(f.block);
    }
}

/* ---- distributions ----------------------------------------------------- */

static int by_falling_logit(const void *a, const void *b) {
    const pipit_candidate *x = a, *y = b;
    if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
    return x->token < y->token ? -1 : x->token > y->token;
}

/* What pipit.h says, in double: c is all n candidates, best first; how many of
 * the first are kept. */
static uint32_t sort_and_filter(const pipit_sampling *o, const float *logits,
                                uint32_t n, pipit_candidate *c) {
    uint32_t most = o->top_k && o->top_k < n ? o->top_k : n, kept = 0;
    double total = 0, sum = 0;
    for (uint32_t i = 0; i < n; i++) c[i] = (pipit_candidate){logits[i], i};
    qsort(c, n, sizeof *c, by_falling_logit);
    double max = (double)c[0].logit;
    for (uint32_t i = 0; i < most; i++) total += exp((double)c[i].logit - max);
    while (kept < most) {
        double p = exp((double)c[kept].logit - max);
        if (p < (double)o->min_p) break;
        kept++;
        sum += p / total;
        if (o->top_p > 0 && o->top_p < 1 && sum >= (double)o->top_p) break;
    }
    return kept;
}

static void expected_shares(const pipit_sampling *o, const float *logits,
                            uint32_t n, double *share) {
    pipit_candidate c[512];
    uint32_t kept = sort_and_filter(o, logits, n, c);
    double final = 0;
    for (uint32_t i = 0; i < n; i++) share[i] = 0;
    for (uint32_t i = 0; i < kept; i++) {
        double w = exp(((double)c[i].logit - (double)c[0].logit) /
                       (double)o->temperature);
        share[c[i].token] = w;
        final += w;
    }
    for (uint32_t i = 0; i < n; i++) share[i] /= final;
}

/* n_draws draws against the expected shares. */
static void draws_follow(const pipit_sampling *o, const float *logits,
                         uint32_t n, int line) {
    const int n_draws = 20000;
    double share[512], chi = 0, rest = 0;
    unsigned counts[512] = {0}, n_rest = 0, freedom = 0;
    fixture f;
    open_sampler(&f, o, n);
    for (int i = 0; i < n_draws; i++) {
        uint32_t token = pick(&f, logits);
        if (CHECK(token < n)) counts[token]++;
    }
    free(f.block);
    expected_shares(o, logits, n, share);
    for (uint32_t i = 0; i < n; i++) {
        double expect = share[i] * n_draws;
        if (share[i] == 0) {
            CHECK_EQ_U64(counts[i], 0);
        } else if (expect < 10) { /* the rare ones together */
            rest += expect;
            n_rest += counts[i];
        } else {
            chi += (counts[i] - expect) * (counts[i] - expect) / expect;
            freedom++;
        }
    }
    if (rest > 5) {
        chi += (n_rest - rest) * (n_rest - rest) / rest;
        freedom++;
    }
    freedom = freedom ? freedom - 1 : 0;
    if (!CHECK(chi <= freedom + 3.5 * sqrt(2.0 * freedom) + 1e-9))
        printf("(line %d: chi-square %.1f at %u)\n", line, chi, freedom);
}
#define DRAWS_FOLLOW(o, logits, n) draws_follow((o), (logits), (n), __LINE__)

static void draws_follow_temperature(void) {
    static const float temperatures[] = {0.1f, 0.7f, 1, 1.5f, 100};
    float logits[100];
    make_logits(logits, 100, 7);
    for (size_t i = 0; i < 5; i++) {
        pipit_sampling o = at_temperature(temperatures[i]);
        DRAWS_FOLLOW(&o, logits, 100);
    }
}

static void draws_follow_filters(void) {
    static const struct {
        float temperature;
        uint32_t top_k;
        float top_p, min_p;
    } cases[] = {{1, 5, 0, 0},        {1, 1, 0, 0},       {2, 30, 0, 0},
                 {1, 99, 0, 0},       {1, 100, 0, 0},     {1, 1000, 0, 0},
                 {1, 0, 0.5f, 0},     {1, 0, 0.01f, 0},   {1, 0, 0.99f, 0},
                 {1, 0, 1, 0},        {1, 0, 5, 0},       {3, 0, 0.6f, 0},
                 {1, 0, 0, 0.2f},     {1, 0, 0, 1},       {2, 0, 0, 0.05f},
                 {0.7f, 40, 0.9f, 0}, {1, 10, 0, 0.3f},   {1, 0, 0.8f, 0.1f},
                 {1.3f, 20, 0.7f, 0.15f}, {5, 3, 0.99f, 0.001f}};
    float logits[100];
    make_logits(logits, 100, 8);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pipit_sampling o = at_temperature(cases[i].temperature);
        o.top_k = cases[i].top_k;
        o.top_p = cases[i].top_p;
        o.min_p = cases[i].min_p;
        o.seed = i;
        DRAWS_FOLLOW(&o, logits, 100);
    }
}

/* Ties are cut by id, in every filter. */
static void ties_go_to_lower_ids(void) {
    float logits[8] = {0, 1, 1, 0, 1, 1, 0, 1};
    pipit_sampling o = at_temperature(1);
    o.top_k = 3; /* 1, 2, 4 */
    DRAWS_FOLLOW(&o, logits, 8);
    o.top_k = 6; /* all ones and 0 */
    DRAWS_FOLLOW(&o, logits, 8);
    float equal[8] = {2, 2, 2, 2, 2, 2, 2, 2};
    o.top_k = 0;
    o.top_p = 0.3f; /* 3 of 8 */
    DRAWS_FOLLOW(&o, equal, 8);
}

/* What a filter at temperature 1 keeps may have a weight that underflows
 * there; heat brings it back. */
static void heat_revives_what_is_kept(void) {
    float logits[4] = {0, -200, -400, -INFINITY};
    pipit_sampling o = at_temperature(1000);
    DRAWS_FOLLOW(&o, logits, 4);
    o.top_k = 3;
    DRAWS_FOLLOW(&o, logits, 4);
    o.top_k = 2;
    DRAWS_FOLLOW(&o, logits, 4);
}

static void draws_with_special_logits(void) {
    float logits[6] = {1, NAN, 2, -INFINITY, 1.5f, -3e38f};
    float without[6] = {1, -INFINITY, 2, -INFINITY, 1.5f, -INFINITY};
    pipit_sampling o = at_temperature(1);
    for (uint32_t k = 0; k < 7; k++) {
        fixture a, b;
        o.top_k = k;
        open_sampler(&a, &o, 6);
        open_sampler(&b, &o, 6);
        for (int i = 0; i < 1000; i++)
            CHECK_EQ_U64(pick(&a, logits), pick(&b, without));
        free(a.block);
        free(b.block);
    }
    float infinite[4] = {5, INFINITY, 3, INFINITY};
    float two[4] = {-INFINITY, 0, -INFINITY, 0};
    for (uint32_t k = 0; k < 4; k++) {
        fixture a, b;
        o.top_k = k;
        open_sampler(&a, &o, 4);
        open_sampler(&b, &o, 4);
        for (int i = 0; i < 1000; i++)
            CHECK_EQ_U64(pick(&a, infinite), pick(&b, two));
        free(a.block);
        free(b.block);
    }
    o = at_temperature(1e-44f); /* 1 / temperature is infinite */
    CHECK_EQ_U64(pick_once(&o, logits, 6), 2);
    o = at_temperature(1e-20f);
    CHECK_EQ_U64(pick_once(&o, logits, 6), 2);
}

/* A vocabulary of real size: exactly the best k, whatever their order. */
static void top_k_of_many(void) {
    enum { n = 50000, k = 40 };
    float *logits = malloc(n * sizeof(float));
    make_logits(logits, n, 9);
    uint32_t seen[k], n_seen = 0;
    pipit_sampling o = at_temperature(1e6f);
    fixture f;
    o.top_k = k;
    open_sampler(&f, &o, n);
    for (int i = 0; i < 1000; i++) {
        uint32_t token = pick(&f, logits), j = 0;
        while (j < n_seen && seen[j] != token) j++;
        if (j == n_seen && CHECK(n_seen < k)) seen[n_seen++] = token;
    }
    CHECK_EQ_U64(n_seen, k);
    for (uint32_t i = 0; i < n_seen; i++) {
        uint32_t n_better = 0;
        for (uint32_t j = 0; j < n; j++)
            n_better += logits[j] > logits[seen[i]];
        CHECK(n_better < k);
    }
    free(f.block);
    free(logits);
}

/* Filters look at part of a vocabulary of real size: what is drawn is what
 * sorting all of it keeps. */
static void filters_of_many(void) {
    enum { n = 3001 };
    static const struct {
        float spread; /* times 8, in e-folds */
        uint32_t top_k;
        float top_p, min_p;
    } cases[] = {{1, 0, 0.02f, 0},       {1, 0, 0.3f, 0},   {1, 7, 0, 0},
                 {1, 0, 0, 0.8f},        {0.001f, 50, 0, 0}, {18, 0, 0.9999f, 0},
                 {18, 0, 0, 1e-5f},       {9, 200, 0, 0},    {150, 0, 0, 1e-30f},
                 {200, 0, 0, 1e-37f},     {30, 0, 0.999f, 0}, {30, 90, 0.99f, 0},
                 {0.001f, 0, 0.03f, 0},  {2, 0, 0.2f, 0.5f}, {2, 40, 0.9f, 0.9f},
                 {0, 0, 0.05f, 0},       {0, 90, 0, 0}};
    static float logits[n];
    static pipit_candidate sorted[n];
    static unsigned counts[n];
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        pipit_sampling o = at_temperature(1e6f);
        fixture f;
        o.top_k = cases[k].top_k;
        o.top_p = cases[k].top_p;
        o.min_p = cases[k].min_p;
        make_logits(logits, n, (uint32_t)k + 16);
        memset(counts, 0, sizeof counts);
        for (uint32_t i = 0; i < n; i++) logits[i] *= cases[k].spread;
        uint32_t kept = sort_and_filter(&o, logits, n, sorted);
        CHECK(kept > 0 && kept < 300); /* few enough that all are drawn */
        open_sampler(&f, &o, n);
        for (int i = 0; i < 8000; i++) {
            uint32_t token = pick(&f, logits);
            if (CHECK(token < n)) counts[token]++;
        }
        free(f.block);
        for (uint32_t i = 0; i < n; i++)
            if (!CHECK((counts[sorted[i].token] > 0) == (i < kept))) {
                printf("(case %zu, rank %u of %u)\n", k, i, kept);
                break;
            }
    }
}

/* ---- determinism ------------------------------------------------------- */

static void same_seed_same_tokens(void) {
    float logits[300];
    fixture a, b;
    unsigned n_other = 0;
    make_logits(logits, 300, 10);
    pipit_sampling o = at_temperature(1), other = o;
    other.seed++;
    open_sampler(&a, &o, 300);
    open_sampler(&b, &other, 300);
    uint32_t first[100];
    for (int i = 0; i < 100; i++) {
        first[i] = pick(&a, logits);
        n_other += first[i] != pick(&b, logits);
    }
    CHECK(n_other > 50);
    pipit_sampler_reset(&a.sampler);
    for (int i = 0; i < 100; i++) CHECK_EQ_U64(pick(&a, logits), first[i]);
    free(a.block);
    free(b.block);
}

/* One draw a token, greedy ones too few: a generator is never half a step off
 * because of what was filtered. */
static void one_draw_a_token(void) {
    float logits[300];
    make_logits(logits, 300, 11);
    for (uint32_t k = 0; k < 3; k++) {
        pipit_sampling o = at_temperature(1);
        fixture f;
        pipit_rng rng;
        o.top_k = k;
        open_sampler(&f, &o, 300);
        pipit_rng_seed(&rng, o.seed);
        for (int i = 0; i < 10; i++) {
            pick(&f, logits);
            pipit_rng_next(&rng);
        }
        CHECK(memcmp(&rng, &f.sampler.rng, sizeof rng) == 0);
        free(f.block);
    }
}

/* Every build, machine and module draws these; worked out once by another
 * program in double. */
static void golden_tokens(void) {
    static const uint32_t plain[12] = {100, 266, 18,  289, 143, 293,
                                       265, 222, 198, 36,  83,  143};
    static const uint32_t filtered[12] = {200, 131, 230, 174, 242, 143,
                                          131, 100, 221, 113, 181, 18};
    float logits[300];
    fixture f;
    make_logits(logits, 300, 12);
    pipit_sampling o = at_temperature(0.8f);
    open_sampler(&f, &o, 300);
    for (int i = 0; i < 12; i++) CHECK_EQ_U64(pick(&f, logits), plain[i]);
    free(f.block);
    o.top_k = 40, o.top_p = 0.95f, o.min_p = 0.05f;
    open_sampler(&f, &o, 300);
    for (int i = 0; i < 12; i++) CHECK_EQ_U64(pick(&f, logits), filtered[i]);
    free(f.block);
}

/* ---- options ----------------------------------------------------------- */

static void checks_options(void) {
    const float bad[] = {NAN, INFINITY, -INFINITY, -0.5f};
    pipit_error error;
    for (size_t i = 0; i < 4; i++) {
        pipit_sampling o[6];
        static const char *const fields[] = {
            "temperature", "top_p", "min_p", "repetition_penalty",
            "presence_penalty", "frequency_penalty"};
        for (size_t k = 0; k < 6; k++) o[k] = at_temperature(1);
        o[0].temperature = bad[i];
        o[1].top_p = bad[i];
        o[2].min_p = bad[i];
        o[3].repetition_penalty = bad[i];
        o[4].presence_penalty = bad[i];
        o[5].frequency_penalty = bad[i];
        for (size_t k = 0; k < 6; k++) {
            bool fine = i == 3 && k >= 4; /* a negative penalty rewards */
            pipit_status s = pipit_sampling_check(&o[k], 10, &error);
            CHECK(s == (fine ? PIPIT_OK : PIPIT_E_ARGUMENT));
            if (s) CHECK_HOLDS(error.message, fields[k]);
        }
    }
    pipit_sampling o = at_temperature(1);
    o.min_p = 1.5f;
    CHECK(pipit_sampling_check(&o, 10, &error) == PIPIT_E_ARGUMENT);
    CHECK_HOLDS(error.message, "min_p");
    o = at_temperature(1);
    pipit_logit_bias bias[2] = {{9, 1}, {10, 1}};
    o.n_bias = 1;
    CHECK(pipit_sampling_check(&o, 10, &error) == PIPIT_E_ARGUMENT);
    CHECK_HOLDS(error.message, "bias");
    o.bias = bias;
    CHECK(pipit_sampling_check(&o, 10, &error) == PIPIT_OK);
    o.n_bias = 2;
    CHECK(pipit_sampling_check(&o, 10, &error) == PIPIT_E_TOKEN);
    CHECK_HOLDS(error.message, "token 10, the vocabulary has 10");
    bias[1] = (pipit_logit_bias){1, NAN};
    CHECK(pipit_sampling_check(&o, 10, &error) == PIPIT_E_ARGUMENT);
    bias[1] = (pipit_logit_bias){1, INFINITY};
    CHECK(pipit_sampling_check(&o, 10, &error) == PIPIT_E_ARGUMENT);
    bias[1] = (pipit_logit_bias){1, -INFINITY};
    CHECK(pipit_sampling_check(&o, 10, &error) == PIPIT_OK);
}

int main(void) {
    CASE(defaults_are_greedy);
    CASE(greedy_specials);
    CASE(nothing_to_choose);
    CASE(leaves_logits_alone);
    CASE(bias_is_added);
    CASE(bias_is_copied);
    CASE(penalties_apply);
    CASE(window_slides);
    CASE(draws_follow_temperature);
    CASE(draws_follow_filters);
    CASE(ties_go_to_lower_ids);
    CASE(heat_revives_what_is_kept);
    CASE(draws_with_special_logits);
    CASE(top_k_of_many);
    CASE(filters_of_many);
    CASE(same_seed_same_tokens);
    CASE(one_draw_a_token);
    CASE(golden_tokens);
    CASE(checks_options);
    return check_done();
}
