/* adapter_write.c — an adapter to the GGUF (v3) that llama.cpp loads: the same
 * walk measures (bytes NULL or too few) and writes.
 *
 * A model with fused matrices gets pairs for them: the A of the parts one below
 * the other, their B in blocks on the diagonal. The rank is then the sum of
 * theirs, which changes alpha / rank, so that each B makes up for it. */
#include "adapter.h"
#include "fingerprint.h"

#define ALIGNMENT 32u
#define GGUF_VERSION_WRITTEN 3u
#define NAME_BYTES 64u

typedef struct sink {
    uint8_t *bytes;
    uint64_t n, capacity;
} sink;

static void put(sink *s, const void *bytes, size_t n) {
    if (n > 0 && s->n <= s->capacity && n <= s->capacity - s->n)
        memcpy(s->bytes + s->n, bytes, n);
    s->n += n;
}

static void put_u32(sink *s, uint32_t v) {
    put(s, &v, sizeof v);
}

static void put_u64(sink *s, uint64_t v) {
    put(s, &v, sizeof v);
}

static void put_f32(sink *s, float v) {
    put(s, &v, sizeof v);
}

static void put_string(sink *s, pipit_string text) {
    put_u64(s, text.n_bytes);
    put(s, text.bytes, text.n_bytes);
}

static void put_zeros(sink *s, uint64_t until) {
    static const uint8_t zeros[ALIGNMENT] = {0};
    while (s->n < until)
        put(s, zeros, (size_t)pipit_min_u64(until - s->n, ALIGNMENT));
}

static void put_pair(sink *s, pipit_string key, pipit_string value) {
    put_string(s, key);
    put_u32(s, PIPIT_STRING);
    put_string(s, value);
}

static pipit_string literal(const char *text) {
    return pipit_string_of(text, strlen(text));
}

/* ---- tensors -------------------------------------------------------------- */

/* Targets [begin, end) of a layer as one pair. */
typedef struct block {
    const char *name;
    const pipit_lora *loras;
    uint32_t layer, begin, end;
    uint32_t rank, n_in, n_out; /* rank 0: nothing to write */
} block;

static block block_of(const pipit_adapter *a, uint32_t layer, uint32_t begin,
                      uint32_t end, const char *name) {
    block k = {.name = name, .loras = a->layers[layer], .layer = layer,
               .begin = begin, .end = end};
    for (uint32_t t = begin; t < end; t++) {
        const pipit_matrix *w = pipit_target_matrix(a->model, layer, t);
        if (!w) continue;
        k.rank += k.loras[t].rank;
        k.n_in = w->n_cols;
        k.n_out += w->n_rows;
    }
    return k;
}

/* The i-th block of a layer: a target, or several that are fused. */
static block layer_block(const pipit_adapter *a, uint32_t layer, uint32_t i) {
    const pipit_layer *l = &a->model->layers[layer];
    bool qkv = l->attn_qkv.groups != NULL;
    bool gate_up = l->ffn_gate_up.groups != NULL;
    uint32_t end = i + 1;
    const char *name = pipit_target_name(i);
    if (qkv && i == PIPIT_TARGET_Q) {
        end = PIPIT_TARGET_OUTPUT;
        name = "attn_qkv";
    } else if (gate_up && i == PIPIT_TARGET_GATE) {
        end = PIPIT_TARGET_DOWN;
        name = "ffn_up";
    } else if ((qkv && i < PIPIT_TARGET_OUTPUT) ||
               (gate_up && i == PIPIT_TARGET_UP)) {
        end = i; /* with the one before */
    }
    return block_of(a, layer, i, end, name);
}

static void put_info(sink *s, const block *k, char half, uint64_t *offset) {
    char digits[10], name[NAME_BYTES] = "blk.";
    size_t n = 4, n_digits = 0, name_bytes = strlen(k->name);
    uint32_t v = k->layer;
    do digits[n_digits++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    while (n_digits > 0) name[n++] = digits[--n_digits];
    name[n++] = '.';
    memcpy(name + n, k->name, name_bytes);
    n += name_bytes;
    memcpy(name + n, ".weight.lora_", 13);
    name[n + 13] = half;
    uint64_t n0 = half == 'a' ? k->n_in : k->rank;
    uint64_t n1 = half == 'a' ? k->rank : k->n_out;
    put_string(s, pipit_string_of(name, n + 14));
    put_u32(s, 2);
    put_u64(s, n0);
    put_u64(s, n1);
    put_u32(s, PIPIT_TYPE_F32);
    put_u64(s, *offset);
    *offset += (n0 * n1 * sizeof(float) + ALIGNMENT - 1) &
               ~(uint64_t)(ALIGNMENT - 1);
}

static void put_b(sink *s, const block *k, float alpha) {
    uint32_t column = 0;
    for (uint32_t t = k->begin; t < k->end; t++) {
        const pipit_lora *x = &k->loras[t];
        float more = alpha != 0 && x->rank > 0
                         ? (float)k->rank / (float)x->rank
                         : 1.0f;
        uint32_t n_out = x->n_out;
        for (uint32_t row = 0; row < n_out; row++)
            for (uint32_t c = 0; c < k->rank; c++) {
                bool own = c - column < x->rank; /* wraps below it */
                put_f32(s, own ? x->b[(size_t)row * x->rank + c - column] * more
                               : 0);
            }
        column += x->rank;
    }
}

static void put_data(sink *s, const block *k, float alpha) {
    for (uint32_t t = k->begin; t < k->end; t++)
        put(s, k->loras[t].a,
            (size_t)k->loras[t].rank * k->n_in * sizeof(float));
    put_zeros(s, (s->n + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1));
    put_b(s, k, alpha);
    put_zeros(s, (s->n + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1));
}

/* ---- the file -------------------------------------------------------------- */

static void put_header(sink *s, const pipit_adapter *a, uint64_t n_tensors,
                       const pipit_note *notes, size_t n_notes) {
    char base[PIPIT_FINGERPRINT_CHARS + 1];
    pipit_model_fingerprint(a->model, base);
    put(s, "GGUF", 4);
    put_u32(s, GGUF_VERSION_WRITTEN);
    put_u64(s, n_tensors);
    put_u64(s, 5 + n_notes);
    put_pair(s, literal("general.type"), literal("adapter"));
    put_pair(s, literal("general.architecture"),
             literal(a->model->h.arch->name));
    put_pair(s, literal("adapter.type"), literal("lora"));
    put_string(s, literal("adapter.lora.alpha"));
    put_u32(s, PIPIT_F32);
    put_f32(s, a->alpha);
    put_pair(s, literal(PIPIT_KEY_FINGERPRINT), literal(base));
    for (size_t i = 0; i < n_notes; i++)
        put_pair(s, notes[i].key, notes[i].value);
}

/* A part of a fused pair that is not adapted has rows of zeros. */
static bool is_whole(const block *k) {
    for (uint32_t t = k->begin; t < k->end; t++)
        if (k->loras[t].rank == 0) return false;
    return true;
}

static pipit_status count_tensors(const pipit_adapter *a, uint64_t *n,
                                  pipit_error *error) {
    *n = 0;
    for (uint32_t l = 0; l < a->model->h.n_layers; l++)
        for (uint32_t i = 0; i < PIPIT_N_TARGETS; i++) {
            block k = layer_block(a, l, i);
            if (k.rank > 0 && !is_whole(&k))
                return pipit_fail(error, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                                  "only some parts of blk.%u.%s are adapted",
                                  (uint64_t)l, k.name);
            *n += k.rank > 0 ? 2 : 0;
        }
    return PIPIT_OK;
}

static pipit_status check_notes(const pipit_note *notes, size_t n,
                                pipit_error *error) {
    for (size_t i = 0; i < n; i++) {
        bool bad = notes[i].key.n_bytes == 0 || notes[i].key.n_bytes > 65535;
        for (size_t j = 0; j < i; j++)
            bad = bad || (notes[j].key.n_bytes == notes[i].key.n_bytes &&
                          memcmp(notes[j].key.bytes, notes[i].key.bytes,
                                 notes[i].key.n_bytes) == 0);
        if (bad || pipit_string_is(notes[i].key, PIPIT_KEY_FINGERPRINT))
            return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                              "note %u has no key, or one that is there",
                              (uint64_t)i);
    }
    return PIPIT_OK;
}

pipit_status pipit_adapter_write(const pipit_adapter *adapter,
                                 const pipit_note *notes, size_t n_notes,
                                 uint8_t *bytes, size_t capacity, size_t *n_out,
                                 pipit_error *error) {
    uint64_t n_tensors, offset = 0;
    if (!adapter || !n_out || adapter->loader || adapter->failed ||
        (n_notes > 0 && !notes))
        return PIPIT_E_ARGUMENT;
    pipit_status status = check_notes(notes, n_notes, error);
    if (status == PIPIT_OK) status = count_tensors(adapter, &n_tensors, error);
    if (status != PIPIT_OK) return status;
    sink s = {.bytes = bytes, .capacity = bytes ? capacity : 0};
    uint32_t n_layers = adapter->model->h.n_layers;
    put_header(&s, adapter, n_tensors, notes, n_notes);
    for (uint32_t i = 0; i < n_layers * PIPIT_N_TARGETS; i++) {
        block k = layer_block(adapter, i / PIPIT_N_TARGETS, i % PIPIT_N_TARGETS);
        if (k.rank == 0) continue;
        put_info(&s, &k, 'a', &offset);
        put_info(&s, &k, 'b', &offset);
    }
    put_zeros(&s, (s.n + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1));
    for (uint32_t i = 0; i < n_layers * PIPIT_N_TARGETS; i++) {
        block k = layer_block(adapter, i / PIPIT_N_TARGETS, i % PIPIT_N_TARGETS);
        if (k.rank > 0) put_data(&s, &k, adapter->alpha);
    }
    if (s.n > SIZE_MAX)
        return pipit_fail(error, PIPIT_E_TOO_LARGE, PIPIT_NO_OFFSET,
                          "the adapter's file would have %u bytes", s.n);
    *n_out = (size_t)s.n;
    return PIPIT_OK;
}
