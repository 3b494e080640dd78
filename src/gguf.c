/* gguf.c — questions to a complete header. */
#include "gguf.h"

#include "gguf_file.h"
#include "quant.h"

#include <float.h>

static bool is_complete(const pipit_file *f) {
    return f && f->state == GGUF_COMPLETE;
}

/* ---- names ------------------------------------------------------------- */

/* Index of the name among n sorted ones, UINT64_MAX when absent. */
static uint64_t find(const pipit_file *f, const pipit_buffer *sorted,
                     bool tensors, pipit_string name) {
    const uint32_t *items = (const uint32_t *)(const void *)sorted->bytes;
    size_t low = 0, high = sorted->n / sizeof *items;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint32_t i = items[middle];
        pipit_string there =
            tensors ? pipit_gguf_name_of(f, pipit_gguf_tensors(f) + i)
                    : pipit_gguf_key_of(f, pipit_gguf_entries(f) + i);
        int order = pipit_gguf_compare(name, there);
        if (order == 0) return i;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return UINT64_MAX;
}

uint64_t pipit_gguf_key(const pipit_file *file, const char *key) {
    if (!is_complete(file)) return UINT64_MAX;
    return find(file, &file->values_by_name, false,
                pipit_string_of(key, strlen(key)));
}

uint64_t pipit_gguf_tensor_index(const pipit_file *file, const char *name,
                                 size_t n_bytes) {
    if (!is_complete(file)) return UINT64_MAX;
    return find(file, &file->tensors_by_name, true,
                pipit_string_of(name, n_bytes));
}

/* ---- elements ---------------------------------------------------------- */

/* The element's bytes and type; NULL when there is no such element or it is no
 * fixed-size value. */
static const uint8_t *element(const pipit_file *f, uint64_t i, uint64_t j,
                              pipit_value_type *type) {
    if (!is_complete(f) || i >= f->n_values) return NULL;
    const pipit_entry *e = pipit_gguf_entries(f) + i;
    *type = e->type == PIPIT_ARRAY ? e->element_type : e->type;
    uint32_t bytes = pipit_gguf_value_bytes(*type);
    if (j >= e->n || bytes == 0) return NULL;
    return f->header.bytes + e->value_at + j * bytes;
}

/* false: no integer, or one that int64_t does not hold. */
static bool load_integer(const uint8_t *p, pipit_value_type type,
                         int64_t *out) {
    uint64_t v;
    switch (type) {
        case PIPIT_U8: *out = *p; return true;
        case PIPIT_I8: *out = (int8_t)*p; return true;
        case PIPIT_U16: *out = pipit_load_u16(p); return true;
        case PIPIT_I16: *out = (int16_t)pipit_load_u16(p); return true;
        case PIPIT_U32: *out = pipit_load_u32(p); return true;
        case PIPIT_I32: *out = (int32_t)pipit_load_u32(p); return true;
        case PIPIT_I64: *out = (int64_t)pipit_load_u64(p); return true;
        case PIPIT_U64:
            v = pipit_load_u64(p);
            if (v > INT64_MAX) return false;
            *out = (int64_t)v;
            return true;
        case PIPIT_F32:
        case PIPIT_BOOL:
        case PIPIT_STRING:
        case PIPIT_ARRAY:
        case PIPIT_F64: break;
    }
    return false;
}

static bool load_real(const uint8_t *p, pipit_value_type type, double *out) {
    int64_t integer;
    if (type == PIPIT_F32) {
        *out = (double)pipit_load_f32(p);
        return true;
    }
    if (type == PIPIT_F64) {
        memcpy(out, p, sizeof *out);
        return true;
    }
    if (type == PIPIT_U64) {
        *out = (double)pipit_load_u64(p);
        return true;
    }
    if (!load_integer(p, type, &integer)) return false;
    *out = (double)integer;
    return true;
}

static pipit_string load_string(const pipit_file *f, uint32_t at) {
    const uint8_t *p = f->header.bytes + at;
    return pipit_string_of((const char *)p + 8, (size_t)pipit_load_u64(p));
}

static pipit_string string_of_entry(const pipit_file *f, const pipit_entry *e,
                                    uint64_t j) {
    uint32_t at = e->value_at;
    if (e->type == PIPIT_ARRAY)
        memcpy(&at, f->strings.bytes + (e->strings + j) * sizeof at, sizeof at);
    return load_string(f, at);
}

/* ---- pipit.h ----------------------------------------------------------- */

uint32_t pipit_file_version(const pipit_file *file) {
    return is_complete(file) ? file->version : 0;
}

uint64_t pipit_file_header_bytes(const pipit_file *file) {
    return is_complete(file) ? file->data_offset : 0;
}

uint64_t pipit_file_n_values(const pipit_file *file) {
    return is_complete(file) ? file->n_values : 0;
}

uint64_t pipit_file_n_tensors(const pipit_file *file) {
    return is_complete(file) ? file->n_tensors : 0;
}

pipit_status pipit_file_value(const pipit_file *file, uint64_t i,
                              pipit_value *out) {
    if (file && !is_complete(file)) return PIPIT_E_STATE;
    if (!file || !out || i >= file->n_values) return PIPIT_E_ARGUMENT;
    const pipit_entry *e = pipit_gguf_entries(file) + i;
    *out = (pipit_value){.key = pipit_gguf_key_of(file, e),
                         .type = e->type,
                         .element_type = e->element_type,
                         .n_elements = e->n};
    return PIPIT_OK;
}

pipit_status pipit_file_find(const pipit_file *file, const char *key,
                             uint64_t *out) {
    if (file && !is_complete(file)) return PIPIT_E_STATE;
    if (!file || !key || !out) return PIPIT_E_ARGUMENT;
    uint64_t i = pipit_gguf_key(file, key);
    if (i == UINT64_MAX) return PIPIT_E_ARGUMENT;
    *out = i;
    return PIPIT_OK;
}

pipit_status pipit_file_integer(const pipit_file *file, uint64_t i, uint64_t j,
                                int64_t *out) {
    pipit_value_type type;
    if (file && !is_complete(file)) return PIPIT_E_STATE;
    const uint8_t *p = element(file, i, j, &type);
    if (!p || !out || !load_integer(p, type, out)) return PIPIT_E_ARGUMENT;
    return PIPIT_OK;
}

pipit_status pipit_file_real(const pipit_file *file, uint64_t i, uint64_t j,
                             double *out) {
    pipit_value_type type;
    if (file && !is_complete(file)) return PIPIT_E_STATE;
    const uint8_t *p = element(file, i, j, &type);
    if (!p || !out || !load_real(p, type, out)) return PIPIT_E_ARGUMENT;
    return PIPIT_OK;
}

pipit_status pipit_file_text(const pipit_file *file, uint64_t i, uint64_t j,
                             pipit_string *out) {
    if (file && !is_complete(file)) return PIPIT_E_STATE;
    if (!file || !out || i >= file->n_values) return PIPIT_E_ARGUMENT;
    const pipit_entry *e = pipit_gguf_entries(file) + i;
    uint8_t type = e->type == PIPIT_ARRAY ? e->element_type : e->type;
    if (type != PIPIT_STRING || j >= e->n) return PIPIT_E_ARGUMENT;
    *out = string_of_entry(file, e, j);
    return PIPIT_OK;
}

pipit_status pipit_file_flag(const pipit_file *file, uint64_t i, uint64_t j,
                             bool *out) {
    pipit_value_type type;
    if (file && !is_complete(file)) return PIPIT_E_STATE;
    const uint8_t *p = element(file, i, j, &type);
    if (!p || !out || type != PIPIT_BOOL) return PIPIT_E_ARGUMENT;
    *out = *p != 0;
    return PIPIT_OK;
}

pipit_status pipit_file_tensor(const pipit_file *file, uint64_t i,
                               pipit_tensor *out) {
    if (file && !is_complete(file)) return PIPIT_E_STATE;
    if (!file || !out || i >= file->n_tensors) return PIPIT_E_ARGUMENT;
    *out = pipit_gguf_tensors(file)[i].tensor;
    return PIPIT_OK;
}

const char *pipit_tensor_type_name(uint32_t type) {
    return pipit_type(type)->name;
}

/* ---- gguf.h: typed lookups --------------------------------------------- */

static pipit_status wrong(const pipit_file *f, uint64_t i, const char *what,
                          pipit_error *error) {
    const pipit_entry *e = pipit_gguf_entries(f) + i;
    pipit_string key = pipit_gguf_key_of(f, e);
    return pipit_fail(error, PIPIT_E_MODEL, e->value_at, "key %S %s", &key,
                      what);
}

/* Index of the key; *found says whether there is one. A key that is an array
 * is no scalar. */
static pipit_status find_scalar(const pipit_file *f, const char *key,
                                uint64_t *i, bool *found, pipit_error *error) {
    *i = pipit_gguf_key(f, key);
    *found = *i != UINT64_MAX;
    if (*found && pipit_gguf_entries(f)[*i].type == PIPIT_ARRAY)
        return wrong(f, *i, "is an array, one value expected", error);
    return PIPIT_OK;
}

pipit_status pipit_gguf_u32(const pipit_file *file, const char *key,
                            uint32_t *out, pipit_error *error) {
    uint64_t i;
    int64_t v;
    bool found;
    pipit_status s = find_scalar(file, key, &i, &found, error);
    if (s != PIPIT_OK || !found) return s;
    if (pipit_file_integer(file, i, 0, &v) != PIPIT_OK || v < 0 ||
        v > UINT32_MAX)
        return wrong(file, i, "is no whole number of 32 bits", error);
    *out = (uint32_t)v;
    return PIPIT_OK;
}

pipit_status pipit_gguf_f32(const pipit_file *file, const char *key, float *out,
                            pipit_error *error) {
    uint64_t i;
    double v;
    bool found;
    pipit_status s = find_scalar(file, key, &i, &found, error);
    if (s != PIPIT_OK || !found) return s;
    uint8_t type = pipit_gguf_entries(file)[i].type;
    if ((type != PIPIT_F32 && type != PIPIT_F64) ||
        pipit_file_real(file, i, 0, &v) != PIPIT_OK ||
        !(v >= -(double)FLT_MAX && v <= (double)FLT_MAX))
        return wrong(file, i, "is no finite f32", error);
    *out = (float)v;
    return PIPIT_OK;
}

pipit_status pipit_gguf_bool(const pipit_file *file, const char *key, bool *out,
                             pipit_error *error) {
    uint64_t i;
    bool found;
    pipit_status s = find_scalar(file, key, &i, &found, error);
    if (s != PIPIT_OK || !found) return s;
    if (pipit_file_flag(file, i, 0, out) != PIPIT_OK)
        return wrong(file, i, "is no bool", error);
    return PIPIT_OK;
}

pipit_status pipit_gguf_string(const pipit_file *file, const char *key,
                               pipit_string *out, pipit_error *error) {
    uint64_t i;
    bool found;
    pipit_status s = find_scalar(file, key, &i, &found, error);
    if (s != PIPIT_OK || !found) return s;
    if (pipit_file_text(file, i, 0, out) != PIPIT_OK)
        return wrong(file, i, "is no string", error);
    return PIPIT_OK;
}

pipit_status pipit_gguf_need_u32(const pipit_file *file, const char *key,
                                 uint32_t *out, pipit_error *error) {
    if (pipit_gguf_key(file, key) == UINT64_MAX)
        return pipit_fail(error, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "missing key %s", key);
    return pipit_gguf_u32(file, key, out, error);
}

/* ---- gguf.h: arrays ---------------------------------------------------- */

pipit_status pipit_gguf_array_any(const pipit_file *file, const char *key,
                                  pipit_gguf_array *out, pipit_error *error) {
    uint64_t i = pipit_gguf_key(file, key);
    if (i == UINT64_MAX) {
        *out = (pipit_gguf_array){.index = i};
        return PIPIT_OK;
    }
    const pipit_entry *e = pipit_gguf_entries(file) + i;
    if (e->type != PIPIT_ARRAY) return wrong(file, i, "is no array", error);
    bool fixed = e->element_type != PIPIT_STRING;
    *out = (pipit_gguf_array){
        .index = i,
        .type = e->element_type,
        .n = e->n,
        .bytes = fixed ? file->header.bytes + e->value_at : NULL};
    return PIPIT_OK;
}

pipit_status pipit_gguf_array_of(const pipit_file *file, const char *key,
                                 pipit_value_type type, pipit_gguf_array *out,
                                 pipit_error *error) {
    pipit_gguf_array any;
    pipit_status s = pipit_gguf_array_any(file, key, &any, error);
    if (s != PIPIT_OK) return s;
    if (any.index != UINT64_MAX && any.type != type)
        return wrong(file, any.index, "is an array of another type", error);
    *out = any;
    return PIPIT_OK;
}

pipit_string pipit_gguf_string_at(const pipit_file *file,
                                  const pipit_gguf_array *array, uint64_t i) {
    PIPIT_ASSERT(i < array->n && array->type == PIPIT_STRING);
    return string_of_entry(file, pipit_gguf_entries(file) + array->index, i);
}

/* ---- gguf.h: the rest -------------------------------------------------- */

const pipit_tensor *pipit_gguf_tensor(const pipit_file *file, uint64_t i) {
    PIPIT_ASSERT(is_complete(file) && i < file->n_tensors);
    return &pipit_gguf_tensors(file)[i].tensor;
}

uint64_t pipit_gguf_data_offset(const pipit_file *file, uint32_t part) {
    uint64_t offset;
    PIPIT_ASSERT((part + (size_t)1) * sizeof offset <= file->data_offsets.n);
    memcpy(&offset, file->data_offsets.bytes + part * sizeof offset,
           sizeof offset);
    return offset;
}

uint64_t pipit_gguf_bytes(const pipit_file *file) {
    return sizeof *file + file->header.capacity + file->values.capacity +
           file->tensors.capacity + file->strings.capacity +
           file->values_by_name.capacity + file->tensors_by_name.capacity +
           file->data_offsets.capacity;
}
