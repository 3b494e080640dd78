#include "arena.h"
#include "check.h"

static void measures_what_it_carves(void) {
    _Alignas(64) static uint8_t block[4096];
    pipit_arena measure = {0};
    const size_t counts[] = {0, 1, 3, 64, 65, 100};
    for (size_t i = 0; i < 6; i++)
        CHECK(pipit_arena_take(&measure, counts[i], 4) == NULL);
    CHECK(!measure.overflow);
    CHECK_EQ_U64(measure.used, 0 + 64 + 64 + 256 + 320 + 448);

    pipit_arena carve = {.base = block, .capacity = measure.used};
    uint8_t *end = block;
    for (size_t i = 0; i < 6; i++) {
        uint8_t *part = pipit_arena_take(&carve, counts[i], 4);
        CHECK(part != NULL && part >= end);
        CHECK_EQ_U64((uintptr_t)part % PIPIT_ARENA_ALIGN, 0);
        end = part + counts[i] * 4;
    }
    CHECK_EQ_U64(carve.used, measure.used);
}

static void overflow_stays(void) {
    pipit_arena a = {0};
    CHECK(pipit_arena_take(&a, SIZE_MAX / 2, 4) == NULL);
    CHECK(a.overflow);
    CHECK(pipit_arena_take(&a, 1, 1) == NULL);
    CHECK(a.overflow);

    pipit_arena padding = {0}; /* fits, but not with its padding */
    pipit_arena_take(&padding, SIZE_MAX - 5, 1);
    CHECK(padding.overflow);

    pipit_arena sum = {0}; /* each fits, both don't */
    pipit_arena_take(&sum, SIZE_MAX / 2 + 1, 1);
    CHECK(!sum.overflow);
    pipit_arena_take(&sum, SIZE_MAX / 2 + 1, 1);
    CHECK(sum.overflow);
}

static void what_was_missing_is_told(void) {
    pipit_arena a = {0}; /* more than 32 bits, at least */
    for (int i = 0; i < 3; i++) pipit_arena_take_bytes(&a, 3000000000);
    CHECK_EQ_U64(a.wanted, (uint64_t)9000000000);
    CHECK(a.overflow == (a.wanted > SIZE_MAX));
    pipit_arena_take_bytes(&a, UINT64_MAX - 5);
    CHECK(a.overflow);
    CHECK_EQ_U64(a.wanted, UINT64_MAX);
}

static void platform_allocates(void) {
    const pipit_allocator *a = pipit_allocator_or_platform(NULL);
    CHECK(a == pipit_platform_allocator());
    const size_t sizes[] = {0, 1, 63, 64, 65, 100000};
    for (size_t i = 0; i < 6; i++) {
        uint8_t *p = pipit_take(a, sizes[i]);
        if (!CHECK(p != NULL)) continue;
        CHECK_EQ_U64((uintptr_t)p % 64, 0);
        memset(p, 1, sizes[i]);
        pipit_give(a, p, sizes[i]);
    }
    CHECK(pipit_take(a, SIZE_MAX) == NULL);
    CHECK(pipit_take(a, SIZE_MAX / 2) == NULL);
    pipit_give(a, NULL, 5);
}

static void given_allocator_wins(void) {
    check_memory m = {0};
    pipit_allocator a = check_allocator(&m);
    CHECK(pipit_allocator_or_platform(&a) == &a);
    void *p = pipit_take(&a, 10);
    CHECK_EQ_U64(m.live_bytes, 10);
    pipit_give(&a, p, 10);
    CHECK_EQ_U64(m.n_live, 0);
}

int main(void) {
    CASE(measures_what_it_carves);
    CASE(overflow_stays);
    CASE(what_was_missing_is_told);
    CASE(platform_allocates);
    CASE(given_allocator_wins);
    return check_done();
}
