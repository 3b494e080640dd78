/* adapter_file.c — a LoRA GGUF to an adapter: its keys and the name and shape of
 * every tensor are checked against the model before memory is taken, the values
 * when they have arrived.
 *
 * Files for models with fused matrices have a pair for attn_qkv, or for ffn_up
 * that holds the gate too: all parts take its A, and each its rows of B. */
#include "adapter.h"
#include "engine.h"
#include "fingerprint.h"
#include "loader.h"

/* What a pair may be for: a target, or several. */
enum { PAIR_QKV = PIPIT_N_TARGETS, PAIR_GATE_UP, N_PAIRS };

typedef struct pair {
    const pipit_tensor *a, *b;
} pair;

typedef struct reading {
    const pipit_file *file;
    const pipit_model *model;
    pair *pairs;     /* (n_layers, N_PAIRS) */
    uint32_t *ranks; /* (n_layers, PIPIT_N_TARGETS) */
    size_t n_slots, staging_bytes;
    float alpha;
    pipit_error *error;
} reading;

/* ---- keys --------------------------------------------------------------- */

static pipit_status check_text(const reading *r, const char *key,
                               const char *expected) {
    pipit_string text = pipit_string_of("", 0);
    pipit_status s = pipit_gguf_string(r->file, key, &text, r->error);
    if (s != PIPIT_OK || pipit_string_is(text, expected)) return s;
    return pipit_fail(r->error, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                      "key %s is \"%S\", expected \"%s\"", key, &text,
                      expected);
}

static pipit_status check_base(const reading *r) {
    static const char key[] = PIPIT_KEY_FINGERPRINT;
    char own[PIPIT_FINGERPRINT_CHARS + 1];
    if (pipit_gguf_key(r->file, key) == UINT64_MAX) return PIPIT_OK;
    pipit_model_fingerprint(r->model, own);
    pipit_status s = check_text(r, key, own);
    if (s != PIPIT_E_MODEL) return s;
    return pipit_fail(r->error, s, PIPIT_NO_OFFSET,
                      "the adapter was made for another base model: key %s is "
                      "not this model's %s",
                      key, own);
}

static pipit_status check_keys(reading *r, uint32_t flags) {
    static const char activated[] = "adapter.alora.invocation_tokens";
    pipit_status s = check_text(r, "general.type", "adapter");
    if (s == PIPIT_OK) s = check_text(r, "adapter.type", "lora");
    if (s == PIPIT_OK)
        s = check_text(r, "general.architecture", r->model->h.arch->name);
    if (s == PIPIT_OK)
        s = pipit_gguf_f32(r->file, "adapter.lora.alpha", &r->alpha, r->error);
    if (s == PIPIT_OK && pipit_gguf_key(r->file, activated) != UINT64_MAX)
        s = pipit_fail(r->error, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                       "key %s: adapters that begin at a token are not "
                       "supported",
                       activated);
    if (s == PIPIT_OK && !(flags & PIPIT_ANY_BASE)) s = check_base(r);
    return s;
}

/* ---- names --------------------------------------------------------------- */

static bool take_end(pipit_string *s, const char *end) {
    size_t n = strlen(end);
    if (s->n_bytes < n || memcmp(s->bytes + s->n_bytes - n, end, n) != 0)
        return false;
    s->n_bytes -= n;
    return true;
}

/* "blk.<layer>." */
static bool take_layer(pipit_string *s, uint32_t n_layers, uint32_t *layer) {
    size_t i = 4;
    uint32_t n = 0;
    if (s->n_bytes < 6 || memcmp(s->bytes, "blk.", 4) != 0) return false;
    for (; i < s->n_bytes && s->bytes[i] >= '0' && s->bytes[i] <= '9'; i++) {
        if (i > 4 && n == 0) return false; /* 01 */
        n = n * 10 + (uint32_t)(s->bytes[i] - '0');
        if (n >= n_layers) return false;
    }
    if (i == 4 || i == s->n_bytes || s->bytes[i] != '.') return false;
    *s = pipit_string_of(s->bytes + i + 1, s->n_bytes - i - 1);
    *layer = n;
    return true;
}

/* N_PAIRS: nothing that this layer has. */
static uint32_t pair_of(const pipit_model *m, uint32_t layer,
                        pipit_string name) {
    const pipit_layer *l = &m->layers[layer];
    bool fused = l->ffn_gate_up.groups != NULL;
    if (pipit_string_is(name, "attn_qkv"))
        return l->attn_qkv.groups ? PAIR_QKV : N_PAIRS;
    if (fused && pipit_string_is(name, "ffn_up")) return PAIR_GATE_UP;
    for (uint32_t t = 0; t < PIPIT_N_TARGETS; t++)
        if (pipit_string_is(name, pipit_target_name(t)))
            return pipit_target_matrix(m, layer, t) ? t : N_PAIRS;
    return N_PAIRS;
}

static pipit_status note_tensor(reading *r, const pipit_tensor *t) {
    pipit_string name = t->name;
    uint32_t layer = 0, which = N_PAIRS;
    if (take_end(&name, "_norm.weight")) return PIPIT_OK; /* as llama.cpp */
    bool a = take_end(&name, ".lora_a");
    if (!a && !take_end(&name, ".lora_b"))
        return pipit_fail(r->error, PIPIT_E_MODEL, t->offset,
                          "tensor %S is no half of an adapter: its name ends "
                          "neither in .lora_a nor in .lora_b",
                          &t->name);
    if (take_end(&name, ".weight") &&
        take_layer(&name, r->model->h.n_layers, &layer))
        which = pair_of(r->model, layer, name);
    if (which == N_PAIRS)
        return pipit_fail(r->error, PIPIT_E_UNSUPPORTED, t->offset,
                          "tensor %S: the model has no such matrix, or none "
                          "that can be adapted",
                          &t->name);
    pair *p = &r->pairs[(size_t)layer * N_PAIRS + which];
    *(a ? &p->a : &p->b) = t;
    return PIPIT_OK;
}

/* ---- shapes --------------------------------------------------------------- */

static pipit_status bad_shape(const reading *r, const pipit_tensor *t,
                              uint64_t n0, uint64_t n1) {
    bool turned = t->dims[0] == n1 && t->dims[1] == n0;
    return pipit_fail(r->error, PIPIT_E_MODEL, t->offset,
                      "tensor %S is %u x %u x %u, expected %u x %u%s", &t->name,
                      t->dims[0], t->dims[1], t->dims[2] * t->dims[3], n0, n1,
                      turned ? ": it is transposed" : "");
}

static bool has_shape(const pipit_tensor *t, uint64_t n0, uint64_t n1) {
    return t->dims[0] == n0 && t->dims[1] == n1 && t->dims[2] == 1 &&
           t->dims[3] == 1;
}

static pipit_status check_type(reading *r, const pipit_tensor *t) {
    if (t->n_bytes > r->staging_bytes) r->staging_bytes = (size_t)t->n_bytes;
    r->n_slots++;
    if (pipit_type(t->type)->dequantize) return PIPIT_OK;
    return pipit_fail(r->error, PIPIT_E_UNSUPPORTED, t->offset,
                      "tensor %S is of type %s, which is not supported",
                      &t->name, pipit_type(t->type)->name);
}

static pipit_status check_pair(reading *r, const pair *p, uint64_t n_in,
                               uint64_t n_out) {
    const pipit_tensor *one = p->a ? p->a : p->b;
    pipit_status s;
    if (!p->a || !p->b)
        return pipit_fail(r->error, PIPIT_E_MODEL, one->offset,
                          "tensor %S stands alone: its lora_%s is missing",
                          &one->name, p->a ? "b" : "a");
    uint64_t rank = p->b->dims[0];
    if (p->b->dims[1] != n_out) return bad_shape(r, p->b, p->a->dims[1], n_out);
    if (!has_shape(p->a, n_in, rank)) return bad_shape(r, p->a, n_in, rank);
    if (!has_shape(p->b, rank, n_out)) return bad_shape(r, p->b, rank, n_out);
    if (rank == 0 || rank > n_in || rank > n_out)
        return pipit_fail(r->error, PIPIT_E_MODEL, p->b->offset,
                          "tensor %S has rank %u, its matrix is %u x %u",
                          &p->b->name, rank, n_in, n_out);
    if ((s = check_type(r, p->a)) != PIPIT_OK) return s;
    return check_type(r, p->b);
}

/* The targets [*t, *end) of a pair. */
static void targets_of(uint32_t which, uint32_t *t, uint32_t *end) {
    *t = which == PAIR_QKV       ? PIPIT_TARGET_Q
         : which == PAIR_GATE_UP ? PIPIT_TARGET_GATE
                                 : which;
    *end = which == PAIR_QKV       ? PIPIT_TARGET_V + 1
           : which == PAIR_GATE_UP ? PIPIT_TARGET_UP + 1
                                   : which + 1;
}

static pipit_status check_layer(reading *r, uint32_t layer) {
    const pair *pairs = r->pairs + (size_t)layer * N_PAIRS;
    uint32_t *ranks = r->ranks + (size_t)layer * PIPIT_N_TARGETS;
    for (uint32_t which = 0; which < N_PAIRS; which++) {
        const pair *p = &pairs[which];
        uint32_t begin, end;
        uint64_t n_out = 0, n_in = 0;
        if (!p->a && !p->b) continue;
        targets_of(which, &begin, &end);
        for (uint32_t t = begin; t < end; t++) {
            const pipit_matrix *w = pipit_target_matrix(r->model, layer, t);
            n_out += w->n_rows;
            n_in = w->n_cols;
        }
        pipit_status s = check_pair(r, p, n_in, n_out);
        if (s != PIPIT_OK) return s;
        for (uint32_t t = begin; t < end; t++) {
            if (ranks[t] > 0)
                return pipit_fail(r->error, PIPIT_E_MODEL, p->a->offset,
                                  "tensor %S adapts what others do as well",
                                  &p->a->name);
            ranks[t] = (uint32_t)p->a->dims[1];
        }
    }
    return PIPIT_OK;
}

static pipit_status check_tensors(reading *r) {
    uint64_t n = pipit_file_n_tensors(r->file);
    pipit_status s = PIPIT_OK;
    for (uint64_t i = 0; i < n && s == PIPIT_OK; i++)
        s = note_tensor(r, pipit_gguf_tensor(r->file, i));
    for (uint32_t l = 0; l < r->model->h.n_layers && s == PIPIT_OK; l++)
        s = check_layer(r, l);
    if (s == PIPIT_OK && r->n_slots == 0)
        s = pipit_fail(r->error, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                       "the adapter has no tensors");
    return s;
}

/* ---- values --------------------------------------------------------------- */

static void fill_slots(const reading *r, pipit_adapter *adapter,
                       pipit_slot *slots) {
    size_t n = 0;
    for (uint32_t l = 0; l < r->model->h.n_layers; l++)
        for (uint32_t which = 0; which < N_PAIRS; which++) {
            const pair *p = &r->pairs[(size_t)l * N_PAIRS + which];
            uint32_t t, end;
            if (!p->a) continue;
            targets_of(which, &t, &end);
            slots[n++] = (pipit_slot){.tensor = p->a,
                                      .vector = adapter->layers[l][t].a};
            slots[n++] = (pipit_slot){.tensor = p->b,
                                      .vector = adapter->layers[l][t].b};
        }
    PIPIT_ASSERT(n == r->n_slots);
}

static pipit_status make(const reading *r, const pipit_allocator *a,
                         pipit_adapter **out) {
    pipit_adapter *adapter;
    pipit_status s = pipit_adapter_make(r->model, r->alpha, r->ranks, a,
                                        &adapter, r->error);
    if (s != PIPIT_OK) return s;
    size_t bytes = pipit_loader_measure(r->n_slots, r->staging_bytes);
    void *block = pipit_take(a, bytes);
    if (!block) {
        pipit_adapter_free(adapter);
        return pipit_fail(r->error, PIPIT_E_MEMORY, PIPIT_NO_OFFSET,
                          "reading the adapter needs %u bytes of memory and "
                          "can't get them",
                          (uint64_t)bytes);
    }
    pipit_loader *loader =
        pipit_loader_init(block, r->n_slots, r->staging_bytes,
                          r->model->engine->pool, r->file);
    fill_slots(r, adapter, loader->slots);
    pipit_loader_start(loader);
    adapter->loader = loader;
    *out = adapter;
    return PIPIT_OK;
}

pipit_status pipit_adapter_open(const pipit_file *file, pipit_model *model,
                                uint32_t flags, const pipit_allocator *a,
                                pipit_adapter **out, pipit_error *error) {
    if (!file || !model || !out || flags & ~PIPIT_ANY_BASE)
        return PIPIT_E_ARGUMENT;
    if (pipit_file_header_bytes(file) == 0)
        return pipit_fail(error, PIPIT_E_STATE, PIPIT_NO_OFFSET,
                          "the header is not complete");
    if (!pipit_model_is_loaded(model))
        return pipit_fail(error, PIPIT_E_STATE, PIPIT_NO_OFFSET,
                          "the model's weights are not complete");
    a = pipit_allocator_or_platform(a);
    reading r = {.file = file, .model = model, .error = error};
    size_t n = model->h.n_layers;
    size_t bytes = n * (N_PAIRS * sizeof(pair) +
                        PIPIT_N_TARGETS * sizeof(uint32_t));
    uint8_t *block = pipit_take(a, bytes);
    if (!block)
        return pipit_fail(error, PIPIT_E_MEMORY, PIPIT_NO_OFFSET,
                          "no memory for the adapter's directory");
    memset(block, 0, bytes);
    r.pairs = (pair *)(void *)block;
    r.ranks = (uint32_t *)(void *)(block + n * N_PAIRS * sizeof(pair));
    pipit_status s = pipit_gguf_whole(file, error);
    if (s == PIPIT_OK) s = check_keys(&r, flags);
    if (s == PIPIT_OK) s = check_tensors(&r);
    if (s == PIPIT_OK) s = make(&r, a, out);
    pipit_give(a, block, bytes);
    return s;
}

/* The parts of fused matrices take the A that came for the first of them. */
static void share_rows(pipit_adapter *adapter, const pipit_slot *slot) {
    for (uint32_t l = 0; l < adapter->model->h.n_layers; l++) {
        pipit_lora *x = adapter->layers[l];
        for (uint32_t t = 0; t < PIPIT_N_TARGETS; t++) {
            uint64_t n_out = x[t].n_out;
            if (x[t].rank == 0 || slot->vector != x[t].b) continue;
            for (uint32_t o = t + 1; n_out < slot->tensor->dims[1]; o++) {
                memcpy(x[o].a, x[t].a,
                       (size_t)x[t].rank * x[t].n_in * sizeof(float));
                n_out += x[o].n_out;
            }
            return;
        }
    }
}

static void close_loader(pipit_adapter *adapter) {
    pipit_loader *loader = adapter->loader;
    adapter->loader = NULL;
    if (loader)
        pipit_give(adapter->allocator, loader, loader->block_bytes);
}

pipit_status pipit_adapter_feed(pipit_adapter *adapter, const uint8_t *bytes,
                                size_t n, pipit_error *error) {
    if (!adapter || (!bytes && n > 0) || adapter->failed)
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "no adapter, or one that failed, or no bytes");
    if (!adapter->loader) return PIPIT_OK;
    pipit_loader_feed(adapter->loader, bytes, n);
    if (!pipit_loader_is_done(adapter->loader)) return PIPIT_PENDING;
    for (size_t i = 0; i < adapter->loader->n_slots; i++)
        share_rows(adapter, &adapter->loader->slots[i]);
    close_loader(adapter);
    pipit_status s = pipit_adapter_check(adapter, error);
    adapter->failed = s != PIPIT_OK;
    if (s == PIPIT_OK) pipit_adapter_freeze(adapter);
    return s;
}

pipit_status pipit_adapter_end(pipit_adapter *adapter, pipit_error *error) {
    if (!adapter || adapter->failed) return PIPIT_E_ARGUMENT;
    pipit_loader *l = adapter->loader;
    if (!l) return PIPIT_OK;
    return pipit_fail(error, PIPIT_E_TRUNCATED, l->position,
                      "the file ends at byte %u, within or before tensor %S",
                      l->position, &l->slots[l->current].tensor->name);
}

uint64_t pipit_adapter_bytes(const pipit_adapter *adapter) {
    if (!adapter) return 0;
    return adapter->block_bytes +
           (adapter->loader ? adapter->loader->block_bytes : 0);
}
