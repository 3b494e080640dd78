#include "engine.h"

#include "check.h"

static void every_listed_implementation_opens(void) {
    uint32_t n = 0;
    for (const char *name; (name = pipit_kernels_list(n)); n++) {
        pipit_engine *engine;
        CHECK(pipit_engine_probe(n, NULL) == PIPIT_OK);
        CHECK(pipit_engine_open(2, name, NULL, &engine) == PIPIT_OK);
        CHECK(strcmp(pipit_engine_kernels(engine), name) == 0);
        CHECK_EQ_U64(pipit_engine_n_threads(engine), 2);
        pipit_engine_close(engine);
    }
    CHECK(n > 0);
    CHECK(strcmp(pipit_kernels_list(0), "scalar") == 0);
    CHECK(pipit_engine_probe(n, NULL) == PIPIT_E_ARGUMENT);
}

static void the_fastest_is_chosen_by_itself(void) {
    pipit_engine *engine;
    CHECK(pipit_engine_open(1, NULL, NULL, &engine) == PIPIT_OK);
    if (pipit_kernels_list(1))
        CHECK(strcmp(pipit_engine_kernels(engine), "scalar") != 0);
    pipit_engine_close(engine);
}

static void what_is_impossible_is_refused(void) {
    pipit_engine *engine = NULL;
    CHECK(pipit_engine_open(1, "abacus", NULL, &engine) == PIPIT_E_UNSUPPORTED);
    CHECK(pipit_engine_open(0, NULL, NULL, &engine) == PIPIT_E_ARGUMENT);
    CHECK(pipit_engine_open(1, NULL, NULL, NULL) == PIPIT_E_ARGUMENT);
    for (uint64_t i = 1; i <= 2; i++) {
        check_memory memory = {.fail_at = i};
        pipit_allocator a = check_allocator(&memory);
        CHECK(pipit_engine_open(1, "scalar", &a, &engine) == PIPIT_E_MEMORY);
        CHECK_EQ_U64(memory.n_live, 0);
    }
    CHECK(engine == NULL);
    CHECK(pipit_engine_kernels(NULL) == NULL);
    CHECK_EQ_U64(pipit_engine_n_threads(NULL), 0);
    pipit_engine_close(NULL);
}

int main(void) {
    CASE(every_listed_implementation_opens);
    CASE(the_fastest_is_chosen_by_itself);
    CASE(what_is_impossible_is_refused);
    return check_done();
}
