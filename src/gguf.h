/* gguf.h — 1: bytes to tables. What the layers above read of a pipit_file:
 * lookups by key with the type and range checked, errors naming the key. */
#ifndef PIPIT_GGUF_H
#define PIPIT_GGUF_H

#include "base.h"

/* Index of a key, UINT64_MAX when absent. A binary search. */
uint64_t pipit_gguf_key(const pipit_file *file, const char *key);
/* Index of a tensor by name, UINT64_MAX when absent. A binary search. */
uint64_t pipit_gguf_tensor_index(const pipit_file *file, const char *name,
                                 size_t n_bytes);

/* Optional scalars: *out keeps its value when the key is absent; a value of the
 * wrong type or out of range is PIPIT_E_MODEL naming the key. Any integer type
 * whose value fits is taken (writers are inconsistent); reals take f32/f64 and
 * refuse what is not finite. */
pipit_status pipit_gguf_u32(const pipit_file *file, const char *key,
                            uint32_t *out, pipit_error *error);
pipit_status pipit_gguf_f32(const pipit_file *file, const char *key, float *out,
                            pipit_error *error);
pipit_status pipit_gguf_bool(const pipit_file *file, const char *key, bool *out,
                             pipit_error *error);
pipit_status pipit_gguf_string(const pipit_file *file, const char *key,
                               pipit_string *out, pipit_error *error);

/* Required variants: absent is PIPIT_E_MODEL "missing key …". */
pipit_status pipit_gguf_need_u32(const pipit_file *file, const char *key,
                                 uint32_t *out, pipit_error *error);

/* A view of an array's elements in the file's bytes (unaligned, little-endian).
 * For arrays of strings use pipit_gguf_string_at: constant time per element
 * (the parser keeps an offset table for string arrays). */
typedef struct pipit_gguf_array {
    uint64_t index;            /* of the value */
    pipit_value_type type;     /* of the elements */
    uint64_t n;
    const uint8_t *bytes;      /* first element; NULL for strings */
} pipit_gguf_array;
/* *out is set to n = 0 and bytes NULL when absent. A key that is no array of
 * `type` is PIPIT_E_MODEL (use pipit_gguf_array_any to take any). */
pipit_status pipit_gguf_array_of(const pipit_file *file, const char *key,
                                 pipit_value_type type, pipit_gguf_array *out,
                                 pipit_error *error);
pipit_status pipit_gguf_array_any(const pipit_file *file, const char *key,
                                  pipit_gguf_array *out, pipit_error *error);
pipit_string pipit_gguf_string_at(const pipit_file *file,
                                  const pipit_gguf_array *array, uint64_t i);

/* A tensor by index, in the order of the file's directory. Extents lie within
 * the file of their part (when its size is known), are aligned and don't
 * overlap; they may have gaps between them and any order. */
const pipit_tensor *pipit_gguf_tensor(const pipit_file *file, uint64_t i);
/* Where the data section of a part begins in its file. */
uint64_t pipit_gguf_data_offset(const pipit_file *file, uint32_t part);
/* PIPIT_E_MODEL when the file is a part, but not the first. */
pipit_status pipit_gguf_begins(const pipit_file *file, pipit_error *error);
/* PIPIT_E_MODEL also when parts are missing. */
pipit_status pipit_gguf_whole(const pipit_file *file, pipit_error *error);
/* Bytes of memory the file holds now: the header and its tables. */
uint64_t pipit_gguf_bytes(const pipit_file *file);

#endif
