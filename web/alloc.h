/* alloc.h — what the module knows of its linear memory, beside the platform's
 * allocator that arena.h declares. */
#ifndef PIPIT_WEB_ALLOC_H
#define PIPIT_WEB_ALLOC_H

#include "../src/arena.h"

/* Bytes given out and not yet given back. */
size_t pipit_heap_used(void);

#endif
