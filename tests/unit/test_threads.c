#include "threads.h"

#include "check.h"

enum { ROUNDS = 200, STAGES = 5, MAX = 8 };

/* Every thread writes its cell, then reads all cells of the stage before. */
typedef struct relay {
    pipit_pool *pool;
    uint32_t cells[STAGES][MAX];
    uint32_t sums[STAGES][MAX];
} relay;

static void run_relay(void *context, uint32_t thread, uint32_t n) {
    relay *r = context;
    for (uint32_t stage = 0; stage < STAGES; stage++) {
        r->cells[stage][thread] = stage + 1;
        pipit_pool_barrier(r->pool);
        r->sums[stage][thread] = 0;
        for (uint32_t i = 0; i < n; i++)
            r->sums[stage][thread] += r->cells[stage][i];
    }
}

static void barriers_show_what_all_have_written(void) {
    for (uint32_t n = 1; n <= MAX; n++) {
        static relay r;
        CHECK(pipit_pool_open(n, NULL, &r.pool) == PIPIT_OK);
        CHECK_EQ_U64(pipit_pool_size(r.pool), n);
        for (uint32_t round = 0; round < ROUNDS; round++) {
            memset(r.cells, 0, sizeof r.cells);
            pipit_pool_run(r.pool, run_relay, &r);
            for (uint32_t stage = 0; stage < STAGES; stage++)
                for (uint32_t i = 0; i < n; i++)
                    CHECK_EQ_U64(r.sums[stage][i], n * (stage + 1));
        }
        pipit_pool_close(r.pool);
    }
}

static void a_split_covers_everything_once(void) {
    for (uint32_t n = 0; n < 40; n++)
        for (uint32_t threads = 1; threads <= MAX; threads++) {
            uint32_t next = 0;
            for (uint32_t t = 0; t < threads; t++) {
                uint32_t begin, end;
                pipit_split(n, t, threads, &begin, &end);
                CHECK_EQ_U64(begin, next);
                CHECK(end >= begin && end - begin <= n / threads + 1);
                next = end;
            }
            CHECK_EQ_U64(next, n);
        }
}

static void impossible_pools_are_refused(void) {
    pipit_pool *pool = NULL;
    check_memory memory = {.fail_at = 1};
    pipit_allocator a = check_allocator(&memory);
    CHECK(pipit_pool_open(0, NULL, &pool) == PIPIT_E_ARGUMENT);
    CHECK(pipit_pool_open(1000, NULL, &pool) == PIPIT_E_ARGUMENT);
    CHECK(pipit_pool_open(2, &a, &pool) == PIPIT_E_MEMORY);
    CHECK(pool == NULL);
    pipit_pool_close(NULL);
}

static void an_idle_pool_closes(void) {
    for (int i = 0; i < 50; i++) {
        pipit_pool *pool;
        CHECK(pipit_pool_open(3, NULL, &pool) == PIPIT_OK);
        pipit_pool_close(pool);
    }
}

int main(void) {
    CASE(barriers_show_what_all_have_written);
    CASE(a_split_covers_everything_once);
    CASE(impossible_pools_are_refused);
    CASE(an_idle_pool_closes);
    return check_done();
}
