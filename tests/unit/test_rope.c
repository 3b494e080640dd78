/* RoPE against its formulas in double precision. */
#include "rope.h"

#include "check.h"

#include <math.h>

#define PI 3.14159265358979323846

enum { N_ROT = 16 };

static pipit_model model_with(pipit_rope_params rope) {
    pipit_model m;
    memset(&m, 0, sizeof m);
    m.h.n_rot = N_ROT;
    m.h.rope = rope;
    m.h.rope_windowed = rope;
    return m;
}

static pipit_rope_params plain(void) {
    return (pipit_rope_params){.base = 10000, .factor = 1, .attn_factor = 1,
                               .beta_fast = 32, .beta_slow = 1,
                               .original_context = 64};
}

static void plain_linear_and_divided_angles(void) {
    double freqs[N_ROT / 2];
    float magnitude, divisors[N_ROT / 2];
    pipit_model m = model_with(plain());
    pipit_rope_freqs(&m, false, 64, freqs, &magnitude);
    CHECK(magnitude == 1);
    for (int i = 0; i < N_ROT / 2; i++)
        CHECK_CLOSE(freqs[i], pow(10000, -2.0 * i / N_ROT), 1e-15);
    m.h.rope.factor = 8;
    pipit_rope_freqs(&m, false, 64, freqs, &magnitude);
    CHECK_CLOSE(freqs[1], pow(10000, -2.0 / N_ROT) / 8, 1e-15);
    for (int i = 0; i < N_ROT / 2; i++) divisors[i] = (float)(i + 1);
    m.h.rope.factor = 1;
    m.rope_freqs = divisors;
    pipit_rope_freqs(&m, false, 64, freqs, &magnitude);
    CHECK_CLOSE(freqs[3], pow(10000, -6.0 / N_ROT) / 4, 1e-15);
}

static void long_and_short_factors_by_context(void) {
    double freqs[N_ROT / 2];
    float magnitude, twos[N_ROT / 2], threes[N_ROT / 2];
    pipit_rope_params p = plain();
    p.scaling = PIPIT_ROPE_LONG;
    p.attn_factor = 1.25f;
    pipit_model m = model_with(p);
    for (int i = 0; i < N_ROT / 2; i++) twos[i] = 2, threes[i] = 3;
    m.rope_factors_short = twos;
    m.rope_factors_long = threes;
    pipit_rope_freqs(&m, false, 64, freqs, &magnitude);
    CHECK_CLOSE(freqs[0], 1 / 2.0, 1e-15);
    pipit_rope_freqs(&m, false, 65, freqs, &magnitude);
    CHECK_CLOSE(freqs[0], 1 / 3.0, 1e-15);
    CHECK(magnitude == 1.25f);
}

/* FORMAT: fast pairs as trained, slow ones interpolated, a ramp between. */
static void yarn_ramps_between_pairs(void) {
    double freqs[N_ROT / 2];
    float magnitude;
    pipit_rope_params p = plain();
    p.scaling = PIPIT_ROPE_YARN;
    p.factor = 4;
    p.original_context = 4096;
    pipit_model m = model_with(p);
    pipit_rope_freqs(&m, false, 8192, freqs, &magnitude);
    CHECK_CLOSE(magnitude, 1 + 0.1 * log(4), 1e-6);
    CHECK_CLOSE(freqs[0], 1, 1e-15);
    CHECK_CLOSE(freqs[7], pow(10000, -14.0 / 16) / 4, 1e-15);
    double low = floor(16 * log(4096 / (2 * PI * 32)) / (2 * log(10000)));
    double high = ceil(16 * log(4096 / (2 * PI)) / (2 * log(10000)));
    for (int i = 0; i < N_ROT / 2; i++) {
        double ramp = (i - low) / (high - low);
        double keep = 1 - (ramp < 0 ? 0 : ramp > 1 ? 1 : ramp);
        double f = pow(10000, -2.0 * i / 16);
        CHECK_CLOSE(freqs[i], f / 4 * (1 - keep) + f * keep, 1e-14);
    }
}

static void both_styles_turn_their_pairs(void) {
    double freqs[N_ROT / 2];
    float magnitude, table[N_ROT];
    pipit_model m = model_with(plain());
    pipit_rope_freqs(&m, false, 64, freqs, &magnitude);
    for (uint32_t pos = 0; pos < 5000; pos += 777) {
        float norm[N_ROT + 4], neox[N_ROT + 4];
        pipit_rope_table(freqs, magnitude, N_ROT, pos, table);
        for (int i = 0; i < N_ROT + 4; i++) norm[i] = neox[i] = (float)(i + 1);
        pipit_rope_turn(PIPIT_ROPE_NORM, table, N_ROT, norm);
        pipit_rope_turn(PIPIT_ROPE_NEOX, table, N_ROT, neox);
        for (int i = 0; i < N_ROT / 2; i++) {
            double a = pos * pow(10000, -2.0 * i / N_ROT);
            double x = 2 * i + 1, y = 2 * i + 2;
            CHECK_CLOSE(norm[2 * i], x * cos(a) - y * sin(a), 2e-5);
            CHECK_CLOSE(norm[2 * i + 1], x * sin(a) + y * cos(a), 2e-5);
            x = i + 1, y = i + 1 + N_ROT / 2;
            CHECK_CLOSE(neox[i], x * cos(a) - y * sin(a), 2e-5);
            CHECK_CLOSE(neox[i + N_ROT / 2], x * sin(a) + y * cos(a), 2e-5);
        }
        CHECK(norm[N_ROT] == N_ROT + 1); /* partial: the rest stays */
    }
}

int main(void) {
    CASE(plain_linear_and_divided_angles);
    CASE(long_and_short_factors_by_context);
    CASE(yarn_ramps_between_pairs);
    CASE(both_styles_turn_their_pairs);
    return check_done();
}
