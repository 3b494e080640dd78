#include "sampler.h"

#include "logits.h"
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
                         const pipit_kernels *kernels, pipit_arena *arena,
                         pipit_sampler *sampler) {
    *sampler = (pipit_sampler){
        .options = *options, .kernels = kernels, .n_vocab = n_vocab};
    sampler->logits =
        pipit_arena_take(arena, n_vocab, sizeof *sampler->logits);
    sampler->candidates =
        pipit_arena_take(arena, n_vocab, sizeof *sampler->candidates);
    sampler->weights = (float *)(void *)sampler->candidates;
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

static float or_never(float logit) {
    return logit == logit ? logit : -INFINITY;
}

/* s->logits: with bias and penalties; NaN becomes -infinity, which is never
 * drawn. */
static void adjust(pipit_sampler *s, const float *logits) {
    const pipit_sampling *o = &s->options;
    float *x = s->logits;
    for (uint32_t i = 0; i < s->n_vocab; i++) x[i] = or_never(logits[i]);
    for (size_t i = 0; i < o->n_bias; i++) {
        uint32_t token = o->bias[i].token;
        x[token] = or_never(x[token] + o->bias[i].bias);
    }
    if (s->counts)
        for (uint32_t i = 0; i < s->n_vocab; i++)
            if (s->counts[i] > 0)
                x[i] = or_never(penalize(o, x[i], s->counts[i]));
}

/* +infinity beats everything finite: then only those remain. */
static void settle_infinity(float *logits, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        logits[i] = logits[i] == INFINITY ? 0.0f : -INFINITY;
}

/* ---- weights of the whole vocabulary ----------------------------------- */

/* weights = exp((logit - max) * scale) */
static void weigh(pipit_sampler *s, float max, float scale) {
    for (uint32_t i = 0; i < s->n_vocab; i++)
        s->weights[i] = (s->logits[i] - max) * scale;
    s->kernels->softmax(s->weights, s->n_vocab); /* the largest is 0 */
}

#define BLOCK 64u

/* The sum of up to BLOCK weights, without those below `least`. */
static double block_sum(const float *weights, uint32_t n, float least) {
    float sums[4] = {0, 0, 0, 0};
    uint32_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (uint32_t j = 0; j < 4; j++)
            sums[j] += weights[i + j] >= least ? weights[i + j] : 0.0f;
    for (; i < n; i++) sums[0] += weights[i] >= least ? weights[i] : 0.0f;
    return (double)((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static double sum_of(const pipit_sampler *s, float least) {
    double sum = 0;
    for (uint32_t i = 0; i < s->n_vocab; i += BLOCK)
        sum += block_sum(s->weights + i, pipit_min_u32(BLOCK, s->n_vocab - i),
                         least);
    return sum;
}

/* One draw from all: blocks from the last to the first, then the block's own. */
static uint32_t draw_any(pipit_sampler *s, float max) {
    const float *w = s->weights;
    weigh(s, max, 1.0f / s->options.temperature);
    double left = pipit_rng_unit(&s->rng) * sum_of(s, 0);
    uint32_t block = 0, end = 0, last = PIPIT_NO_TOKEN;
    for (uint32_t i = (s->n_vocab - 1) / BLOCK + 1; i-- > 0;) {
        uint32_t n = pipit_min_u32(BLOCK, s->n_vocab - i * BLOCK);
        double sum = block_sum(w + i * BLOCK, n, 0);
        if (sum == 0) continue;
        block = i * BLOCK;
        end = block + n;
        if (left < sum) break;
        left -= sum;
    }
    for (uint32_t i = end; i-- > block;) {
        if (w[i] == 0) continue;
        last = i;
        left -= (double)w[i];
        if (left < 0) break;
    }
    return last;
}

/* ---- candidates -------------------------------------------------------- */

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

static bool by_k(const pipit_sampler *s) {
    return s->options.top_k > 0 && s->options.top_k < s->n_vocab;
}

static bool by_p(const pipit_sampler *s) {
    return s->options.top_p > 0 && s->options.top_p < 1;
}

/* Whether no filter keeps more than what is within `depth` of the best logit.
 * total: of the weights, where top-p looks at all of them. */
static bool is_enough(const pipit_sampler *s, float max, float depth,
                      double total) {
    const pipit_sampling *o = &s->options;
    float least = pipit_expf(-depth);
    if (least < 0.99f * o->min_p) return true;
    if (by_k(s)) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < s->n_vocab; i++)
            n += s->logits[i] >= max - depth;
        return n >= o->top_k;
    }
    /* A little more: these weights are not summed up as filter does. */
    return by_p(s) && sum_of(s, 1.001f * least) >=
                          1.00001 * (double)o->top_p * total;
}

/* The candidates that a filter may keep, by rising id, in the weights' place: how
 * many. */
static uint32_t gather(pipit_sampler *s, float max, double total) {
    float depth = 4, least;
    uint32_t n = 0;
    while (depth < 100 && !is_enough(s, max, depth, total)) depth *= 2;
    least = depth < 100 ? max - depth : -INFINITY;
    for (uint32_t i = 0; i < s->n_vocab; i++)
        if (s->logits[i] >= least)
            s->candidates[n++] = (pipit_candidate){s->logits[i], i};
    return n;
}

/* How many of n ranked candidates pass top-k, top-p and min-p. They are then the
 * last of the array, best one last. total: as is_enough has it. */
static uint32_t filter(const pipit_sampler *s, uint32_t n, float max,
                       double total) {
    const pipit_sampling *o = &s->options;
    pipit_candidate *c = s->candidates;
    uint32_t most = by_k(s) && o->top_k < n ? o->top_k : n, kept = 0;
    double sum = 0;
    ranking r = rank(c, n);
    if (by_k(s) && by_p(s))
        while (r.n_given < most)
            total += pipit_expf(give(&r).logit - max);
    while (kept < most) {
        pipit_candidate next =
            kept < r.n_given ? c[n - 1 - kept] : give(&r);
        float p = pipit_expf(next.logit - max);
        if (next.logit == -INFINITY || p < o->min_p) break;
        kept++;
        sum += p;
        if (by_p(s) && sum >= o->top_p * total) break;
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

static uint32_t draw_filtered(pipit_sampler *s, float max) {
    double total = 0;
    if (by_p(s) && !by_k(s)) {
        weigh(s, max, 1);
        total = sum_of(s, 0);
    }
    uint32_t n = gather(s, max, total), kept = filter(s, n, max, total);
    return draw(s, s->candidates + n - kept, kept, max);
}

pipit_status pipit_sampler_pick(pipit_sampler *s, const float *logits,
                                uint32_t *token) {
    adjust(s, logits);
    float max = pipit_max_logit(s->logits, s->n_vocab);
    if (max == -INFINITY) return PIPIT_E_STATE;
    if (s->options.temperature < MIN_TEMPERATURE) {
        uint32_t best = 0;
        while (s->logits[best] < max) best++;
        *token = best;
        return PIPIT_OK;
    }
    if (max == INFINITY) {
        settle_infinity(s->logits, s->n_vocab);
        max = 0;
    }
    bool filtered = by_k(s) || by_p(s) || s->options.min_p > 0;
    *token = filtered ? draw_filtered(s, max) : draw_any(s, max);
    return PIPIT_OK;
}
