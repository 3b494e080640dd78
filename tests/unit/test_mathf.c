/* Our elementary functions against the system's, in units of the last place. */
#include "mathf.h"

#include "check.h"

#include <math.h>

static double ulps(float value, double exact) {
    float near = (float)exact;
    if (isinf(near) || near == 0) return value == near ? 0 : 1e9;
    float step = nextafterf(fabsf(near), INFINITY) - fabsf(near);
    return fabs((double)value - exact) / (double)step;
}

static void exponential_of_floats(void) {
    double worst = 0;
    for (float x = -87; x < 88.7f; x += 0.00193f)
        worst = fmax(worst, ulps(pipit_expf(x), exp((double)x)));
    CHECK(worst < 1.0);
    CHECK(pipit_expf(0) == 1.0f && pipit_expf(-0.0f) == 1.0f);
    CHECK(pipit_expf(89) == INFINITY && pipit_expf(INFINITY) == INFINITY);
    CHECK(pipit_expf(-104) == 0 && pipit_expf(-INFINITY) == 0);
    CHECK(isnan(pipit_expf(NAN)));
    for (float x = 0; x > -86.9f; x -= 0.00037f)
        CHECK(ulps(pipit_expf_below_0(x), exp((double)x)) < 2.5);
    CHECK(pipit_expf_below_0(0) == 1.0f && pipit_expf_below_0(-0.0f) == 1.0f);
    CHECK(pipit_expf_below_0(-87) == 0 && pipit_expf_below_0(-INFINITY) == 0);
    CHECK(pipit_expf_below_0(NAN) == 0);
    /* Subnormal results lose bits, not more than their own last place. */
    for (float x = -103; x < -87; x += 0.01f)
        CHECK(fabs((double)pipit_expf(x) - exp((double)x)) < 1.5e-45);
}

static void hyperbolic_tangent(void) {
    double worst = 0;
    for (float x = -12; x < 12; x += 0.00073f)
        worst = fmax(worst, ulps(pipit_tanhf(x), tanh((double)x)));
    CHECK(worst < 2.0);
    CHECK(pipit_tanhf(INFINITY) == 1 && pipit_tanhf(-INFINITY) == -1);
    CHECK(isnan(pipit_tanhf(NAN)));
}

static void doubles(void) {
    for (double x = -700; x < 700; x += 0.137)
        CHECK(fabs(pipit_exp(x) / exp(x) - 1) < 1e-15);
    for (double x = 1e-300; x < 1e300; x *= 1.7)
        CHECK(fabs(pipit_log(x) - log(x)) <= 4e-16 * fabs(log(x)) + 1e-16);
    CHECK(pipit_log(0) == -INFINITY && isnan(pipit_log(-1)));
    CHECK(pipit_log(1) == 0 && pipit_log(INFINITY) == INFINITY);
    CHECK(pipit_log(5e-324) < -744.4 && pipit_log(5e-324) > -744.5);
    CHECK(pipit_exp(1000) == INFINITY && pipit_exp(-1000) == 0);
    CHECK(isnan(pipit_exp(NAN)));
    for (double x = 0.5; x < 1e7; x *= 2.3)
        for (double y = -1; y < 1; y += 0.11)
            CHECK(fabs(pipit_pow(x, y) / pow(x, y) - 1) < 1e-14);
}

static void angles(void) {
    for (double x = -1e6; x < 1e6; x += 37.77) {
        double s, c;
        pipit_sincos(x, &s, &c);
        CHECK(fabs(s - sin(x)) < 4e-16 && fabs(c - cos(x)) < 4e-16);
    }
}

static void roots_are_exact(void) {
    for (float x = 0; x < 1e6f; x = x * 1.1f + 0.01f)
        CHECK(pipit_sqrtf(x) == sqrtf(x) && pipit_sqrt(x) == sqrt((double)x));
}

int main(void) {
    CASE(exponential_of_floats);
    CASE(hyperbolic_tangent);
    CASE(doubles);
    CASE(angles);
    CASE(roots_are_exact);
    return check_done();
}
