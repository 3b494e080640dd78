/* loader.h — tensor data to kernel layout, as the bytes arrive. */
#ifndef PIPIT_LOADER_H
#define PIPIT_LOADER_H

#include "bind.h"
#include "threads.h"

struct pipit_loader {
    pipit_pool *pool;
    pipit_slot *slots; /* in file order */
    size_t n_slots, current;
    const pipit_file *file;
    uint32_t part;     /* of the model's files, which is being fed */
    uint64_t position; /* of the next byte in it */
    uint8_t *staging;  /* a piece that came in parts */
    size_t n_staged, staging_bytes;
    uint32_t next_group; /* of the current matrix */
    size_t block_bytes;  /* the loader's own memory */
};

/* Bytes of a loader's block. */
size_t pipit_loader_measure(size_t n_slots, size_t staging_bytes);
/* Over a block of that size; slots are filled by the binder afterwards. */
pipit_loader *pipit_loader_init(void *block, size_t n_slots,
                                size_t staging_bytes, pipit_pool *pool,
                                const pipit_file *file);
/* The part being fed has ended: true when the tensors go on in the next. */
bool pipit_loader_next_part(pipit_loader *loader);
/* Once the slots are filled: sorts them by place in the file. A tensor that the
 * model does not use is passed over. */
void pipit_loader_start(pipit_loader *loader);
bool pipit_loader_is_done(const pipit_loader *loader);
void pipit_loader_feed(pipit_loader *loader, const uint8_t *bytes, size_t n);

#endif
