#include "merge.h"

/* ---- queue ------------------------------------------------------------- */

static void push(pipit_merge *m, uint64_t key) {
    PIPIT_ASSERT(m->n_heap < m->heap_capacity);
    size_t i = m->n_heap++;
    while (i > 0) {
        size_t parent = (i - 1) / 4;
        if (m->heap[parent] <= key) break;
        m->heap[i] = m->heap[parent];
        i = parent;
    }
    m->heap[i] = key;
}

static uint64_t pop(pipit_merge *m) {
    uint64_t top = m->heap[0];
    uint64_t key = m->heap[--m->n_heap];
    size_t i = 0, n = m->n_heap;
    for (size_t child; (child = 4 * i + 1) < n;) {
        size_t best = child, end = child + 4 < n ? child + 4 : n;
        while (++child < end)
            if (m->heap[child] < m->heap[best]) best = child;
        if (m->heap[best] >= key) break;
        m->heap[i] = m->heap[best];
        i = best;
    }
    m->heap[i] = key;
    return top;
}

/* ---- pairs ------------------------------------------------------------- */

static void rank_pair(pipit_merge *m, uint32_t i, pipit_rank *rank,
                      const void *context) {
    pipit_symbol *symbol = &m->symbols[i];
    uint32_t merged = 0;
    symbol->rank = PIPIT_NO_RANK;
    if (symbol->next < m->n) symbol->rank = rank(context, m, i, &merged);
    symbol->merged = merged & INT32_MAX;
    symbol->queued = 0;
}

/* Queues the pair if it is better than its neighbours; the left one wins a
 * tie. */
static void consider(pipit_merge *m, uint32_t i) {
    if (i == PIPIT_NO_SYMBOL || i >= m->n) return;
    pipit_symbol *symbol = &m->symbols[i];
    if (symbol->queued || symbol->rank == PIPIT_NO_RANK) return;
    if (symbol->prev != PIPIT_NO_SYMBOL &&
        m->symbols[symbol->prev].rank <= symbol->rank)
        return;
    if (symbol->next < m->n && m->symbols[symbol->next].rank < symbol->rank)
        return;
    symbol->queued = 1;
    push(m, (uint64_t)symbol->rank << 32 | i);
}

static void join(pipit_merge *m, uint32_t i, pipit_rank *rank,
                 const void *context) {
    pipit_symbol *left = &m->symbols[i];
    pipit_symbol *right = &m->symbols[left->next];
    left->value = left->merged;
    left->next = right->next;
    right->rank = PIPIT_NO_RANK;
    right->queued = 0;
    if (left->next < m->n) m->symbols[left->next].prev = i;
    if (left->prev != PIPIT_NO_SYMBOL) rank_pair(m, left->prev, rank, context);
    rank_pair(m, i, rank, context);
    if (left->prev != PIPIT_NO_SYMBOL) {
        consider(m, m->symbols[left->prev].prev);
        consider(m, left->prev);
    }
    consider(m, i);
    consider(m, left->next);
}

/* ---- merging ----------------------------------------------------------- */

bool pipit_merge_init(pipit_merge *merge, size_t n, pipit_scratch *scratch) {
    /* At first every second pair may be queued; then one more a merge. */
    size_t capacity = n + n / 2 + 2;
    size_t heap_bytes = capacity * sizeof *merge->heap;
    PIPIT_ASSERT(n <= PIPIT_MAX_SYMBOLS);
    if (n > SIZE_MAX / 64) return false;
    uint8_t *block = pipit_scratch_get(
        scratch, heap_bytes + n * sizeof *merge->symbols);
    if (!block) return false;
    *merge = (pipit_merge){
        .heap = (uint64_t *)(void *)block,
        .heap_capacity = capacity,
        .symbols = (pipit_symbol *)(void *)(block + heap_bytes),
        .n = (uint32_t)n};
    return true;
}

void pipit_merge_run(pipit_merge *merge, pipit_rank *rank,
                     const void *context) {
    for (uint32_t i = 0; i < merge->n; i = merge->symbols[i].next)
        rank_pair(merge, i, rank, context);
    for (uint32_t i = 0; i < merge->n; i = merge->symbols[i].next)
        consider(merge, i);
    while (merge->n_heap > 0) {
        uint64_t top = pop(merge);
        uint32_t i = (uint32_t)top;
        /* Queued once, but no longer this pair, or no longer a symbol. */
        if (!merge->symbols[i].queued || merge->symbols[i].rank != top >> 32)
            continue;
        join(merge, i, rank, context);
    }
}
