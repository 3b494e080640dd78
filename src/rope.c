#include "rope.h"

#include "mathf.h"

#define TWO_PI 6.283185307179586

static double clamp(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

static double floor_of(double x) { /* |x| < 2^31 */
    double whole = (double)(int64_t)x;
    return whole > x ? whole - 1 : whole;
}

/* The pair that turns r times within the original context. */
static double yarn_pair(const pipit_rope_params *p, uint32_t n_rot, double r) {
    return n_rot * pipit_log((double)p->original_context / (TWO_PI * r)) /
           (2.0 * pipit_log(p->base));
}

/* 0: interpolate, 1: leave as trained. */
static double yarn_ramp(const pipit_rope_params *p, uint32_t n_rot,
                        uint32_t pair) {
    double fast = floor_of(yarn_pair(p, n_rot, p->beta_fast));
    double slow = -floor_of(-yarn_pair(p, n_rot, p->beta_slow));
    double low = clamp(fast, 0.0, n_rot - 1.0);
    double high = clamp(slow, 0.0, n_rot - 1.0);
    double width = high - low > 0.001 ? high - low : 0.001;
    return 1.0 - clamp((pair - low) / width, 0.0, 1.0);
}

static const float *factors_of(const pipit_model *model, uint32_t n_context) {
    if (!model->rope_factors_long) return model->rope_freqs;
    return n_context > model->h.rope.original_context
               ? model->rope_factors_long
               : model->rope_factors_short;
}

void pipit_rope_freqs(const pipit_model *model, bool windowed,
                      uint32_t n_context, double *freqs, float *magnitude) {
    const pipit_rope_params *p =
        windowed ? &model->h.rope_windowed : &model->h.rope;
    const float *factors = factors_of(model, n_context);
    uint32_t n_rot = model->h.n_rot;
    double scale = 1.0 / p->factor;
    *magnitude = p->attn_factor;
    if (p->scaling == PIPIT_ROPE_YARN && p->factor > 1.0f)
        *magnitude *= (float)(1.0 + 0.1 * pipit_log(p->factor));
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        double f = pipit_pow(p->base, -2.0 * i / n_rot);
        if (factors) f /= factors[i];
        if (p->scaling == PIPIT_ROPE_LINEAR) f *= scale;
        if (p->scaling == PIPIT_ROPE_YARN) {
            double keep = yarn_ramp(p, n_rot, i);
            f = f * scale * (1.0 - keep) + f * keep;
        }
        freqs[i] = f;
    }
}

void pipit_rope_table(const double *freqs, float magnitude, uint32_t n_rot,
                      uint32_t pos, float *table) {
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        double sine, cosine;
        pipit_sincos(pos * freqs[i], &sine, &cosine);
        table[2 * i] = (float)cosine * magnitude;
        table[2 * i + 1] = (float)sine * magnitude;
    }
}

void pipit_rope_turn(pipit_rope_style style, const float *table, uint32_t n_rot,
                     float *head) {
    bool norm = style == PIPIT_ROPE_NORM;
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        float *a = head + (norm ? 2 * i : i);
        float *b = norm ? a + 1 : a + n_rot / 2;
        float cosine = table[2 * i], sine = table[2 * i + 1];
        float a0 = *a, b0 = *b;
        *a = a0 * cosine - b0 * sine;
        *b = a0 * sine + b0 * cosine;
    }
}
