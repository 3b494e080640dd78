#include "logits.h"

#include "mathf.h"

#include <math.h>

/* Lanes, so that compilers make vectors of them. */
float pipit_max_logit(const float *logits, uint32_t n) {
    float max = -INFINITY, lanes[8];
    uint32_t i = 0;
    for (uint32_t j = 0; j < 8; j++) lanes[j] = -INFINITY;
    for (; i + 8 <= n; i += 8)
        for (uint32_t j = 0; j < 8; j++)
            lanes[j] = logits[i + j] > lanes[j] ? logits[i + j] : lanes[j];
    for (; i < n; i++)
        if (logits[i] > max) max = logits[i];
    for (uint32_t j = 0; j < 8; j++)
        if (lanes[j] > max) max = lanes[j];
    return max;
}

/* exp of what is at most 0, to 1e-14; NaN and what is below -700 as -700. One
 * for each word of the vocabulary: without branches and divisions, so that
 * compilers make vectors of it. */
static double exp_of_share(double x) {
    const double magic = 6755399441055744.0; /* 1.5 * 2^52: rounds */
    x = x > -700.0 ? x : -700.0;
    double shifted = x * 1.44269504088896340736 + magic;
    double n = shifted - magic, r = x - n * 6.93147180369123816490e-01;
    uint64_t bits;
    r -= n * 1.90821492927058770002e-10;
    double p = 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52; /* magic's lowest bits are 0 */
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* log of the sum of exp(logits), in double and in the order of ids; not finite
 * when there is no distribution: no finite logit, or an infinite one. */
static double log_sum(const float *logits, uint32_t n) {
    double max = (double)pipit_max_logit(logits, n), sum = 0, shares[64];
    for (uint32_t i = 0; i < n; i += 64) {
        uint32_t some = pipit_min_u32(64, n - i);
        for (uint32_t j = 0; j < some; j++)
            shares[j] = exp_of_share((double)logits[i + j] - max);
        for (uint32_t j = 0; j < some; j++) sum += shares[j];
    }
    return max + pipit_log(sum);
}

/* -infinity for what has no probability, NaN among it. */
static float logprob(float logit, double log_total) {
    double p = (double)logit - log_total;
    return p == p ? (float)p : -INFINITY;
}

float pipit_logprob_of(const float *logits, uint32_t n_vocab, uint32_t token) {
    if (token >= n_vocab) return -INFINITY;
    return logprob(logits[token], log_sum(logits, n_vocab));
}

void pipit_logprob_best(const float *logits, uint32_t n_vocab, uint32_t n,
                        pipit_logprob *out) {
    double log_total = log_sum(logits, n_vocab);
    uint32_t held = 0;
    for (uint32_t i = 0; i < n_vocab; i++) {
        float x = logits[i] == logits[i] ? logits[i] : -INFINITY;
        if (held == n && (n == 0 || x <= out[n - 1].logprob)) continue;
        uint32_t at = held < n ? held++ : n - 1;
        while (at > 0 && out[at - 1].logprob < x) {
            out[at] = out[at - 1];
            at--;
        }
        out[at] = (pipit_logprob){i, x};
    }
    for (uint32_t i = 0; i < held; i++)
        out[i].logprob = logprob(out[i].logprob, log_total);
    for (uint32_t i = held; i < n; i++)
        out[i] = (pipit_logprob){PIPIT_NO_TOKEN, -INFINITY};
}
