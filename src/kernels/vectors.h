/* vectors.h — the tables of the vector implementations. */
#ifndef PIPIT_VECTORS_H
#define PIPIT_VECTORS_H

#include "kernels.h"

/* A module with relaxed SIMD leaves the plain products out; natively all are
 * there, to be compared. */
#if defined(PIPIT_HAVE_SIMD128) && \
    !(defined(PIPIT_WASM) && defined(PIPIT_HAVE_RELAXED))
#define PIPIT_HAVE_PLAIN 1
#endif

extern const pipit_kernels pipit_kernels_simd128;
extern const pipit_kernels pipit_kernels_relaxed_dot16;
extern const pipit_kernels pipit_kernels_relaxed_dot_add;

#endif
