/* lookup.h — prompt lookup: what followed the last time the text stood here is
 * likely to follow again (summaries, edits, extraction). The tokens that did are
 * a draft, to be evaluated in one pass with the token before them; those that
 * the sampler then picks itself are accepted, so that the answer is the same,
 * bit by bit, only sooner. After A. Saxena, "Prompt Lookup Decoding", 2023.
 *
 * A draft costs more than a token, so drafts grow with success, and after a
 * failure there is a pause, each twice as long as the one before. */
#ifndef PIPIT_LOOKUP_H
#define PIPIT_LOOKUP_H

#include "arena.h"

#define PIPIT_MAX_DRAFT 15u

typedef struct pipit_lookup {
    uint32_t size;   /* of the next draft */
    uint32_t pause;  /* tokens to go without */
    uint32_t misses; /* in a row */
} pipit_lookup;

void pipit_lookup_init(pipit_lookup *lookup);
/* What may follow history[0 .. n): at most `most` tokens; returns how many. The
 * draft points into history. */
uint32_t pipit_lookup_draft(pipit_lookup *lookup, const uint32_t *history,
                            size_t n, uint32_t most, const uint32_t **draft);
/* How many of a draft's tokens were right. */
void pipit_lookup_learn(pipit_lookup *lookup, uint32_t n_drafted,
                        uint32_t n_right);

#endif
