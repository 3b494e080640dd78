/* arena.h — one block, measured and then carved.
 *
 * The same function describes an object's parts twice: over a measuring arena
 * (base NULL), which only adds up, and over the block of that size. All parts
 * are 64-byte aligned. A measuring arena that overflows stays overflowed, and
 * goes on adding up, so that it can be told what was missing. */
#ifndef PIPIT_ARENA_H
#define PIPIT_ARENA_H

#include "base.h"

#define PIPIT_ARENA_ALIGN 64u

typedef struct pipit_arena {
    uint8_t *base; /* NULL: measuring */
    size_t used;
    size_t capacity;
    uint64_t wanted; /* used, and also what no address space here can hold */
    bool overflow;   /* it can't */
} pipit_arena;

/* That many bytes, not cleared; NULL while measuring. */
void *pipit_arena_take_bytes(pipit_arena *arena, uint64_t bytes);
/* count * size bytes. */
void *pipit_arena_take(pipit_arena *arena, size_t count, size_t size);

/* The platform's allocator: malloc natively, linear memory in a module. */
const pipit_allocator *pipit_platform_allocator(void);
/* a, or the platform's own when a is NULL. */
const pipit_allocator *pipit_allocator_or_platform(const pipit_allocator *a);

static inline void *pipit_take(const pipit_allocator *a, size_t bytes) {
    return a->alloc(a->context, bytes);
}
static inline void pipit_give(const pipit_allocator *a, void *p, size_t bytes) {
    if (p) a->release(a->context, p, bytes);
}

#endif
