/* simd128.c — products with what every engine has. A module that may use relaxed
 * SIMD has no need of them. */
#include "vectors.h"

#ifdef PIPIT_HAVE_PLAIN
#define PIPIT_DOT PIPIT_DOT_PLAIN
#include "products.h"

const pipit_kernels pipit_kernels_simd128 = PIPIT_KERNELS_OF("simd128");
#else
typedef int pipit_no_plain_products; /* a file must not be empty */
#endif
