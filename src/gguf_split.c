/* gguf_split.c — a model in several files. Each is a GGUF of its own and says
 * which part of how many it is; the metadata is in the first. */
#include "gguf.h"
#include "gguf_file.h"

/* What `split.count` may claim: models are cut into some dozen parts. */
#define MAX_PARTS 1000u

/* An integer among the keys of the part being read; writers use u16 and i32.
 * `fallback` when it is not there or no integer. */
static uint64_t part_integer(const pipit_file *f, const char *key,
                             uint64_t fallback) {
    const pipit_entry *e = pipit_gguf_entries(f);
    for (uint32_t i = f->first_value; i < f->n_values; i++) {
        if (!pipit_string_is(pipit_gguf_key_of(f, &e[i]), key)) continue;
        uint32_t n = pipit_gguf_value_bytes(e[i].type);
        if (n == 0 || e[i].type == PIPIT_F32 || e[i].type == PIPIT_F64 ||
            e[i].type == PIPIT_BOOL)
            return fallback;
        uint64_t value = 0;
        while (n-- > 0)
            value = value << 8 | f->header.bytes[e[i].value_at + n];
        return value;
    }
    return fallback;
}

static pipit_status read_first(pipit_file *f, pipit_error *error) {
    uint64_t count = part_integer(f, "split.count", 1);
    uint64_t no = part_integer(f, "split.no", 0);
    uint64_t tensors = part_integer(f, "split.tensors.count", 0);
    if (count == 0) count = 1;
    if (count > MAX_PARTS || no >= count)
        return pipit_fail(error, PIPIT_E_FORMAT, PIPIT_NO_OFFSET,
                          "split.no is %u of split.count %u", no, count);
    if (tensors > PIPIT_MAX_TENSORS)
        return pipit_fail(error, PIPIT_E_FORMAT, PIPIT_NO_OFFSET,
                          "split.tensors.count is %u, more than %u", tensors,
                          (uint64_t)PIPIT_MAX_TENSORS);
    f->n_parts = (uint32_t)count;
    f->split_no = (uint32_t)no;
    f->split_tensors = (uint32_t)tensors;
    return PIPIT_OK;
}

pipit_status pipit_gguf_read_split(pipit_file *f, pipit_error *error) {
    if (f->part == 0) return read_first(f, error);
    uint64_t no = part_integer(f, "split.no", 0);
    uint64_t count = part_integer(f, "split.count", 1);
    if (no != f->part || count != f->n_parts)
        return pipit_fail(error, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "part %u of %u is given where part %u of %u belongs",
                          no + 1, count, (uint64_t)f->part + 1,
                          (uint64_t)f->n_parts);
    f->n_values = f->first_value;
    f->values.n = f->n_values * sizeof(pipit_entry);
    return PIPIT_OK;
}

uint32_t pipit_file_n_parts(const pipit_file *file) {
    return pipit_file_header_bytes(file) > 0 ? file->n_parts : 0;
}

pipit_status pipit_gguf_begins(const pipit_file *file, pipit_error *error) {
    if (file->split_no == 0) return PIPIT_OK;
    return pipit_fail(error, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                      "this is part %u of a model in %u files: begin with "
                      "part 1",
                      (uint64_t)file->split_no + 1, (uint64_t)file->n_parts);
}

pipit_status pipit_gguf_whole(const pipit_file *file, pipit_error *error) {
    uint64_t n_read = (uint64_t)file->part + 1;
    pipit_status s = pipit_gguf_begins(file, error);
    if (s != PIPIT_OK) return s;
    if (n_read < file->n_parts)
        return pipit_fail(error, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "part %u of %u of the model is missing", n_read + 1,
                          (uint64_t)file->n_parts);
    if (file->n_parts > 1 && file->split_tensors > 0 &&
        file->split_tensors != file->n_tensors)
        return pipit_fail(error, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "the parts hold %u tensors, split.tensors.count says "
                          "%u",
                          (uint64_t)file->n_tensors,
                          (uint64_t)file->split_tensors);
    return PIPIT_OK;
}
