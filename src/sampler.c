#include "sampler.h"

#include "mathf.h"

#include <math.h>

/* Below it the scale 1 / temperature may be infinite; the best token's share is
 * 1 long before. */
#define MIN_TEMPERATURE 1e-30f

void pipit_sampling_defaults(pipit_sampling *out) {
    if (out) *out = (pipit_sampling){.repetition_penalty = 1.0f};
}

static bool is_finite(float x) {
    return x - x == 0;
}

static pipit_status out_of_range(pipit_error *error, const char *field) {
    return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                      "sampling: %s is out of range", field);
}

pipit_status pipit_sampling_check(const pipit_sampling *o, uint32_t n_vocab,
                                  pipit_error *error) {
    if (!is_finite(o->temperature) || o->temperature < 0)
        return out_of_range(error, "temperature");
    if (!is_finite(o->top_p) || o->top_p < 0)
        return out_of_range(error, "top_p");
    if (!is_finite(o->min_p) || o->min_p < 0 || o->min_p > 1)
        return out_of_range(error, "min_p");
    if (!is_finite(o->repetition_penalty) || o->repetition_penalty < 0)
        return out_of_range(error, "repetition_penalty");
    if (!is_finite(o->presence_penalty))
        return out_of_range(error, "presence_penalty");
    if (!is_finite(o->frequency_penalty))
        return out_of_range(error, "frequency_penalty");
    if (o->n_bias > 0 && !o->bias) return out_of_range(error, "bias");
    for (size_t i = 0; i < o->n_bias; i++) {
        if (o->bias[i].token >= n_vocab)
            return pipit_fail(error, PIPIT_E_TOKEN, PIPIT_NO_OFFSET,
                              "sampling: a bias names token %u, the vocabulary "
                              "has %u",
                              (uint64_t)o->bias[i].token, (uint64_t)n_vocab);
        if (o->bias[i].bias != o->bias[i].bias || o->bias[i].bias == INFINITY)
            return out_of_range(error, "bias");
    }
    return PIPIT_OK;
}

static bool has_penalties(const pipit_sampling *o) {
    return (o->repetition_penalty != 0.0f && o->repetition_penalty != 1.0f) ||
           o->presence_penalty != 0.0f || o->frequency_penalty != 0.0f;
}

void pipit_sampler_carve(const pipit_sampling *options, uint32_t n_vocab,
                         pipit_arena *arena, pipit_sampler *sampler) {
    *sampler = (pipit_sampler){.options = *options, .n_vocab = n_vocab};
    sampler->candidates =
        pipit_arena_take(arena, n_vocab, sizeof *sampler->candidates);
    if (has_penalties(options))
        sampler->counts =
            pipit_arena_take(arena, n_vocab, sizeof *sampler->counts);
    pipit_logit_bias *bias =
        pipit_arena_take(arena, options->n_bias, sizeof *bias);
    if (!arena->base) return;
    if (options->n_bias > 0)
        memcpy(bias, options->bias, options->n_bias * sizeof *bias);
    sampler->options.bias = bias;
}

void pipit_sampler_reset(pipit_sampler *s) {
    pipit_rng_seed(&s->rng, s->options.seed);
    if (s->counts) memset(s->counts, 0, s->n_vocab * sizeof *s->counts);
}

void pipit_sampler_accept(pipit_sampler *s, const uint32_t *history,
                          size_t n) {
    uint32_t window = s->options.penalty_window;
    if (!s->counts || n == 0) return;
    s->counts[history[n - 1]]++;
    if (window > 0 && n > window) s->counts[history[n - 1 - window]]--;
}

static float penalize(const pipit_sampling *o, float logit, uint32_t count) {
    float r = o->repetition_penalty;
    if (r != 0.0f && r != 1.0f) logit = logit > 0 ? logit / r : logit * r;
    return logit - o->presence_penalty - o->frequency_penalty * (float)count;
}

/* Candidates in the order of ids, after bias and penalties; NaN becomes
 * -infinity, which is never drawn. */
static void fill_candidates(pipit_sampler *s, const float *logits) {
    const pipit_sampling *o = &s->options;
    pipit_candidate *c = s->candidates;
    for (uint32_t i = 0; i < s->n_vocab; i++)
        c[i] = (pipit_candidate){logits[i], i};
    for (size_t i = 0; i < o->n_bias; i++)
        c[o->bias[i].token].logit += o->bias[i].bias;
    if (s->counts)
        for (uint32_t i = 0; i < s->n_vocab; i++)
            if (s->counts[i] > 0)
                c[i].logit = penalize(o, c[i].logit, s->counts[i]);
    for (uint32_t i = 0; i < s->n_vocab; i++)
        if (c[i].logit != c[i].logit) c[i].logit = -INFINITY;
}

static const pipit_candidate *best_of(const pipit_candidate *c, uint32_t n) {
    const pipit_candidate *best = c;
    for (uint32_t i = 1; i < n; i++)
        if (c[i].logit > best->logit) best = &c[i];
    return best;
}

/* +infinity beats everything finite: then only those remain. */
static void settle_infinity(pipit_candidate *c, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        c[i].logit = c[i].logit == INFINITY ? 0.0f : -INFINITY;
}

static bool is_before(pipit_candidate a, pipit_candidate b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

static void sift_down(pipit_candidate *heap, uint32_t n, uint32_t i) {
    pipit_candidate moved = heap[i];
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && is_before(heap[child + 1], heap[child])) child++;
        if (!is_before(heap[child], moved)) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = moved;
}

/* A heap that gives its candidates best first; what it gave stands behind it,
 * the first given last. */
typedef struct ranking {
    pipit_candidate *c;
    uint32_t n, n_given;
} ranking;

static ranking rank(pipit_candidate *c, uint32_t n) {
    for (uint32_t i = n / 2; i-- > 0;) sift_down(c, n, i);
    return (ranking){c, n, 0};
}

static pipit_candidate give(ranking *r) {
    uint32_t left = r->n - r->n_given;
    pipit_candidate best = r->c[0];
    r->c[0] = r->c[left - 1];
    r->c[left - 1] = best;
    r->n_given++;
    sift_down(r->c, left - 1, 0);
    return best;
}

static double sum_of(const pipit_candidate *c, uint32_t n, float max) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += pipit_expf(c[i].logit - max);
    return sum;
}

/* How many of the ranked candidates pass top-k, top-p and min-p. They are then
 * the last of the array, best one last. */
static uint32_t filter(const pipit_sampling *o, pipit_candidate *c, uint32_t n,
                       float max) {
    bool by_p = o->top_p > 0 && o->top_p < 1;
    uint32_t most = o->top_k > 0 && o->top_k < n ? o->top_k : n;
    double total = by_p && most == n ? sum_of(c, n, max) : 0, sum = 0;
    ranking r = rank(c, n);
    if (by_p && most < n) {
        while (r.n_given < most)
            total += pipit_expf(give(&r).logit - max);
    }
    uint32_t kept = 0;
    while (kept < most) {
        pipit_candidate next =
            kept < r.n_given ? c[n - 1 - kept] : give(&r);
        float p = pipit_expf(next.logit - max);
        if (next.logit == -INFINITY || p < o->min_p) break;
        kept++;
        sum += p;
        if (by_p && sum >= o->top_p * total) break;
    }
    return kept;
}

/* One draw by weight exp((logit - max) / temperature), walking c backwards
 * (best first). */
static uint32_t draw(pipit_sampler *s, const pipit_candidate *c, uint32_t n,
                     float max) {
    float scale = 1.0f / s->options.temperature;
    double total = 0;
    for (uint32_t i = n; i-- > 0;)
        total += pipit_expf((c[i].logit - max) * scale);
    double left = pipit_rng_unit(&s->rng) * total;
    uint32_t last = PIPIT_NO_TOKEN;
    for (uint32_t i = n; i-- > 0;) {
        double w = pipit_expf((c[i].logit - max) * scale);
        if (w == 0) continue;
        last = c[i].token;
        left -= w;
        if (left < 0) break;
    }
    return last;
}

pipit_status pipit_sampler_pick(pipit_sampler *s, const float *logits,
                                uint32_t *token) {
    const pipit_sampling *o = &s->options;
    pipit_candidate *c = s->candidates;
    uint32_t n = s->n_vocab, first = 0;
    fill_candidates(s, logits);
    const pipit_candidate *best = best_of(c, n);
    float max = best->logit;
    if (max == -INFINITY) return PIPIT_E_STATE;
    if (o->temperature < MIN_TEMPERATURE) {
        *token = best->token;
        return PIPIT_OK;
    }
    if (max == INFINITY) {
        settle_infinity(c, n);
        max = 0;
    }
    bool filtered = (o->top_k > 0 && o->top_k < n) ||
                    (o->top_p > 0 && o->top_p < 1) || o->min_p > 0;
    if (filtered) first = n - filter(o, c, n, max);
    *token = draw(s, c + first, n - first, max);
    return PIPIT_OK;
}

static float max_logit(const float *logits, uint32_t n) {
    float max = -INFINITY;
    for (uint32_t i = 0; i < n; i++)
        if (logits[i] > max) max = logits[i];
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
    double max = (double)max_logit(logits, n), sum = 0, shares[64];
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
