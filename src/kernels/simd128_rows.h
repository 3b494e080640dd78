/* simd128_rows.h — for the tables of all vector implementations. */
#ifndef PIPIT_SIMD128_ROWS_H
#define PIPIT_SIMD128_ROWS_H

#include "kernels.h"

void pipit_simd128_rms_norm(const float *x, const float *w, size_t n, float eps,
                            float *y);
void pipit_simd128_add(float *x, const float *y, size_t n);
void pipit_simd128_hadamard(float *x, size_t n);
void pipit_simd128_silu_mul(float *gate, const float *up, size_t n);
void pipit_simd128_gelu_mul(float *gate, const float *up, size_t n);
float pipit_simd128_softmax(float *s, size_t n);
/* With keys and values of f16 or f32. */
void pipit_simd128_attn_scores(const float *q, uint32_t n_heads, float scale,
                               const pipit_kv_span *kv, float *scores,
                               size_t score_stride);
void pipit_simd128_attn_mix(const float *p, size_t p_stride, uint32_t n_heads,
                            const pipit_kv_span *kv, float *out);
void pipit_simd128_kv_store(const float *key, const float *value,
                            uint32_t head_dim, pipit_kv_type type, uint32_t pos,
                            void *keys, void *values);

#endif
