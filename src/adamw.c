#include "adamw.h"

#include "mathf.h"

void pipit_adamw_at(pipit_adamw *adam, uint64_t step) {
    double t = (double)step;
    adam->correction1 = (float)(1.0 / (1.0 - pipit_pow(adam->beta1, t)));
    adam->correction2 = (float)(1.0 / (1.0 - pipit_pow(adam->beta2, t)));
}

void pipit_adamw_update(const pipit_adamw *adam, float *x, const float *g,
                        float *m, float *v, size_t n) {
    const float b1 = adam->beta1, b2 = adam->beta2;
    for (size_t i = 0; i < n; i++) {
        float gradient = g[i] * adam->clip;
        m[i] = b1 * m[i] + (1.0f - b1) * gradient;
        v[i] = b2 * v[i] + (1.0f - b2) * (gradient * gradient);
        float root = pipit_sqrtf(v[i] * adam->correction2) + adam->epsilon;
        x[i] -= adam->rate *
                (m[i] * adam->correction1 / root + adam->decay * x[i]);
    }
}

double pipit_sum_of_squares(const float *x, size_t n) {
    double sums[4] = {0, 0, 0, 0};
    for (size_t i = 0; i < n; i++) sums[i % 4] += (double)x[i] * x[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}
