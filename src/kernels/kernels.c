/* kernels.c — the list of this build's implementations, slowest first. */
#include "scalar.h"
#include "vectors.h"

static const pipit_kernels *const all[] = {
#if !defined(PIPIT_HAVE_RELAXED) || defined(PIPIT_HAVE_PLAIN)
    &pipit_kernels_scalar,
#endif
#ifdef PIPIT_HAVE_PLAIN
    &pipit_kernels_simd128,
#endif
#ifdef PIPIT_HAVE_RELAXED
    &pipit_kernels_relaxed_dot16,
    &pipit_kernels_relaxed_dot_add,
#endif
};

const pipit_kernels *pipit_kernels_at(uint32_t i) {
    return i < sizeof all / sizeof all[0] ? all[i] : NULL;
}

const pipit_kernels *pipit_kernels_find(const char *name) {
    for (uint32_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i]->name, name) == 0) return all[i];
    return NULL;
}
