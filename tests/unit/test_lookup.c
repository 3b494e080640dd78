/* Prompt lookup: what is drafted, and how failures slow it down. */
#include "lookup.h"

#include "check.h"

static void the_longest_match_is_continued(void) {
    /* 5 6 7 8 9 0 stands twice, once after 4 as at the end. */
    const uint32_t history[] = {4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 5, 6, 7,
                                8, 9, 0, 3, 1, 4, 5, 6, 7, 8, 9, 0};
    const uint32_t *draft = NULL;
    pipit_lookup l;
    pipit_lookup_init(&l);
    uint32_t n = pipit_lookup_draft(&l, history, 25, 3, &draft);
    CHECK_EQ_U64(n, 3);
    CHECK(draft == history + 7);
    /* Of equally long ones the latest. */
    n = pipit_lookup_draft(&l, history + 1, 24, 2, &draft);
    CHECK_EQ_U64(n, 2);
    CHECK(draft == history + 16);
}

static void short_matches_are_not_drafted(void) {
    const uint32_t history[] = {1, 2, 3, 4, 5, 6, 9, 2, 3, 4, 5, 6};
    const uint32_t *draft = NULL;
    pipit_lookup l;
    pipit_lookup_init(&l);
    for (size_t n = 0; n <= 12; n++)
        CHECK_EQ_U64(pipit_lookup_draft(&l, history, n, 8, &draft), 0);
}

static void a_draft_ends_where_the_text_does(void) {
    const uint32_t history[] = {1, 2, 1, 2, 1, 2, 1, 2, 1, 2};
    const uint32_t *draft = NULL;
    pipit_lookup l;
    pipit_lookup_init(&l);
    uint32_t n = pipit_lookup_draft(&l, history, 10, 8, &draft);
    CHECK(n > 0 && draft + n <= history + 10);
}

static void failures_pause_it_longer_and_longer(void) {
    const uint32_t history[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const uint32_t *draft = NULL;
    uint32_t before = 0;
    pipit_lookup l;
    pipit_lookup_init(&l);
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t n = 0, waited = 0;
        while ((n = pipit_lookup_draft(&l, history, 24, 8, &draft)) == 0)
            waited++;
        CHECK(i == 0 || waited > before);
        before = waited;
        pipit_lookup_learn(&l, n, 0);
    }
    for (uint32_t n = 3; n <= PIPIT_MAX_DRAFT; n = 2 * n + 1) {
        CHECK_EQ_U64(l.size, n);
        pipit_lookup_learn(&l, n, n);
        CHECK_EQ_U64(l.misses, 0);
    }
    CHECK_EQ_U64(l.size, PIPIT_MAX_DRAFT);
}

int main(void) {
    CASE(the_longest_match_is_continued);
    CASE(short_matches_are_not_drafted);
    CASE(a_draft_ends_where_the_text_does);
    CASE(failures_pause_it_longer_and_longer);
    return check_done();
}
