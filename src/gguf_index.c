/* gguf_index.c — once names and extents are known: sorted indexes, and the
 * proofs that need all of them at once. */
#include "gguf_file.h"

/* ---- buffers ----------------------------------------------------------- */

static bool move_to(const pipit_allocator *a, pipit_buffer *b,
                    size_t capacity) {
    uint8_t *bytes = pipit_take(a, capacity);
    if (!bytes) return false;
    if (b->n > 0) memcpy(bytes, b->bytes, b->n);
    pipit_give(a, b->bytes, b->capacity);
    b->bytes = bytes;
    b->capacity = capacity;
    return true;
}

bool pipit_buffer_reserve(const pipit_allocator *a, pipit_buffer *b,
                          size_t more) {
    size_t need, capacity = b->capacity ? b->capacity : 4096;
    if (more <= b->capacity - b->n) return true;
    if (!pipit_add_size(b->n, more, &need)) return false;
    while (capacity < need)
        if (!pipit_mul_size(capacity, 2, &capacity)) capacity = need;
    return move_to(a, b, capacity);
}

void pipit_buffer_shrink(const pipit_allocator *a, pipit_buffer *b) {
    if (b->n > 0 && b->n < b->capacity) (void)move_to(a, b, b->n);
}

void pipit_buffer_release(const pipit_allocator *a, pipit_buffer *b) {
    pipit_give(a, b->bytes, b->capacity);
    *b = (pipit_buffer){NULL, 0, 0};
}

/* ---- sorting ----------------------------------------------------------- */

int pipit_gguf_compare(pipit_string a, pipit_string b) {
    size_t n = pipit_min_size(a.n_bytes, b.n_bytes);
    int order = n > 0 ? memcmp(a.bytes, b.bytes, n) : 0;
    if (order != 0) return order;
    return (a.n_bytes > b.n_bytes) - (a.n_bytes < b.n_bytes);
}

typedef int compare_items(const pipit_file *f, uint32_t a, uint32_t b);

static int by_key(const pipit_file *f, uint32_t a, uint32_t b) {
    const pipit_entry *e = pipit_gguf_entries(f);
    return pipit_gguf_compare(pipit_gguf_key_of(f, &e[a]),
                              pipit_gguf_key_of(f, &e[b]));
}

static int by_tensor_name(const pipit_file *f, uint32_t a, uint32_t b) {
    const pipit_tensor_entry *t = pipit_gguf_tensors(f);
    return pipit_gguf_compare(pipit_gguf_name_of(f, &t[a]),
                              pipit_gguf_name_of(f, &t[b]));
}

static int by_offset(const pipit_file *f, uint32_t a, uint32_t b) {
    const pipit_tensor_entry *t = pipit_gguf_tensors(f);
    uint32_t part = t[a].tensor.part, other = t[b].tensor.part;
    uint64_t x = t[a].tensor.offset, y = t[b].tensor.offset;
    if (part != other) return part < other ? -1 : 1;
    return (x > y) - (x < y);
}

/* Equal items in the order of the file, so that results don't depend on how
 * the sort works. */
static bool goes_before(const pipit_file *f, compare_items *compare, uint32_t a,
                        uint32_t b) {
    int order = compare(f, a, b);
    return order < 0 || (order == 0 && a < b);
}

static void sift_down(const pipit_file *f, compare_items *compare,
                      uint32_t *items, size_t root, size_t n) {
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n &&
            goes_before(f, compare, items[child], items[child + 1]))
            child++;
        if (!goes_before(f, compare, items[root], items[child])) return;
        uint32_t item = items[root];
        items[root] = items[child];
        items[child] = item;
    }
}

/* Heap sort: n log n whatever the file holds, in place, no recursion. */
static void sort(const pipit_file *f, compare_items *compare, uint32_t *items,
                 size_t n) {
    for (size_t i = 0; i < n; i++) items[i] = (uint32_t)i;
    for (size_t i = n / 2; i-- > 0;) sift_down(f, compare, items, i, n);
    for (size_t end = n; end-- > 1;) {
        uint32_t item = items[0];
        items[0] = items[end];
        items[end] = item;
        sift_down(f, compare, items, 0, end);
    }
}

/* Room for n indexes in *b; NULL when there is no memory. */
static uint32_t *take_indexes(const pipit_file *f, pipit_buffer *b, size_t n) {
    b->n = 0;
    if (!pipit_buffer_reserve(&f->allocator, b, n * sizeof(uint32_t)))
        return NULL;
    b->n = n * sizeof(uint32_t);
    return (uint32_t *)(void *)b->bytes;
}

static pipit_status no_memory(pipit_error *error) {
    return pipit_fail(error, PIPIT_E_MEMORY, PIPIT_NO_OFFSET,
                      "no memory for the index of the header");
}

/* ---- keys -------------------------------------------------------------- */

pipit_status pipit_gguf_index_values(pipit_file *f, pipit_error *error) {
    const pipit_entry *e = pipit_gguf_entries(f);
    uint32_t *sorted = take_indexes(f, &f->values_by_name, f->n_values);
    if (f->n_values > 0 && !sorted) return no_memory(error);
    sort(f, by_key, sorted, f->n_values);
    for (uint32_t i = 1; i < f->n_values; i++) {
        if (by_key(f, sorted[i - 1], sorted[i]) != 0) continue;
        const pipit_entry *again = &e[sorted[i]];
        pipit_string key = pipit_gguf_key_of(f, again);
        return pipit_fail(error, PIPIT_E_FORMAT, again->key_at,
                          "key %S appears twice", &key);
    }
    return PIPIT_OK;
}

/* ---- tensors ----------------------------------------------------------- */

static pipit_status fail_tensor(const pipit_file *f, pipit_error *error,
                                const pipit_tensor_entry *t,
                                const char *what) {
    pipit_string name = pipit_gguf_name_of(f, t);
    return pipit_fail(error, PIPIT_E_FORMAT, t->info_at, "tensor %S %s", &name,
                      what);
}

/* Offsets become those in the file; each extent lies in the file. */
static pipit_status place_tensors(pipit_file *f, pipit_error *error) {
    pipit_tensor_entry *t = pipit_gguf_tensors(f) + f->first_tensor;
    for (uint32_t i = f->first_tensor; i < f->n_tensors; i++, t++) {
        uint64_t end;
        pipit_string name = pipit_gguf_name_of(f, t);
        if (!pipit_add_u64(t->tensor.offset, f->data_offset,
                           &t->tensor.offset) ||
            !pipit_add_u64(t->tensor.offset, t->tensor.n_bytes, &end))
            return fail_tensor(f, error, t, "ends past 2^64 bytes");
        if (end > f->total_bytes)
            return pipit_fail(error, PIPIT_E_TRUNCATED, t->info_at,
                              "tensor %S ends at byte %u, but the file has "
                              "only %u bytes",
                              &name, end, f->total_bytes);
        t->tensor.name = name;
    }
    return PIPIT_OK;
}

static pipit_status refuse_overlaps(const pipit_file *f, uint32_t *sorted,
                                    pipit_error *error) {
    const pipit_tensor_entry *t = pipit_gguf_tensors(f);
    sort(f, by_offset, sorted, f->n_tensors);
    for (uint32_t i = 1; i < f->n_tensors; i++) {
        const pipit_tensor *a = &t[sorted[i - 1]].tensor;
        const pipit_tensor *b = &t[sorted[i]].tensor;
        if (a->part == b->part && b->offset - a->offset < a->n_bytes)
            return pipit_fail(error, PIPIT_E_FORMAT, t[sorted[i]].info_at,
                              "tensor %S overlaps tensor %S", &b->name,
                              &a->name);
    }
    return PIPIT_OK;
}

static pipit_status refuse_twins(const pipit_file *f, uint32_t *sorted,
                                 pipit_error *error) {
    const pipit_tensor_entry *t = pipit_gguf_tensors(f);
    sort(f, by_tensor_name, sorted, f->n_tensors);
    for (uint32_t i = 1; i < f->n_tensors; i++)
        if (by_tensor_name(f, sorted[i - 1], sorted[i]) == 0)
            return fail_tensor(f, error, &t[sorted[i]], "appears twice");
    return PIPIT_OK;
}

pipit_status pipit_gguf_index_tensors(pipit_file *f, pipit_error *error) {
    uint32_t *sorted = take_indexes(f, &f->tensors_by_name, f->n_tensors);
    uint64_t end = f->want - f->part_at;
    pipit_status s;
    f->data_offset = end;
    if (f->n_tensors == 0) return PIPIT_OK;
    if (!sorted) return no_memory(error);
    if (f->n_tensors > f->first_tensor) /* else no data, so no padding */
        f->data_offset = (end + f->alignment - 1) & ~(uint64_t)(f->alignment - 1);
    if ((s = place_tensors(f, error)) != PIPIT_OK) return s;
    if ((s = refuse_overlaps(f, sorted, error)) != PIPIT_OK) return s;
    return refuse_twins(f, sorted, error); /* leaves them sorted by name */
}
