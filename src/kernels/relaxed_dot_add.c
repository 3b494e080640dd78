/* relaxed_dot_add.c — relaxed dots added to i32: one instruction with VNNI and
 * on Arm. */
#define PIPIT_DOT PIPIT_DOT_ADD
#include "products.h"
#include "vectors.h"

const pipit_kernels pipit_kernels_relaxed_dot_add =
    PIPIT_KERNELS_OF("relaxed-dot-add");
