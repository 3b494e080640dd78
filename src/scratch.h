/* scratch.h — working memory of one call: a block that grows, reused for every
 * word, given back at the end. */
#ifndef PIPIT_SCRATCH_H
#define PIPIT_SCRATCH_H

#include "arena.h"

typedef struct pipit_scratch {
    const pipit_allocator *allocator;
    uint8_t *block;
    size_t bytes;
} pipit_scratch;

static inline void pipit_scratch_release(pipit_scratch *scratch) {
    pipit_give(scratch->allocator, scratch->block, scratch->bytes);
    scratch->block = NULL;
    scratch->bytes = 0;
}

/* At least n bytes, what was in them is lost; NULL: no memory. Growing by half
 * keeps the sum of all blocks linear in the largest. */
static inline void *pipit_scratch_get(pipit_scratch *scratch, size_t n) {
    size_t bytes = scratch->bytes + scratch->bytes / 2;
    if (scratch->block && n <= scratch->bytes) return scratch->block;
    if (bytes < n) bytes = n;
    if (bytes < 4096) bytes = 4096;
    pipit_scratch_release(scratch);
    scratch->block = pipit_take(scratch->allocator, bytes);
    if (scratch->block) scratch->bytes = bytes;
    return scratch->block;
}

#endif
