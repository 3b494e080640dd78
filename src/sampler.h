/* sampler.h — 8: logits to a token. The order of filters is pipit.h's. Nothing
 * is allocated while sampling. Filters rank candidates by logit, ties by lower
 * id; the draw walks those that are left in a fixed order (best first, or all
 * by falling id when nothing was filtered), so that it depends on nothing but
 * the logits, the history and the seed. A logit that is NaN is never drawn. */
#ifndef PIPIT_SAMPLER_H
#define PIPIT_SAMPLER_H

#include "arena.h"
#include "kernels/kernels.h"
#include "rng.h"

typedef struct pipit_candidate {
    float logit;
    uint32_t token;
} pipit_candidate;

typedef struct pipit_sampler {
    pipit_sampling options; /* bias points into the sampler's memory */
    const pipit_kernels *kernels;
    pipit_rng rng;
    uint32_t n_vocab;
    float *logits;               /* (n_vocab) with bias and penalties */
    pipit_candidate *candidates; /* (n_vocab) those that filters may keep, or */
    float *weights;              /* (n_vocab) in the same place: of all */
    uint32_t *counts;            /* (n_vocab) occurrences within the window */
} pipit_sampler;

/* PIPIT_E_ARGUMENT naming the field that is out of range. */
pipit_status pipit_sampling_check(const pipit_sampling *options,
                                  uint32_t n_vocab, pipit_error *error);
/* Checked options; while measuring *sampler is not complete. */
void pipit_sampler_carve(const pipit_sampling *options, uint32_t n_vocab,
                         const pipit_kernels *kernels, pipit_arena *arena,
                         pipit_sampler *sampler);
/* Once carved: nothing seen yet. */
void pipit_sampler_reset(pipit_sampler *sampler);
/* history[n - 1] is a token that now counts for the penalties. */
void pipit_sampler_accept(pipit_sampler *sampler, const uint32_t *history,
                          size_t n);
/* PIPIT_E_STATE when no token has a usable logit. */
pipit_status pipit_sampler_pick(pipit_sampler *sampler, const float *logits,
                                uint32_t *token);

#endif
