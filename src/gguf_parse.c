/* gguf_parse.c — bytes to tables, as the bytes arrive.
 *
 * A state says what comes next and `want` where it ends in the header; once the
 * header has grown to `want`, a step reads it and says what comes then. So
 * feeding is resumable at any byte and linear in the bytes, one at a time or
 * all at once, and never takes a byte of the tensor data.
 *
 * Nothing is believed before it is checked: a length is compared with the bytes
 * that can remain before it is waited for, memory grows only with bytes that
 * came. Rules stricter than the format's text: no NUL in names, tensors have 1
 * to 4 dimensions of at least 1, no arrays of arrays, no activation types. */
#include "gguf.h"
#include "gguf_file.h"
#include "quant.h"
#include "reader.h"

#define GGML_TYPE_Q8_1 9u
#define GGML_TYPE_Q8_K 15u
/* The least bytes of a key with its value, and of a tensor's row. */
#define MIN_VALUE_BYTES (8 + 1 + 4 + 1)
#define MIN_TENSOR_BYTES (8 + 1 + 4 + 8 + 4 + 8)

/* ---- failing ----------------------------------------------------------- */

/* "key a.b: …" while one is being read. */
static pipit_status fail(pipit_file *f, pipit_status status, uint64_t at,
                         const char *what) {
    if (!f->subject) return pipit_fail(&f->failure, status, at, "%s", what);
    pipit_string name = pipit_string_of(
        (const char *)f->header.bytes + f->subject_at, f->subject_bytes);
    return pipit_fail(&f->failure, status, at, "%s %S: %s", f->subject, &name,
                      what);
}

static pipit_status malformed(pipit_file *f, uint64_t at, const char *what) {
    return fail(f, PIPIT_E_FORMAT, at, what);
}

static pipit_status no_memory(pipit_file *f) {
    return fail(f, PIPIT_E_MEMORY, f->at, "no memory to read the header");
}

static bool has_nul(const uint8_t *name, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (name[i] == 0) return true;
    return false;
}

/* ---- moving on --------------------------------------------------------- */

/* The bytes that this step was waiting for. */
static pipit_reader arrived(const pipit_file *f) {
    return pipit_reader_of(f->header.bytes + f->at, f->want - f->at);
}

/* A count or length in the piece just read claims that n bytes follow it. */
static bool is_believable(const pipit_file *f, uint64_t n) {
    uint64_t used = f->want - f->part_at;
    return n <= f->total_bytes - pipit_min_u64(used, f->total_bytes);
}

/* The piece is done; the next is n bytes long. */
static pipit_status go(pipit_file *f, pipit_gguf_state state, uint64_t n) {
    if (n > PIPIT_MAX_HEADER_BYTES - f->want)
        return fail(f, PIPIT_E_TOO_LARGE, f->at,
                    "the header would be larger than 256 MiB");
    if (!is_believable(f, n))
        return fail(f, PIPIT_E_TRUNCATED, f->want,
                    "the file is too short for its header");
    f->at = f->want;
    f->want += (uint32_t)n;
    f->state = state;
    return PIPIT_OK;
}

static size_t n_values_arrived(const pipit_file *f) {
    return f->values.n / sizeof(pipit_entry);
}

static size_t n_tensors_arrived(const pipit_file *f) {
    return f->tensors.n / sizeof(pipit_tensor_entry);
}

static pipit_status finish_tensors(pipit_file *f) {
    pipit_status s = pipit_gguf_index_tensors(f, &f->failure);
    if (s != PIPIT_OK) return s;
    return go(f, GGUF_PADDING, f->data_offset - (f->want - f->part_at));
}

/* After a value or a tensor, and at the start: what comes next? */
static pipit_status next_item(pipit_file *f) {
    f->subject = NULL;
    if (n_values_arrived(f) < f->n_values) return go(f, GGUF_KEY_BYTES, 8);
    if (n_tensors_arrived(f) == f->first_tensor) {
        pipit_status s = pipit_gguf_read_split(f, &f->failure);
        if (s == PIPIT_OK && f->part == 0)
            s = pipit_gguf_index_values(f, &f->failure);
        if (s != PIPIT_OK) return s;
    }
    if (n_tensors_arrived(f) < f->n_tensors) return go(f, GGUF_NAME_BYTES, 8);
    return finish_tensors(f);
}

/* ---- the first 24 bytes ------------------------------------------------ */

static const char magic[4] = {'G', 'G', 'U', 'F'};

static pipit_status read_magic(pipit_file *f) {
    if (memcmp(f->header.bytes + f->at, magic, 4) != 0)
        return malformed(f, f->at, "not a GGUF file: it does not begin with GGUF");
    return go(f, GGUF_VERSION, 4);
}

static pipit_status read_version(pipit_file *f) {
    pipit_reader r = arrived(f);
    f->version = pipit_read_u32(&r);
    if (f->version == 0) return malformed(f, f->at, "GGUF version 0");
    /* No flag says so, but a small number's low half is never 0. */
    if ((f->version & 0xFFFF) == 0)
        return fail(f, PIPIT_E_UNSUPPORTED, f->at,
                    "a big-endian GGUF file; only little-endian ones can be "
                    "read");
    if (f->version != 2 && f->version != 3)
        return pipit_fail(&f->failure, PIPIT_E_UNSUPPORTED, f->at,
                          "GGUF version %u; only 2 and 3 can be read",
                          (uint64_t)f->version);
    return go(f, GGUF_COUNTS, 16);
}

static pipit_status check_count(pipit_file *f, uint64_t n, uint64_t at,
                                const char *what, uint64_t limit,
                                uint64_t min_bytes) {
    if (n > limit)
        return pipit_fail(&f->failure, PIPIT_E_FORMAT, at,
                          "the file claims %u %s, more than %u", n, what,
                          limit);
    if (!is_believable(f, n * min_bytes))
        return pipit_fail(&f->failure, PIPIT_E_FORMAT, at,
                          "the file claims %u %s, more than fit in it", n,
                          what);
    return PIPIT_OK;
}

static pipit_status read_counts(pipit_file *f) {
    pipit_reader r = arrived(f);
    uint64_t n_tensors = pipit_read_u64(&r), n_values = pipit_read_u64(&r);
    pipit_status s;
    if ((s = check_count(f, n_tensors, f->at, "tensors",
                         PIPIT_MAX_TENSORS - f->first_tensor,
                         MIN_TENSOR_BYTES)) ||
        (s = check_count(f, n_values, f->at + 8, "keys",
                         PIPIT_MAX_VALUES - f->first_value, MIN_VALUE_BYTES)))
        return s;
    f->n_tensors = f->first_tensor + (uint32_t)n_tensors;
    f->n_values = f->first_value + (uint32_t)n_values;
    return next_item(f);
}

/* ---- keys and values --------------------------------------------------- */

static pipit_entry *current_entry(const pipit_file *f) {
    return pipit_gguf_entries(f) + n_values_arrived(f) - 1;
}

static pipit_status read_key_bytes(pipit_file *f) {
    pipit_reader r = arrived(f);
    uint64_t n = pipit_read_u64(&r);
    if (n == 0 || n > PIPIT_MAX_KEY_BYTES || !is_believable(f, n + 4))
        return pipit_fail(&f->failure, PIPIT_E_FORMAT, f->at,
                          "key number %u has a name of %u bytes",
                          (uint64_t)n_values_arrived(f), n);
    return go(f, GGUF_KEY, n + 4); /* and the type */
}

static bool is_alignment(const pipit_file *f) {
    return pipit_string_is(pipit_gguf_key_of(f, current_entry(f)),
                           "general.alignment");
}

static pipit_status go_value(pipit_file *f, uint32_t type) {
    if (type == PIPIT_STRING) return go(f, GGUF_STRING_BYTES, 8);
    if (type == PIPIT_ARRAY) return go(f, GGUF_ARRAY, 4 + 8);
    return go(f, GGUF_SCALAR, pipit_gguf_value_bytes(type));
}

static pipit_status read_key(pipit_file *f) {
    pipit_reader r = arrived(f);
    uint32_t n = (uint32_t)pipit_reader_left(&r) - 4;
    const uint8_t *name = pipit_read_bytes(&r, n);
    uint32_t type = pipit_read_u32(&r);
    if (!pipit_buffer_reserve(&f->allocator, &f->values, sizeof(pipit_entry)))
        return no_memory(f);
    f->subject = "key";
    f->subject_at = f->at;
    f->subject_bytes = n;
    if (has_nul(name, n)) return malformed(f, f->at, "a NUL in its name");
    if (type > PIPIT_F64)
        return malformed(f, f->at + n, "its value is of an unknown type");
    f->values.n += sizeof(pipit_entry);
    *current_entry(f) = (pipit_entry){.key_at = f->at,
                                      .key_bytes = n,
                                      .value_at = f->want,
                                      .n = 1,
                                      .type = (uint8_t)type};
    if (is_alignment(f) && type != PIPIT_U32)
        return malformed(f, f->at + n, "must be a u32");
    return go_value(f, type);
}

static pipit_status read_scalar(pipit_file *f) {
    pipit_reader r = arrived(f);
    if (current_entry(f)->type == PIPIT_BOOL && pipit_read_u8(&r) > 1)
        return malformed(f, f->at, "a bool that is neither 0 nor 1");
    if (is_alignment(f)) {
        uint32_t n = pipit_read_u32(&r);
        if (n < PIPIT_MIN_ALIGNMENT || n > PIPIT_MAX_ALIGNMENT ||
            (n & (n - 1)) != 0)
            return malformed(f, f->at,
                             "must be a power of two from 8 to 65536");
        f->alignment = n;
    }
    return next_item(f);
}

static pipit_status read_string_bytes(pipit_file *f, pipit_gguf_state then) {
    pipit_reader r = arrived(f);
    uint64_t n = pipit_read_u64(&r);
    if (!is_believable(f, n))
        return malformed(f, f->at, "a string longer than the rest of the file");
    return go(f, then, n);
}

/* ---- arrays ------------------------------------------------------------ */

static pipit_status next_element(pipit_file *f) {
    if (f->n_left == 0) return next_item(f);
    return go(f, GGUF_ELEMENT_BYTES, 8);
}

static pipit_status read_array(pipit_file *f) {
    pipit_reader r = arrived(f);
    pipit_entry *e = current_entry(f);
    uint32_t type = pipit_read_u32(&r);
    uint64_t n = pipit_read_u64(&r), bytes;
    if (type == PIPIT_ARRAY)
        return malformed(f, f->at, "an array of arrays");
    if (type > PIPIT_F64)
        return malformed(f, f->at, "an array of an unknown type");
    bool strings = type == PIPIT_STRING;
    uint64_t min_bytes = strings ? 8 : pipit_gguf_value_bytes(type);
    if (!pipit_mul_u64(n, min_bytes, &bytes) || !is_believable(f, bytes))
        return malformed(f, f->at + 4,
                         "an array longer than the rest of the file");
    if (bytes > PIPIT_MAX_HEADER_BYTES)
        return fail(f, PIPIT_E_TOO_LARGE, f->at + 4,
                    "an array of more than 256 MiB");
    e->element_type = (uint8_t)type;
    e->value_at = f->want;
    e->n = (uint32_t)n;
    e->strings = (uint32_t)(f->strings.n / sizeof(uint32_t));
    if (!strings) return go(f, GGUF_ELEMENTS, bytes);
    f->n_left = e->n;
    return next_element(f);
}

static pipit_status read_elements(pipit_file *f) {
    const pipit_entry *e = current_entry(f);
    const uint8_t *p = f->header.bytes + f->at;
    if (e->element_type == PIPIT_BOOL)
        for (uint32_t i = 0; i < e->n; i++)
            if (p[i] > 1)
                return malformed(f, f->at + i,
                                 "a bool that is neither 0 nor 1");
    return next_item(f);
}

static pipit_status read_element_bytes(pipit_file *f) {
    if (!pipit_buffer_reserve(&f->allocator, &f->strings, sizeof f->at))
        return no_memory(f);
    memcpy(f->strings.bytes + f->strings.n, &f->at, sizeof f->at);
    f->strings.n += sizeof f->at;
    f->n_left--;
    return read_string_bytes(f, GGUF_ELEMENT);
}

/* ---- tensors ----------------------------------------------------------- */

static pipit_tensor_entry *current_tensor(const pipit_file *f) {
    return pipit_gguf_tensors(f) + n_tensors_arrived(f) - 1;
}

static pipit_status read_name_bytes(pipit_file *f) {
    pipit_reader r = arrived(f);
    uint64_t n = pipit_read_u64(&r);
    if (n == 0 || n > PIPIT_MAX_TENSOR_NAME_BYTES)
        return pipit_fail(&f->failure, PIPIT_E_FORMAT, f->at,
                          "tensor number %u has a name of %u bytes",
                          (uint64_t)n_tensors_arrived(f), n);
    return go(f, GGUF_NAME, n + 4); /* and the number of dimensions */
}

static pipit_status read_name(pipit_file *f) {
    pipit_reader r = arrived(f);
    uint32_t n = (uint32_t)pipit_reader_left(&r) - 4;
    const uint8_t *name = pipit_read_bytes(&r, n);
    uint32_t n_dims = pipit_read_u32(&r);
    if (!pipit_buffer_reserve(&f->allocator, &f->tensors,
                              sizeof(pipit_tensor_entry)))
        return no_memory(f);
    f->subject = "tensor";
    f->subject_at = f->at;
    f->subject_bytes = n;
    if (has_nul(name, n)) return malformed(f, f->at, "a NUL in its name");
    if (n_dims == 0 || n_dims > 4)
        return malformed(f, f->at + n, "not 1 to 4 dimensions");
    f->tensors.n += sizeof(pipit_tensor_entry);
    *current_tensor(f) = (pipit_tensor_entry){
        .tensor = {.name = {NULL, n}, .n_dims = n_dims, .dims = {1, 1, 1, 1},
                   .part = f->part},
        .name_at = f->at,
        .info_at = f->at + n};
    return go(f, GGUF_TENSOR, 8 * (uint64_t)n_dims + 4 + 8);
}

/* Elements and bytes; what would wrap is refused before it does. */
static pipit_status size_tensor(pipit_file *f, pipit_tensor *t) {
    const pipit_type_info *type = pipit_type(t->type);
    uint64_t n = 1, bytes;
    uint64_t type_at = f->at + 8 * (uint64_t)t->n_dims;
    for (uint32_t i = 0; i < t->n_dims; i++) {
        if (t->dims[i] == 0)
            return malformed(f, f->at + 8 * i, "a dimension of 0");
        if (!pipit_mul_u64(n, t->dims[i], &n) || n > INT64_MAX)
            return malformed(f, f->at + 8 * i, "2^63 elements or more");
    }
    if (type->block_elems == 0)
        return fail(f, PIPIT_E_UNSUPPORTED, type_at, "of an unknown type");
    if (t->type == GGML_TYPE_Q8_1 || t->type == GGML_TYPE_Q8_K)
        return fail(f, PIPIT_E_UNSUPPORTED, type_at,
                    "of a type that only activations have");
    if (t->dims[0] % type->block_elems != 0)
        return malformed(f, f->at,
                         "its rows are no whole number of its type's blocks");
    if (!pipit_mul_u64(n / type->block_elems, type->block_bytes, &bytes))
        return malformed(f, f->at, "2^64 bytes or more");
    t->n_bytes = bytes;
    return PIPIT_OK;
}

static pipit_status read_tensor(pipit_file *f) {
    pipit_reader r = arrived(f);
    pipit_tensor *t = &current_tensor(f)->tensor;
    for (uint32_t i = 0; i < t->n_dims; i++) t->dims[i] = pipit_read_u64(&r);
    t->type = pipit_read_u32(&r);
    t->offset = pipit_read_u64(&r);
    pipit_status s = size_tensor(f, t);
    if (s != PIPIT_OK) return s;
    if (t->offset % f->alignment != 0)
        return malformed(f, f->want - 8,
                         "its offset is no multiple of the alignment");
    return next_item(f);
}

/* ---- the walk ---------------------------------------------------------- */

static pipit_status complete(pipit_file *f) {
    if (!pipit_buffer_reserve(&f->allocator, &f->data_offsets,
                              sizeof f->data_offset))
        return no_memory(f);
    memcpy(f->data_offsets.bytes + f->data_offsets.n, &f->data_offset,
           sizeof f->data_offset);
    f->data_offsets.n += sizeof f->data_offset;
    f->at = f->want;
    f->state = GGUF_COMPLETE;
    pipit_buffer *buffers[] = {&f->header,  &f->values,
                               &f->tensors, &f->strings,
                               &f->values_by_name, &f->tensors_by_name,
                               &f->data_offsets};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        pipit_buffer_shrink(&f->allocator, buffers[i]);
    /* Nothing moves any more. */
    for (uint32_t i = 0; i < f->n_tensors; i++) {
        pipit_tensor_entry *t = pipit_gguf_tensors(f) + i;
        t->tensor.name = pipit_gguf_name_of(f, t);
    }
    return PIPIT_OK;
}

static pipit_status step(pipit_file *f) {
    switch (f->state) {
        case GGUF_MAGIC: return read_magic(f);
        case GGUF_VERSION: return read_version(f);
        case GGUF_COUNTS: return read_counts(f);
        case GGUF_KEY_BYTES: return read_key_bytes(f);
        case GGUF_KEY: return read_key(f);
        case GGUF_SCALAR: return read_scalar(f);
        case GGUF_STRING_BYTES: return read_string_bytes(f, GGUF_STRING);
        case GGUF_STRING: return next_item(f);
        case GGUF_ARRAY: return read_array(f);
        case GGUF_ELEMENTS: return read_elements(f);
        case GGUF_ELEMENT_BYTES: return read_element_bytes(f);
        case GGUF_ELEMENT: return next_element(f);
        case GGUF_NAME_BYTES: return read_name_bytes(f);
        case GGUF_NAME: return read_name(f);
        case GGUF_TENSOR: return read_tensor(f);
        case GGUF_PADDING: return complete(f);
        case GGUF_COMPLETE:
        case GGUF_FAILED: break;
    }
    PIPIT_ASSERT(false);
    return PIPIT_E_STATE;
}

/* Every later call fails in the same way. */
static pipit_status stay_failed(pipit_file *f, pipit_error *error) {
    if (f->state != GGUF_FAILED && f->part_at > 0 &&
        f->failure.offset != PIPIT_NO_OFFSET)
        f->failure.offset -= f->part_at; /* in the part's own file */
    f->state = GGUF_FAILED;
    if (error) *error = f->failure;
    return f->failure.status;
}

/* ---- exports ----------------------------------------------------------- */

uint32_t pipit_gguf_value_bytes(uint32_t type) {
    static const uint8_t bytes[] = {
        [PIPIT_U8] = 1,  [PIPIT_I8] = 1,  [PIPIT_U16] = 2, [PIPIT_I16] = 2,
        [PIPIT_U32] = 4, [PIPIT_I32] = 4, [PIPIT_F32] = 4, [PIPIT_BOOL] = 1,
        [PIPIT_U64] = 8, [PIPIT_I64] = 8, [PIPIT_F64] = 8};
    return type < sizeof bytes ? bytes[type] : 0;
}

/* After the bytes so far comes the header of the next file. */
static void begin_part(pipit_file *f, uint64_t total_bytes) {
    f->total_bytes = total_bytes ? total_bytes : UINT64_MAX;
    f->alignment = PIPIT_DEFAULT_ALIGNMENT;
    f->state = GGUF_MAGIC;
    f->part_at = f->at = (uint32_t)f->header.n;
    f->want = f->at + sizeof magic;
    f->first_value = f->n_values;
    f->first_tensor = f->n_tensors;
    f->subject = NULL;
}

pipit_status pipit_file_open(uint64_t total_bytes, const pipit_allocator *a,
                             pipit_file **out) {
    if (!out) return PIPIT_E_ARGUMENT;
    a = pipit_allocator_or_platform(a);
    pipit_file *f = pipit_take(a, sizeof *f);
    if (!f) return PIPIT_E_MEMORY;
    memset(f, 0, sizeof *f);
    f->allocator = *a;
    f->n_parts = 1;
    begin_part(f, total_bytes);
    *out = f;
    return PIPIT_OK;
}

pipit_status pipit_file_next_part(pipit_file *file, uint64_t total_bytes,
                                  pipit_error *error) {
    if (!file) return PIPIT_E_ARGUMENT;
    if (file->state == GGUF_FAILED) return stay_failed(file, error);
    if (file->state != GGUF_COMPLETE)
        return pipit_fail(error, PIPIT_E_STATE, PIPIT_NO_OFFSET,
                          "the header of part %u is not complete",
                          (uint64_t)file->part + 1);
    if (file->split_no > 0) return pipit_gguf_begins(file, error);
    if (file->part + 1 >= file->n_parts)
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "the model has no part %u: it is in %u",
                          (uint64_t)file->part + 2, (uint64_t)file->n_parts);
    file->part++;
    begin_part(file, total_bytes);
    return PIPIT_OK;
}

void pipit_file_close(pipit_file *file) {
    if (!file) return;
    pipit_allocator a = file->allocator;
    pipit_buffer *buffers[] = {&file->header,  &file->values,
                               &file->tensors, &file->strings,
                               &file->values_by_name, &file->tensors_by_name,
                               &file->data_offsets};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        pipit_buffer_release(&a, buffers[i]);
    pipit_give(&a, file, sizeof *file);
}

pipit_status pipit_file_feed(pipit_file *file, const uint8_t *bytes, size_t n,
                             size_t *n_taken, pipit_error *error) {
    size_t used = 0;
    if (!file || !n_taken || (!bytes && n > 0))
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "pipit_file_feed needs a file, bytes and n_taken");
    if (file->state == GGUF_FAILED) return stay_failed(file, error);
    while (file->state != GGUF_COMPLETE) {
        pipit_buffer *h = &file->header;
        size_t more = pipit_min_size(file->want - h->n, n - used);
        if (more > 0) {
            if (!pipit_buffer_reserve(&file->allocator, h, more)) {
                no_memory(file);
                return stay_failed(file, error);
            }
            memcpy(h->bytes + h->n, bytes + used, more);
            h->n += more;
            used += more;
        }
        if (h->n < file->want) {
            *n_taken = used;
            return PIPIT_PENDING;
        }
        if (step(file) != PIPIT_OK) return stay_failed(file, error);
    }
    *n_taken = used;
    return PIPIT_OK;
}

pipit_status pipit_file_end(pipit_file *file, pipit_error *error) {
    if (!file) return PIPIT_E_ARGUMENT;
    if (file->state == GGUF_COMPLETE) return PIPIT_OK;
    if (file->state == GGUF_FAILED) return stay_failed(file, error);
    size_t n = file->header.n - file->part_at;
    if (n < sizeof magic && n > 0 &&
        memcmp(file->header.bytes + file->part_at, magic, n) != 0)
        malformed(file, file->part_at, "not a GGUF file: it does not begin with GGUF");
    else
        fail(file, PIPIT_E_TRUNCATED, file->header.n,
             n ? "the file ends within its header" : "the file is empty");
    return stay_failed(file, error);
}
