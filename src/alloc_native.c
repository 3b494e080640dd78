/* alloc_native.c — what a native build takes from the platform: memory, and a
 * way to stop on a bug. A module has its own (web/). */
#include "arena.h"

#ifndef PIPIT_WASM
#include <stdlib.h>

static void *native_alloc(void *context, size_t bytes) {
    (void)context;
    if (bytes > PTRDIFF_MAX - PIPIT_ARENA_ALIGN) return NULL;
    /* C11: the size is a multiple of the alignment; never zero bytes. */
    size_t padded = pipit_align_up(bytes ? bytes : 1, PIPIT_ARENA_ALIGN);
    return aligned_alloc(PIPIT_ARENA_ALIGN, padded);
}

static void native_release(void *context, void *block, size_t bytes) {
    (void)context;
    (void)bytes;
    free(block);
}

static const pipit_allocator native = {native_alloc, native_release, NULL};

const pipit_allocator *pipit_platform_allocator(void) {
    return &native;
}

/* A trap, not a message: the library writes nothing. A debugger shows the
 * arguments. */
void pipit_assert_failed(const char *what, const char *file, int line) {
    (void)what;
    (void)file;
    (void)line;
    __builtin_trap();
}
#endif
