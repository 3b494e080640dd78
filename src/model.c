/* model.c — from a header to a model: measure, take one block, bind, load. */
#include "model.h"

#include "engine.h"
#include "loader.h"

/* The struct, its layers, then whatever the binder takes. */
static pipit_model *carve_structs(pipit_arena *arena, uint32_t n_layers,
                                  pipit_layer **layers) {
    pipit_model *model = pipit_arena_take(arena, 1, sizeof *model);
    *layers = pipit_arena_take(arena, n_layers, sizeof **layers);
    return model;
}

/* What measuring finds out, for opening. */
typedef struct plan {
    pipit_hparams h;
    pipit_layer_params layers[PIPIT_MAX_LAYERS];
    uint64_t block_bytes;
    size_t n_slots, staging_bytes;
} plan;

static pipit_status make_plan(const pipit_file *file, plan *p,
                              pipit_error *error) {
    pipit_arena arena = {0};
    pipit_layer *layers;
    pipit_status s = pipit_gguf_whole(file, error);
    if (s == PIPIT_OK) s = pipit_arch_read(file, &p->h, p->layers, error);
    if (s != PIPIT_OK) return s;
    carve_structs(&arena, p->h.n_layers, &layers);
    s = pipit_bind(file, &p->h, p->layers, &arena, NULL, NULL, &p->n_slots,
                   &p->staging_bytes, error);
    p->block_bytes = arena.wanted;
    return s;
}

pipit_status pipit_model_measure(const pipit_file *file, pipit_hparams *h,
                                 pipit_layer_params *layers,
                                 uint64_t *weights_bytes,
                                 uint64_t *loader_bytes, pipit_error *error) {
    plan p;
    pipit_status s = make_plan(file, &p, error);
    if (s != PIPIT_OK) return s;
    *h = p.h;
    memcpy(layers, p.layers, sizeof p.layers);
    *weights_bytes = p.block_bytes;
    *loader_bytes = pipit_loader_measure(p.n_slots, p.staging_bytes);
    return PIPIT_OK;
}

static uint64_t count_parameters(const pipit_file *file) {
    uint64_t n = 0;
    for (uint64_t i = 0; i < pipit_file_n_tensors(file); i++) {
        const pipit_tensor *t = pipit_gguf_tensor(file, i);
        n += t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3];
    }
    return n;
}

static pipit_status fill_model(const pipit_file *file, const plan *p,
                               void *block, pipit_loader *loader,
                               pipit_model **out) {
    pipit_arena arena = {.base = block, .capacity = (size_t)p->block_bytes};
    pipit_layer *layers;
    pipit_model *model = carve_structs(&arena, p->h.n_layers, &layers);
    size_t n_slots, staging_bytes;
    memset(model, 0, sizeof *model);
    memset(layers, 0, p->h.n_layers * sizeof *layers);
    model->h = p->h;
    model->layers = layers;
    for (uint32_t l = 0; l < p->h.n_layers; l++)
        layers[l].params = p->layers[l];
    pipit_status s = pipit_bind(file, &p->h, p->layers, &arena, model,
                                loader->slots, &n_slots, &staging_bytes, NULL);
    PIPIT_ASSERT(s == PIPIT_OK && n_slots == p->n_slots); /* as measured */
    *out = model;
    return PIPIT_OK;
}

static pipit_status no_memory(pipit_error *error, uint64_t bytes) {
    return pipit_fail(error, PIPIT_E_MEMORY, PIPIT_NO_OFFSET,
                      "the model needs %u bytes of memory and can't get them",
                      bytes);
}

pipit_status pipit_model_open(const pipit_file *file, pipit_engine *engine,
                              const pipit_allocator *a, pipit_model **out,
                              pipit_error *error) {
    plan p;
    pipit_model *model;
    if (!file || !engine || !out) return PIPIT_E_ARGUMENT;
    if (pipit_file_header_bytes(file) == 0)
        return pipit_fail(error, PIPIT_E_STATE, PIPIT_NO_OFFSET,
                          "the header is not complete");
    pipit_status s = make_plan(file, &p, error);
    if (s != PIPIT_OK) return s;
    if (p.block_bytes > SIZE_MAX)
        return pipit_fail(error, PIPIT_E_TOO_LARGE, PIPIT_NO_OFFSET,
                          "the model needs %u bytes, more than this address "
                          "space has",
                          p.block_bytes);
    a = pipit_allocator_or_platform(a);
    size_t block_bytes = (size_t)p.block_bytes;
    size_t loader_bytes = pipit_loader_measure(p.n_slots, p.staging_bytes);
    void *block = pipit_take(a, block_bytes);
    if (!block) return no_memory(error, block_bytes);
    void *loader_block = pipit_take(a, loader_bytes);
    if (!loader_block) {
        pipit_give(a, block, block_bytes);
        return no_memory(error, loader_bytes);
    }
    pipit_loader *loader =
        pipit_loader_init(loader_block, p.n_slots, p.staging_bytes,
                          engine->pool, file);
    s = fill_model(file, &p, block, loader, &model);
    pipit_loader_start(loader);
    model->engine = engine;
    model->allocator = a;
    model->block_bytes = block_bytes;
    model->n_parameters = count_parameters(file);
    model->loader = loader;
    *out = model;
    return s;
}

static void close_loader(pipit_model *model) {
    pipit_loader *loader = model->loader;
    if (!loader) return;
    model->loader = NULL;
    pipit_give(model->allocator, loader, loader->block_bytes);
}

void pipit_model_close(pipit_model *model) {
    if (!model) return;
    close_loader(model);
    pipit_give(model->allocator, model, model->block_bytes);
}

pipit_status pipit_model_feed(pipit_model *model, const uint8_t *bytes,
                              size_t n, pipit_error *error) {
    if (!model || (!bytes && n > 0))
        return pipit_fail(error, PIPIT_E_ARGUMENT, PIPIT_NO_OFFSET,
                          "no model or no bytes");
    if (!model->loader) return PIPIT_OK;
    pipit_loader_feed(model->loader, bytes, n);
    if (!pipit_loader_is_done(model->loader)) return PIPIT_PENDING;
    close_loader(model);
    return PIPIT_OK;
}

pipit_status pipit_model_end(pipit_model *model, pipit_error *error) {
    if (!model) return PIPIT_E_ARGUMENT;
    if (!model->loader) return PIPIT_OK;
    pipit_loader *l = model->loader;
    const pipit_tensor *t = l->slots[l->current].tensor;
    if (pipit_loader_next_part(l)) return PIPIT_PENDING;
    return pipit_fail(error, PIPIT_E_TRUNCATED, l->position,
                      "the file ends at byte %u, within or before tensor %S",
                      l->position, &t->name);
}

uint32_t pipit_model_n_vocab(const pipit_model *model) {
    return model ? model->h.n_vocab : 0;
}

uint32_t pipit_model_context_length(const pipit_model *model) {
    return model ? model->h.n_context : 0;
}

uint64_t pipit_model_n_parameters(const pipit_model *model) {
    return model ? model->n_parameters : 0;
}

uint64_t pipit_model_bytes(const pipit_model *model) {
    if (!model) return 0;
    return model->block_bytes + (model->loader ? model->loader->block_bytes : 0);
}
