#include "check.h"
#include "rng.h"

/* Blackman and Vigna's published generators, from their own test values. */
static void golden_seeding(void) {
    static const uint64_t splitmix[] = {
        6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
        4593380528125082431u};
    pipit_rng r;
    pipit_rng_seed(&r, 1234567);
    for (size_t i = 0; i < 4; i++) CHECK_EQ_U64(r.state[i], splitmix[i]);
}

static void golden_draws(void) {
    static const uint64_t draws[] = {
        11520u, 0u, 1509978240u, 1215971899390074240u, 1216172134540287360u,
        607988272756665600u, 16172922978634559625u, 8476171486693032832u,
        10595114339597558777u, 2904607092377533576u};
    pipit_rng r = {{1, 2, 3, 4}};
    for (size_t i = 0; i < 10; i++) CHECK_EQ_U64(pipit_rng_next(&r), draws[i]);
}

static void same_seed_same_draws(void) {
    pipit_rng a, b, c;
    pipit_rng_seed(&a, 0);
    pipit_rng_seed(&b, 0);
    pipit_rng_seed(&c, 1);
    unsigned n_equal = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = pipit_rng_next(&a);
        CHECK_EQ_U64(x, pipit_rng_next(&b));
        n_equal += x == pipit_rng_next(&c);
    }
    CHECK_EQ_U64(n_equal, 0);
}

static void unit_is_in_range(void) {
    pipit_rng r, ends = {{0, 0, 0, 0}};
    CHECK(pipit_rng_unit(&ends) == 0.0); /* the smallest draw */
    pipit_rng_seed(&r, 42);
    double sum = 0, squares = 0;
    unsigned boxes[16] = {0};
    const int n = 160000;
    for (int i = 0; i < n; i++) {
        pipit_rng before = r;
        double u = pipit_rng_unit(&r);
        CHECK(u >= 0 && u < 1);
        CHECK(u * 0x1p53 == (double)(pipit_rng_next(&before) >> 11));
        sum += u;
        squares += u * u;
        boxes[(int)(u * 16)]++;
    }
    CHECK_CLOSE(sum / n, 0.5, 0.003);
    CHECK_CLOSE(squares / n, 1.0 / 3, 0.003);
    double chi = 0;
    for (int i = 0; i < 16; i++) {
        double d = boxes[i] - n / 16.0;
        chi += d * d / (n / 16.0);
    }
    CHECK(chi > 4 && chi < 32); /* 15 degrees of freedom: 99 % */
}

int main(void) {
    CASE(golden_seeding);
    CASE(golden_draws);
    CASE(same_seed_same_draws);
    CASE(unit_is_in_range);
    return check_done();
}
