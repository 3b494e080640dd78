/* rng.h — the generator behind every draw: xoshiro256** (Blackman and Vigna,
 * 2018), its state filled by splitmix64 from the seed. Integers only, so the
 * same seed gives the same draws everywhere. */
#ifndef PIPIT_RNG_H
#define PIPIT_RNG_H

#include <stdint.h>

typedef struct pipit_rng {
    uint64_t state[4];
} pipit_rng;

void pipit_rng_seed(pipit_rng *rng, uint64_t seed);
uint64_t pipit_rng_next(pipit_rng *rng);
/* Uniform in [0, 1), a multiple of 2^-53. */
double pipit_rng_unit(pipit_rng *rng);

#endif
