/* merge.h — 4: merging neighbours, best pair first, the leftmost of equals.
 *
 * Symbols are indexes into an array and linked; a symbol's pair is it and the
 * next one. The queue holds only pairs that are better than both pairs they
 * share a symbol with: the best pair of all is always among them, and a letter
 * repeated a million times keeps the queue at two entries instead of a million.
 * Every merge makes at most two pairs and adds at most one entry, so n symbols
 * take O(n log n) at worst. */
#ifndef PIPIT_MERGE_H
#define PIPIT_MERGE_H

#include "scratch.h"

#define PIPIT_NO_RANK UINT32_MAX
#define PIPIT_NO_SYMBOL UINT32_MAX
/* Symbols are counted in 31 bits, the queue in as many. */
#define PIPIT_MAX_SYMBOLS ((size_t)1 << 30)

typedef struct pipit_symbol {
    uint32_t prev, next; /* of the first: PIPIT_NO_SYMBOL; of the last: n */
    uint32_t value;
    uint32_t rank;        /* of its pair */
    uint32_t merged : 31; /* the value that its pair becomes */
    uint32_t queued : 1;
} pipit_symbol;

typedef struct pipit_merge {
    pipit_symbol *symbols;
    uint32_t n;     /* the end: the last symbol's next */
    uint64_t *heap; /* rank << 32 | index, four children each */
    size_t n_heap, heap_capacity;
} pipit_merge;

/* The rank of the pair of symbol `left`, lower is sooner, and what it becomes;
 * PIPIT_NO_RANK: it doesn't merge. */
typedef uint32_t pipit_rank(const void *context, const pipit_merge *merge,
                            uint32_t left, uint32_t *merged);

/* Room for n symbols; false: no memory. The caller fills in prev, next and
 * value of each, in ascending order. */
bool pipit_merge_init(pipit_merge *merge, size_t n, pipit_scratch *scratch);
/* Afterwards the symbols from 0 on, by next, are what is left. */
void pipit_merge_run(pipit_merge *merge, pipit_rank *rank, const void *context);

#endif
