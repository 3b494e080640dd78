/* relaxed_dot16.c — relaxed dots summed in i16: one instruction and an addition
 * where an engine has no better way (x86 without VNNI). */
#define PIPIT_DOT PIPIT_DOT_16
#include "products.h"
#include "vectors.h"

const pipit_kernels pipit_kernels_relaxed_dot16 =
    PIPIT_KERNELS_OF("relaxed-dot16");
