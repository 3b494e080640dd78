/* loader.c — a piece is what can be repacked at once: four rows of a matrix, or
 * a whole vector. Pieces that lie whole in the bytes at hand are repacked from
 * where they are, on all threads; only a torn one is gathered first. */
#include "loader.h"

size_t pipit_loader_measure(size_t n_slots, size_t staging_bytes) {
    pipit_arena arena = {0};
    pipit_arena_take(&arena, 1, sizeof(pipit_loader));
    pipit_arena_take(&arena, n_slots, sizeof(pipit_slot));
    pipit_arena_take(&arena, staging_bytes, 1);
    return arena.overflow ? SIZE_MAX : arena.used;
}

pipit_loader *pipit_loader_init(void *block, size_t n_slots,
                                size_t staging_bytes, pipit_pool *pool,
                                const pipit_file *file) {
    size_t bytes = pipit_loader_measure(n_slots, staging_bytes);
    pipit_arena arena = {.base = block, .capacity = bytes};
    pipit_loader *l = pipit_arena_take(&arena, 1, sizeof *l);
    *l = (pipit_loader){.pool = pool, .n_slots = n_slots,
                        .file = file,
                        .position = pipit_gguf_data_offset(file, 0),
                        .staging_bytes = staging_bytes, .block_bytes = bytes};
    l->slots = pipit_arena_take(&arena, n_slots, sizeof(pipit_slot));
    l->staging = pipit_arena_take(&arena, staging_bytes, 1);
    return l;
}

bool pipit_loader_next_part(pipit_loader *loader) {
    const pipit_slot *slot = &loader->slots[loader->current];
    if (slot->tensor->part <= loader->part) return false;
    loader->part++;
    loader->position = pipit_gguf_data_offset(loader->file, loader->part);
    return true;
}

static bool comes_after(const pipit_tensor *a, const pipit_tensor *b) {
    return a->part != b->part ? a->part > b->part : a->offset > b->offset;
}

/* Shell sort: no recursion, no memory, n below some ten thousand. */
void pipit_loader_start(pipit_loader *loader) {
    pipit_slot *slots = loader->slots;
    size_t n = loader->n_slots;
    for (size_t gap = n / 2; gap > 0; gap /= 2)
        for (size_t i = gap; i < n; i++) {
            pipit_slot slot = slots[i];
            size_t j = i;
            for (; j >= gap &&
                   comes_after(slots[j - gap].tensor, slot.tensor);
                 j -= gap)
                slots[j] = slots[j - gap];
            slots[j] = slot;
        }
}

bool pipit_loader_is_done(const pipit_loader *loader) {
    return loader->current == loader->n_slots;
}

static size_t row_bytes(const pipit_slot *slot) {
    return (size_t)(slot->tensor->n_bytes / slot->matrix->n_rows);
}

/* Rows of group g: four, but at the end of the matrix. */
static uint32_t group_rows(const pipit_slot *slot, uint32_t g) {
    uint32_t n = slot->matrix->n_rows - g * PIPIT_GROUP_ROWS;
    return n < PIPIT_GROUP_ROWS ? n : PIPIT_GROUP_ROWS;
}

static size_t piece_bytes(const pipit_loader *l, const pipit_slot *slot) {
    if (!slot->matrix) return (size_t)slot->tensor->n_bytes;
    return row_bytes(slot) * group_rows(slot, l->next_group);
}

static void pack_group(const pipit_slot *slot, uint32_t g,
                       const uint8_t *rows) {
    const pipit_matrix *w = slot->matrix;
    /* The one place where weights are written. */
    uint8_t *group = (uint8_t *)(uintptr_t)w->groups + g * w->group_bytes;
    pipit_layout_pack(w->type, w->n_cols, rows, group_rows(slot, g), group);
}

typedef struct pack_job {
    const pipit_slot *slot;
    const uint8_t *rows;
    uint32_t first_group, n_groups;
} pack_job;

static void pack_groups(void *context, uint32_t thread, uint32_t n_threads) {
    const pack_job *job = context;
    size_t bytes = row_bytes(job->slot) * PIPIT_GROUP_ROWS;
    uint32_t begin, end;
    pipit_split(job->n_groups, thread, n_threads, &begin, &end);
    for (uint32_t i = begin; i < end; i++)
        pack_group(job->slot, job->first_group + i, job->rows + i * bytes);
}

static void store_vector(const pipit_slot *slot, const uint8_t *bytes) {
    const pipit_type_info *type = pipit_type(slot->tensor->type);
    size_t n = (size_t)slot->tensor->dims[0] * (size_t)slot->tensor->dims[1];
    type->dequantize(bytes, n / type->block_elems, slot->vector);
}

static void next_slot(pipit_loader *l) {
    l->current++;
    l->next_group = 0;
}

/* One whole piece. */
static void take_piece(pipit_loader *l, const pipit_slot *slot,
                       const uint8_t *bytes) {
    if (!slot->matrix) {
        store_vector(slot, bytes);
        next_slot(l);
        return;
    }
    pack_group(slot, l->next_group++, bytes);
    if (l->next_group == pipit_matrix_n_groups(slot->matrix)) next_slot(l);
}

/* Whole groups of four rows straight from the input; returns bytes used. */
static size_t take_groups(pipit_loader *l, const pipit_slot *slot,
                          const uint8_t *bytes, size_t n) {
    size_t group = row_bytes(slot) * PIPIT_GROUP_ROWS;
    uint32_t left = slot->matrix->n_rows / PIPIT_GROUP_ROWS - l->next_group;
    size_t fit = n / group;
    uint32_t n_groups = fit < left ? (uint32_t)fit : left;
    pack_job job = {slot, bytes, l->next_group, n_groups};
    if (n_groups == 0) return 0;
    pipit_pool_run(l->pool, pack_groups, &job);
    l->next_group += n_groups;
    if (l->next_group == pipit_matrix_n_groups(slot->matrix)) next_slot(l);
    return n_groups * group;
}

/* Bytes used of n > 0; at least one. */
static size_t feed_slot(pipit_loader *l, const uint8_t *bytes, size_t n) {
    const pipit_slot *slot = &l->slots[l->current];
    if (l->part < slot->tensor->part) return n;
    if (l->position < slot->tensor->offset) {
        uint64_t gap = slot->tensor->offset - l->position;
        return gap < n ? (size_t)gap : n;
    }
    if (slot->matrix && l->n_staged == 0) {
        size_t used = take_groups(l, slot, bytes, n);
        if (used > 0) return used;
    }
    size_t piece = piece_bytes(l, slot);
    if (l->n_staged == 0 && n >= piece) {
        take_piece(l, slot, bytes);
        return piece;
    }
    size_t part = pipit_min_size(piece - l->n_staged, n);
    memcpy(l->staging + l->n_staged, bytes, part);
    l->n_staged += part;
    if (l->n_staged == piece) {
        l->n_staged = 0;
        take_piece(l, slot, l->staging);
    }
    return part;
}

void pipit_loader_feed(pipit_loader *loader, const uint8_t *bytes, size_t n) {
    while (n > 0 && !pipit_loader_is_done(loader)) {
        size_t used = feed_slot(loader, bytes, n);
        loader->position += used;
        bytes += used;
        n -= used;
    }
}
