/* gguf_file.h — what gguf_parse.c builds and gguf.c answers from.
 *
 * Everything refers into the header's own bytes by offset, so the buffer may
 * move while it grows. No table grows before the bytes it describes arrived. */
#ifndef PIPIT_GGUF_FILE_H
#define PIPIT_GGUF_FILE_H

#include "arena.h"

/* The largest vocabularies make headers of some 20 MiB. Offsets into the header
 * are u32 because of this limit. */
#define PIPIT_MAX_HEADER_BYTES ((uint64_t)256 << 20)
/* Models have some hundred tensors and some dozen keys. */
#define PIPIT_MAX_TENSORS 65536u
#define PIPIT_MAX_VALUES 65536u
#define PIPIT_MAX_KEY_BYTES 65535u
#define PIPIT_MAX_TENSOR_NAME_BYTES 63u
#define PIPIT_MIN_ALIGNMENT 8u
#define PIPIT_DEFAULT_ALIGNMENT 32u
#define PIPIT_MAX_ALIGNMENT 65536u

/* A block that grows: bytes used of bytes taken. */
typedef struct pipit_buffer {
    uint8_t *bytes;
    size_t n, capacity;
} pipit_buffer;

typedef struct pipit_entry { /* one key and its value */
    uint32_t key_at, key_bytes;
    uint32_t value_at; /* the scalar, or the first element */
    uint32_t n;        /* elements */
    uint32_t strings;  /* of an array of strings: its first row in the table */
    uint8_t type, element_type;
} pipit_entry;

typedef struct pipit_tensor_entry {
    pipit_tensor tensor; /* name.bytes and the file offset come at the end */
    uint32_t name_at;
    uint32_t info_at; /* of n_dims: where errors point */
} pipit_tensor_entry;

typedef enum pipit_gguf_state {
    GGUF_MAGIC, GGUF_VERSION, GGUF_COUNTS,
    GGUF_KEY_BYTES, GGUF_KEY, GGUF_SCALAR, GGUF_STRING_BYTES, GGUF_STRING,
    GGUF_ARRAY, GGUF_ELEMENTS, GGUF_ELEMENT_BYTES, GGUF_ELEMENT,
    GGUF_NAME_BYTES, GGUF_NAME, GGUF_TENSOR, GGUF_PADDING,
    GGUF_COMPLETE, GGUF_FAILED
} pipit_gguf_state;

struct pipit_file {
    pipit_allocator allocator; /* a copy: the caller's may be short-lived */
    uint64_t total_bytes;      /* UINT64_MAX when unknown */
    pipit_gguf_state state;
    pipit_error failure; /* repeated by every call after it */

    pipit_buffer header;
    uint32_t at;   /* start of what is parsed next */
    uint32_t want; /* the header's length at which that is complete */
    uint32_t version, alignment;
    uint32_t n_values, n_tensors; /* claimed, those of earlier parts included */
    /* A model in several files: their headers lie one after the other in
     * `header`, and offsets are within the file of the part. */
    uint32_t part, n_parts; /* the one being read, or read last; of so many */
    uint32_t split_no;      /* what the first one calls itself */
    uint32_t split_tensors; /* of all parts; 0: not said */
    uint32_t part_at;       /* where it begins in `header` */
    uint32_t first_value, first_tensor;
    pipit_buffer data_offsets; /* u64, of each part */
    pipit_buffer values;  /* pipit_entry, those that arrived */
    pipit_buffer tensors; /* pipit_tensor_entry, likewise */
    pipit_buffer strings; /* u32: where an element's length stands */
    uint32_t n_left;      /* elements of the array being read */
    const char *subject;  /* "key", "tensor": what is read now, or NULL */
    uint32_t subject_at, subject_bytes; /* its name */
    /* Once sorted, indexes in the order of names: binary search. Hash tables
     * were passed over, as a file could choose its names to collide. */
    pipit_buffer values_by_name, tensors_by_name; /* u32 */
    uint64_t data_offset; /* of the part read last */
};

static inline pipit_entry *pipit_gguf_entries(const pipit_file *f) {
    return (pipit_entry *)(void *)f->values.bytes;
}
static inline pipit_tensor_entry *pipit_gguf_tensors(const pipit_file *f) {
    return (pipit_tensor_entry *)(void *)f->tensors.bytes;
}
static inline pipit_string pipit_gguf_key_of(const pipit_file *f,
                                             const pipit_entry *e) {
    return pipit_string_of((const char *)f->header.bytes + e->key_at,
                           e->key_bytes);
}
static inline pipit_string pipit_gguf_name_of(const pipit_file *f,
                                              const pipit_tensor_entry *t) {
    return pipit_string_of((const char *)f->header.bytes + t->name_at,
                           t->tensor.name.n_bytes);
}

/* Bytes of a value of a fixed-size type; 0 for strings, arrays and numbers that
 * name no type. */
uint32_t pipit_gguf_value_bytes(uint32_t type);

/* memcmp order, a prefix first. */
int pipit_gguf_compare(pipit_string a, pipit_string b);

/* After the last key of a part: reads what it says of the others, refuses a part
 * that is not the next one. Keys of later parts are dropped. */
pipit_status pipit_gguf_read_split(pipit_file *f, pipit_error *error);
/* After the last key: sorts, refuses duplicates. */
pipit_status pipit_gguf_index_values(pipit_file *f, pipit_error *error);
/* After the last tensor: places the data section, proves every extent, sorts,
 * refuses duplicates. */
pipit_status pipit_gguf_index_tensors(pipit_file *f, pipit_error *error);

/* false: no memory. Grows by doubling. */
bool pipit_buffer_reserve(const pipit_allocator *a, pipit_buffer *b,
                          size_t more);
/* Moves to a block that fits; keeps the old one when there is no memory. */
void pipit_buffer_shrink(const pipit_allocator *a, pipit_buffer *b);
void pipit_buffer_release(const pipit_allocator *a, pipit_buffer *b);

#endif
