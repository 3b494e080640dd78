/* vectors.h — the tables of the vector implementations. */
#ifndef PIPIT_VECTORS_H
#define PIPIT_VECTORS_H

#include "kernels.h"

extern const pipit_kernels pipit_kernels_simd128;
extern const pipit_kernels pipit_kernels_relaxed_dot16;
extern const pipit_kernels pipit_kernels_relaxed_dot_add;

#endif
