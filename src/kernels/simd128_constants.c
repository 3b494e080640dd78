#include "simd.h"

#define ALL(x) {{x, x, x, x}}

const pipit_vector pipit_constants[PIPIT_N_CONSTANTS] = {
    [PIPIT_K_F16_BITS] = ALL(0x8fffe000u),
    [PIPIT_K_F16_SCALE] = ALL(0x77800000u), /* 2^112 */
    [PIPIT_K_F16_LARGEST] = ALL(0x7c00u),
    [PIPIT_K_INFINITY] = ALL(0x7f800000u),
    [PIPIT_K_ZERO] = ALL(0),
    [PIPIT_K_EVEN_BYTES] = ALL(0x00ff00ffu),
    /* forms.c has these tables in words; FP4's with 12 added */
    [PIPIT_K_IQ4] = {{0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u}},
    [PIPIT_K_FP4] = {{0x0f0e0d0cu, 0x18141210u, 0x090a0b0cu, 0x00040608u}},
};

#define MASK(i) [i] = ALL(i * 0x01010101u)
const pipit_vector pipit_byte_masks[64] = {
    MASK(1),  MASK(3),  MASK(4),  MASK(7),  MASK(8),  MASK(12),
    MASK(15), MASK(16), MASK(24), MASK(31), MASK(48), MASK(63),
};
