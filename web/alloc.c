/* alloc.c — the module's allocator: blocks of linear memory.
 *
 * What lies between the end of the data and the end of the memory is either
 * given out or in one list of free blocks, in the order of their addresses and
 * never two of them touching. Blocks carry no headers (the owner knows their
 * sizes) and are multiples of 64 bytes. A request takes the first block that
 * fits; only if none does, the memory grows, by what is missing. It never
 * shrinks. The workload is a few dozen blocks, most of them large, taken and
 * given by one thread: a list is enough. */
#include "alloc.h"

#define ALIGN 64u
#define PAGE 65536u
#define PAGE_LIMIT 65536u
/* Growing is a system call: not for every small block. */
#define GROW_PAGES 16u

typedef struct free_block {
    struct free_block *next;
    size_t bytes;
} free_block;

extern unsigned char __heap_base[];

/* The linear memory is one per instance, and so is its list. */
static struct {
    free_block *first;
    uintptr_t end; /* of the memory that the list knows of; 0 before use */
    size_t used;
} heap;

static size_t round_up(size_t bytes) {
    return (bytes + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
}

static bool touches(const free_block *block, uintptr_t address) {
    return (uintptr_t)block + block->bytes == address;
}

/* Puts [address, address + bytes) into the list, joined with its neighbours. */
static void give_back(uintptr_t address, size_t bytes) {
    free_block *before = NULL, *after = heap.first;
    while (after && (uintptr_t)after < address) {
        before = after;
        after = after->next;
    }
    free_block *block = (free_block *)address;
    block->bytes = bytes;
    block->next = after;
    if (after && touches(block, (uintptr_t)after)) {
        block->bytes += after->bytes;
        block->next = after->next;
    }
    if (before && touches(before, address)) {
        before->bytes += block->bytes;
        before->next = block->next;
    } else if (before) {
        before->next = block;
    } else {
        heap.first = block;
    }
}

static void *take_first_fit(size_t bytes) {
    for (free_block **link = &heap.first; *link; link = &(*link)->next) {
        free_block *block = *link;
        if (block->bytes < bytes) continue;
        if (block->bytes == bytes) {
            *link = block->next;
        } else {
            free_block *rest = (free_block *)((uintptr_t)block + bytes);
            rest->bytes = block->bytes - bytes;
            rest->next = block->next;
            *link = rest;
        }
        return block;
    }
    return NULL;
}

/* The last page is left alone, so that every address and every end of a block
 * fits 32 bits. */
static bool grow_pages(size_t pages) {
    size_t have = __builtin_wasm_memory_size(0);
    if (pages >= PAGE_LIMIT - have) return false;
    if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX) return false;
    give_back(heap.end, pages * PAGE);
    heap.end += pages * PAGE;
    return true;
}

static bool grow(size_t bytes) {
    size_t at_end = 0;
    for (free_block *b = heap.first; b; b = b->next)
        if (touches(b, heap.end)) at_end = b->bytes;
    size_t missing = bytes - at_end; /* or the block would have fitted */
    size_t pages = missing / PAGE + (missing % PAGE != 0);
    if (pages < GROW_PAGES && grow_pages(GROW_PAGES)) return true;
    return grow_pages(pages);
}

static void begin(void) {
    size_t pages = __builtin_wasm_memory_size(0);
    uintptr_t start = round_up((uintptr_t)__heap_base);
    heap.end = (pages >= PAGE_LIMIT ? PAGE_LIMIT - 1 : pages) * PAGE;
    if (start < heap.end) give_back(start, heap.end - start);
}

static void *take(void *context, size_t bytes) {
    (void)context;
    if (heap.end == 0) begin();
    if (bytes == 0) bytes = 1;
    if (bytes > SIZE_MAX - ALIGN) return NULL;
    bytes = round_up(bytes);
    void *block = take_first_fit(bytes);
    if (!block && grow(bytes)) block = take_first_fit(bytes);
    if (block) heap.used += bytes;
    return block;
}

static void release(void *context, void *block, size_t bytes) {
    (void)context;
    if (!block) return;
    bytes = round_up(bytes ? bytes : 1);
    heap.used -= bytes;
    give_back((uintptr_t)block, bytes);
}

const pipit_allocator *pipit_platform_allocator(void) {
    static const pipit_allocator linear = {take, release, NULL};
    return &linear;
}

size_t pipit_heap_used(void) {
    return heap.used;
}
