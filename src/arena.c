#include "arena.h"

void *pipit_arena_take(pipit_arena *arena, size_t count, size_t size) {
    size_t bytes, padded, end;
    if (arena->overflow || !pipit_mul_size(count, size, &bytes) ||
        !pipit_add_size(bytes, PIPIT_ARENA_ALIGN - 1, &padded) ||
        !pipit_add_size(arena->used, padded & ~(size_t)(PIPIT_ARENA_ALIGN - 1),
                        &end)) {
        /* Carving repeats a measurement that did not overflow. */
        PIPIT_ASSERT(!arena->base);
        arena->overflow = true;
        return NULL;
    }
    size_t at = arena->used;
    arena->used = end;
    if (!arena->base) return NULL;
    PIPIT_ASSERT(end <= arena->capacity);
    return arena->base + at;
}

const pipit_allocator *pipit_allocator_or_platform(const pipit_allocator *a) {
    return a ? a : pipit_platform_allocator();
}
