/* hashes.h — what every implementation must compute, as one number for each
 * kernel: natively and in every WebAssembly module the same. */
#ifndef PIPIT_KERNEL_HASHES_H
#define PIPIT_KERNEL_HASHES_H

#include "kernels/kernels.h"

#define N_HASHES 32u /* products by type, then the other kernels */

/* Of hash i: what it is of, and what it must be. */
const char *hash_name(uint32_t i);
uint64_t hash_expected(uint32_t i);
/* What implementation k makes. Products: of all tokens and one by one alike, or 0. */
uint64_t hash_of(const pipit_kernels *k, uint32_t i);

#endif
