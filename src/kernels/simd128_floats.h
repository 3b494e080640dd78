/* simd128_floats.h — products with F32, F16 and BF16 weights. */
#ifndef PIPIT_SIMD128_FLOATS_H
#define PIPIT_SIMD128_FLOATS_H

#include "kernels.h"

void pipit_simd128_floats(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                          const pipit_acts *x, uint32_t n_tokens, float *y,
                          size_t y_stride);

/* y += w . x; F32 only. */
void pipit_simd128_accumulate(const pipit_matrix *w, uint32_t g0, uint32_t g1,
                              const pipit_acts *x, uint32_t n_tokens, float *y,
                              size_t y_stride);

#endif
