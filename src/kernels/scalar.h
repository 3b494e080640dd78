/* scalar.h — the scalar kernels, for the tables that share some of them. */
#ifndef PIPIT_SCALAR_H
#define PIPIT_SCALAR_H

#include "kernels.h"

extern const pipit_kernels pipit_kernels_scalar;

void pipit_scalar_rms_norm(const float *x, const float *w, size_t n, float eps,
                           float *y);
void pipit_scalar_add(float *x, const float *y, size_t n);
void pipit_scalar_silu_mul(float *gate, const float *up, size_t n);
void pipit_scalar_gelu_mul(float *gate, const float *up, size_t n);
void pipit_scalar_attn_scores(const float *q, uint32_t n_heads, float scale,
                              const pipit_kv_span *kv, float *scores,
                              size_t score_stride);
float pipit_scalar_softmax(float *s, size_t n);
void pipit_scalar_attn_mix(const float *p, size_t p_stride, uint32_t n_heads,
                           const pipit_kv_span *kv, float *out);
void pipit_scalar_kv_store(const float *key, const float *value,
                           uint32_t head_dim, pipit_kv_type type, uint32_t pos,
                           void *keys, void *values);

#endif
