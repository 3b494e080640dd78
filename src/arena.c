#include "arena.h"

void *pipit_arena_take_bytes(pipit_arena *arena, uint64_t bytes) {
    const uint64_t mask = PIPIT_ARENA_ALIGN - 1;
    uint64_t end;
    if (bytes > UINT64_MAX - mask ||
        !pipit_add_u64(arena->wanted, (bytes + mask) & ~mask, &end))
        end = UINT64_MAX;
    arena->wanted = end;
    if (end == UINT64_MAX || end > SIZE_MAX) arena->overflow = true;
    /* Carving repeats a measurement that did not overflow. */
    PIPIT_ASSERT(!arena->base || (!arena->overflow && end <= arena->capacity));
    if (arena->overflow) return NULL;
    size_t at = arena->used;
    arena->used = (size_t)end;
    return arena->base ? arena->base + at : NULL;
}

void *pipit_arena_take(pipit_arena *arena, size_t count, size_t size) {
    uint64_t bytes;
    if (!pipit_mul_u64(count, size, &bytes)) bytes = UINT64_MAX;
    return pipit_arena_take_bytes(arena, bytes);
}

const pipit_allocator *pipit_allocator_or_platform(const pipit_allocator *a) {
    return a ? a : pipit_platform_allocator();
}
