/* scalar.h — the scalar kernels, for the tables that share some of them. */
#ifndef PIPIT_SCALAR_H
#define PIPIT_SCALAR_H

#include "kernels.h"

/* Nearest, ties to even; |x| < 2^22. */
static inline float pipit_round_even(float x) {
    return (x + 12582912.0f) - 12582912.0f;
}

extern const pipit_kernels pipit_kernels_scalar;

void pipit_scalar_rms_norm(const float *x, const float *w, size_t n, float eps,
                           float *y);
void pipit_scalar_add(float *x, const float *y, size_t n);
void pipit_scalar_silu_mul(float *gate, const float *up, size_t n);
void pipit_scalar_gelu_mul(float *gate, const float *up, size_t n);
float pipit_scalar_softmax(float *s, size_t n);
/* Of keys and values in 8 bits. */
void pipit_scalar_scores8(const float *q, uint32_t n_heads, float scale,
                          const pipit_kv_span *kv, float *scores,
                          size_t score_stride, uint8_t *scratch);
void pipit_scalar_mix8(const float *p, size_t p_stride, const float *sums,
                       uint32_t n_heads, const pipit_kv_span *kv, float *out);

#endif
