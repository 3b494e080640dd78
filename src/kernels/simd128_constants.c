#include "simd.h"

#define ALL(x) {{x, x, x, x}}

const pipit_vector pipit_constants[PIPIT_N_CONSTANTS] = {
    [PIPIT_K_F16_BITS] = ALL(0x8fffe000u),
    [PIPIT_K_F16_SCALE] = ALL(0x77800000u), /* 2^112 */
    [PIPIT_K_F16_LARGEST] = ALL(0x7c00u),
    [PIPIT_K_INFINITY] = ALL(0x7f800000u),
    [PIPIT_K_ZERO] = ALL(0),
    [PIPIT_K_ONES] = ALL(0x00010001u),
    [PIPIT_K_SIGN] = ALL(0x80000000u),
    [PIPIT_K_EVEN_BYTES] = ALL(0x00ff00ffu),
    /* forms.c has these tables in words; FP4's with 12 added */
    [PIPIT_K_IQ4] = {{0xbfad9881u, 0xf6eaddcfu, 0x26190d01u, 0x71594535u}},
    [PIPIT_K_FP4] = {{0x0f0e0d0cu, 0x18141210u, 0x090a0b0cu, 0x00040608u}},
};

#define MASK(i) [i] = ALL(i * 0x01010101u)
const float pipit_floats[PIPIT_N_FLOATS] = {
    [PIPIT_F_ROUND] = 12582912.0f, /* 1.5 * 2^23 */
    [PIPIT_F_127] = 127.0f,
    [PIPIT_F_MINUS_127] = -127.0f,
    [PIPIT_F_1] = 1.0f,
    [PIPIT_F_MINUS_2] = -2.0f,
    [PIPIT_F_LOG2_E] = 1.44269504088896341f,
    [PIPIT_F_LN2] = 0.693359375f,
    [PIPIT_F_LN2_REST] = -2.12194440e-4f,
    [PIPIT_F_EXP_LEAST] = -104.0f,
    [PIPIT_F_EXP_MOST] = 88.73f,
    [PIPIT_F_BELOW_LEAST] = -87.0f,
    [PIPIT_F_TANH_SMALL] = 0.625f,
    [PIPIT_F_HALF] = 0.5f,
    [PIPIT_F_GELU_CUBE] = 0.044715f,
    [PIPIT_F_GELU_INNER] = 0.79788456080286535588f, /* sqrt(2 / pi) */
    [PIPIT_F_EXP] = 1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
    4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f,
    [PIPIT_F_BELOW] = 8.31251e-3f, 4.189034e-2f, 0.16667116f, 0.4999923f,
    [PIPIT_F_TANH] = -5.70498872745e-3f, 2.06390887954e-2f,
    -5.37397155531e-2f, 1.33314422036e-1f, -3.33332819422e-1f,
};

const pipit_vector pipit_byte_masks[64] = {
    MASK(1),  MASK(3),  MASK(4),  MASK(7),  MASK(8),  MASK(12),
    MASK(15), MASK(16), MASK(24), MASK(31), MASK(48), MASK(63),
};
