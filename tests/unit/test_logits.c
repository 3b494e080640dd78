#include "check.h"
#include "logits.h"
#include "logits_row.h"

#include <math.h>

/* Every place may hold the largest. */
static void finds_the_largest(void) {
    float logits[40];
    for (uint32_t n = 1; n <= 40; n++)
        for (uint32_t at = 0; at < n; at++) {
            make_logits(logits, n, 15);
            logits[at] = 9;
            if (at > 0) logits[at - 1] = NAN;
            CHECK(pipit_max_logit(logits, n) == 9);
            logits[at] = NAN;
            CHECK(pipit_max_logit(logits, n) < 9);
        }
    for (uint32_t i = 0; i < 40; i++) logits[i] = i % 3 ? NAN : -INFINITY;
    CHECK(pipit_max_logit(logits, 40) == -INFINITY);
}

static double expected_logprob(const float *logits, uint32_t n,
                               uint32_t token) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        if (logits[i] == logits[i]) sum += exp((double)logits[i]);
    return (double)logits[token] - log(sum);
}

static void logprobs_are_right(void) {
    float logits[1000];
    make_logits(logits, 1000, 13);
    logits[3] = NAN;
    logits[4] = -INFINITY;
    for (uint32_t i = 5; i < 1000; i++)
        CHECK_CLOSE((double)pipit_logprob_of(logits, 1000, i),
                    expected_logprob(logits, 1000, i), 1e-6);
    CHECK(pipit_logprob_of(logits, 1000, 3) == -INFINITY);
    CHECK(pipit_logprob_of(logits, 1000, 4) == -INFINITY);
    CHECK(pipit_logprob_of(logits, 1000, 1000) == -INFINITY);
    float sure[2] = {500, -500}; /* no overflow */
    CHECK(pipit_logprob_of(sure, 2, 0) == 0.0f);
    CHECK(pipit_logprob_of(sure, 2, 1) == -1000.0f);
    float one[1] = {-3};
    CHECK(pipit_logprob_of(one, 1, 0) == 0.0f);
}

static void best_logprobs_fall(void) {
    float logits[1000];
    pipit_logprob best[PIPIT_MAX_LOGPROBS];
    make_logits(logits, 1000, 14);
    logits[17] = NAN;
    for (uint32_t n = 0; n <= PIPIT_MAX_LOGPROBS; n++) {
        pipit_logprob_best(logits, 1000, n, best);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t n_better = 0;
            for (uint32_t j = 0; j < 1000; j++)
                n_better += logits[j] > logits[best[i].token];
            CHECK_EQ_U64(n_better, i);
            CHECK(best[i].logprob ==
                  pipit_logprob_of(logits, 1000, best[i].token));
        }
    }
    float ties[6] = {1, 2, 2, 1, 2, 0};
    const uint32_t order[6] = {1, 2, 4, 0, 3, 5};
    pipit_logprob_best(ties, 6, 6, best);
    for (uint32_t i = 0; i < 6; i++) CHECK_EQ_U64(best[i].token, order[i]);
    pipit_logprob_best(ties, 6, 8, best); /* more than there are */
    CHECK(best[5].token == 5 && best[6].token == PIPIT_NO_TOKEN);
    CHECK(best[7].token == PIPIT_NO_TOKEN && best[7].logprob == -INFINITY);
}

static void no_distribution_no_nan(void) {
    const float cases[3][3] = {{NAN, NAN, NAN},
                               {-INFINITY, -INFINITY, -INFINITY},
                               {INFINITY, 1, NAN}};
    pipit_logprob best[3];
    for (size_t c = 0; c < 3; c++) {
        pipit_logprob_best(cases[c], 3, 3, best);
        for (uint32_t i = 0; i < 3; i++) {
            CHECK(pipit_logprob_of(cases[c], 3, i) == -INFINITY);
            CHECK(best[i].logprob == -INFINITY);
        }
    }
}

int main(void) {
    CASE(finds_the_largest);
    CASE(logprobs_are_right);
    CASE(best_logprobs_fall);
    CASE(no_distribution_no_nan);
    return check_done();
}
