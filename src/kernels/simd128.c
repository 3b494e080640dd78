/* simd128.c — products with what every engine has. */
#define PIPIT_DOT PIPIT_DOT_PLAIN
#include "products.h"
#include "vectors.h"

const pipit_kernels pipit_kernels_simd128 = PIPIT_KERNELS_OF("simd128");
