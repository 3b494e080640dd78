/* adapter.c — the object: measured, carved, packed. Reading one is
 * adapter_file.c, writing adapter_write.c. */
#include "adapter.h"

#include "loader.h"

#include <stddef.h>

static const struct {
    const char *name;
    size_t matrix; /* in pipit_layer */
    pipit_input input;
} targets[PIPIT_N_TARGETS] = {
    {"attn_q", offsetof(pipit_layer, attn_q), PIPIT_INPUT_ATTN},
    {"attn_k", offsetof(pipit_layer, attn_k), PIPIT_INPUT_ATTN},
    {"attn_v", offsetof(pipit_layer, attn_v), PIPIT_INPUT_ATTN},
    {"attn_output", offsetof(pipit_layer, attn_output), PIPIT_INPUT_HEADS},
    {"ffn_gate", offsetof(pipit_layer, ffn_gate), PIPIT_INPUT_FFN},
    {"ffn_up", offsetof(pipit_layer, ffn_up), PIPIT_INPUT_FFN},
    {"ffn_down", offsetof(pipit_layer, ffn_down), PIPIT_INPUT_DOWN},
};

pipit_input pipit_input_of(pipit_target target) {
    return targets[target].input;
}

const char *pipit_target_name(pipit_target target) {
    return targets[target].name;
}

const pipit_matrix *pipit_target_matrix(const pipit_model *model,
                                        uint32_t layer, pipit_target target) {
    const uint8_t *at = (const uint8_t *)&model->layers[layer];
    const pipit_matrix *w = (const void *)(at + targets[target].matrix);
    if (!w->groups) return NULL;
    return model->h.n_experts > 0 && target >= PIPIT_TARGET_GATE ? NULL : w;
}

static uint32_t round4(uint32_t n) {
    return (n + 3) & ~3u;
}

/* n floats; arena says what did not fit. */
static float *take_floats(pipit_arena *arena, size_t rows, size_t cols) {
    size_t bytes;
    if (!pipit_mul_size(cols, sizeof(float), &bytes)) bytes = SIZE_MAX;
    return pipit_arena_take(arena, rows, bytes);
}

/* The rows of one layer, targets [t, end), whose b follow one another. */
static void carve_rows(const pipit_model *model, uint32_t layer,
                       const uint32_t *ranks, uint32_t t, uint32_t end,
                       pipit_arena *arena, pipit_lora *loras) {
    pipit_lora l[PIPIT_N_TARGETS] = {{0}};
    size_t at = 0, n = 0;
    for (uint32_t i = t; i < end; i++) {
        if (ranks[i] == 0) continue;
        const pipit_matrix *w = pipit_target_matrix(model, layer, i);
        l[i] = (pipit_lora){.rank = ranks[i], .n_in = w->n_cols,
                            .n_out = w->n_rows};
        l[i].a = take_floats(arena, ranks[i], w->n_cols);
        n += (size_t)w->n_rows * ranks[i];
    }
    float *b = take_floats(arena, n, 1);
    for (uint32_t i = t; i < end; i++) {
        if (b && ranks[i] > 0) l[i].b = b + at;
        at += (size_t)l[i].n_out * l[i].rank;
        if (loras) loras[i] = l[i];
    }
}

static pipit_matrix carve_matrix(uint32_t n_rows, uint32_t n_cols,
                                 pipit_arena *arena) {
    pipit_matrix w = {.type = PIPIT_TYPE_F32, .n_rows = n_rows,
                      .n_cols = n_cols, .group_bytes = 16 * (size_t)n_cols};
    w.groups =
        pipit_arena_take(arena, pipit_matrix_n_groups(&w), w.group_bytes);
    return w;
}

static void carve_packed(const pipit_model *model, uint32_t layer,
                         const uint32_t *ranks, pipit_arena *arena,
                         pipit_packed_lora *packed) {
    pipit_packed_lora p = {0};
    uint32_t rows[PIPIT_N_INPUTS] = {0}, cols[PIPIT_N_INPUTS] = {0};
    for (uint32_t t = 0; t < PIPIT_N_TARGETS; t++) {
        if (ranks[t] == 0) continue;
        const pipit_matrix *w = pipit_target_matrix(model, layer, t);
        rows[targets[t].input] += round4(ranks[t]);
        cols[targets[t].input] = w->n_cols;
        p.b[t] = carve_matrix(w->n_rows, ranks[t], arena);
    }
    for (uint32_t i = 0; i < PIPIT_N_INPUTS; i++)
        if (rows[i] > 0) p.a[i] = carve_matrix(rows[i], cols[i], arena);
    if (packed) *packed = p;
}

static pipit_adapter carve(const pipit_model *model, const uint32_t *ranks,
                           pipit_arena *arena, pipit_adapter **out) {
    pipit_adapter a = {.model = model};
    uint32_t n = model->h.n_layers;
    *out = pipit_arena_take(arena, 1, sizeof **out);
    a.layers = pipit_arena_take(arena, n, sizeof *a.layers);
    a.packed = pipit_arena_take(arena, n, sizeof *a.packed);
    for (uint32_t l = 0; l < n; l++, ranks += PIPIT_N_TARGETS) {
        pipit_lora *loras = a.layers ? a.layers[l] : NULL;
        carve_rows(model, l, ranks, 0, PIPIT_TARGET_OUTPUT, arena, loras);
        carve_rows(model, l, ranks, PIPIT_TARGET_OUTPUT, PIPIT_TARGET_GATE,
                   arena, loras);
        carve_rows(model, l, ranks, PIPIT_TARGET_GATE, PIPIT_TARGET_DOWN,
                   arena, loras);
        carve_rows(model, l, ranks, PIPIT_TARGET_DOWN, PIPIT_N_TARGETS, arena,
                   loras);
        carve_packed(model, l, ranks, arena, a.packed ? a.packed + l : NULL);
    }
    return a;
}

pipit_status pipit_adapter_make(const pipit_model *model, float alpha,
                                const uint32_t *ranks,
                                const pipit_allocator *a, pipit_adapter **out,
                                pipit_error *error) {
    pipit_arena arena = {0};
    pipit_adapter *adapter;
    carve(model, ranks, &arena, &adapter);
    size_t bytes = arena.used;
    a = pipit_allocator_or_platform(a);
    void *block = arena.overflow ? NULL : pipit_take(a, bytes);
    if (!block)
        return pipit_fail(error, PIPIT_E_MEMORY, PIPIT_NO_OFFSET,
                          "the adapter needs %u bytes of memory and can't get "
                          "them",
                          arena.wanted);
    memset(block, 0, bytes);
    arena = (pipit_arena){.base = block, .capacity = bytes};
    pipit_adapter made = carve(model, ranks, &arena, &adapter);
    *adapter = made;
    adapter->alpha = alpha;
    adapter->allocator = a;
    adapter->block_bytes = bytes;
    *out = adapter;
    return PIPIT_OK;
}

/* Rows of a row-major matrix into the groups from row `first` on, a multiple of
 * four. */
static void pack_rows(const pipit_matrix *w, uint32_t first, const float *rows,
                      uint32_t n_rows) {
    for (uint32_t r = 0; r < n_rows; r += PIPIT_GROUP_ROWS) {
        /* The one place where they are written. */
        uint8_t *group =
            (uint8_t *)(uintptr_t)w->groups +
            (size_t)((first + r) / PIPIT_GROUP_ROWS) * w->group_bytes;
        pipit_layout_pack(w->type, w->n_cols,
                          (const uint8_t *)(rows + (size_t)r * w->n_cols),
                          pipit_min_u32(n_rows - r, PIPIT_GROUP_ROWS), group);
    }
}

/* A target before t whose A is the same, as in a file for fused matrices; t when
 * there is none. */
static uint32_t same_rows(const pipit_lora *loras, uint32_t t) {
    for (uint32_t o = 0; o < t; o++)
        if (targets[o].input == targets[t].input &&
            loras[o].rank == loras[t].rank &&
            memcmp(loras[o].a, loras[t].a,
                   (size_t)loras[t].rank * loras[t].n_in * sizeof(float)) == 0)
            return o;
    return t;
}

void pipit_adapter_freeze(pipit_adapter *adapter) {
    for (uint32_t l = 0; l < adapter->model->h.n_layers; l++) {
        pipit_packed_lora *p = &adapter->packed[l];
        const pipit_lora *loras = adapter->layers[l];
        uint32_t rows[PIPIT_N_INPUTS] = {0};
        for (uint32_t t = 0; t < PIPIT_N_TARGETS; t++) {
            pipit_input input = targets[t].input;
            uint32_t rank = loras[t].rank, same;
            if (rank == 0) continue;
            pack_rows(&p->b[t], 0, loras[t].b, loras[t].n_out);
            same = same_rows(loras, t);
            p->first[t] = same < t ? p->first[same] : rows[input];
            if (same < t) continue;
            pack_rows(&p->a[input], rows[input], loras[t].a, rank);
            rows[input] += round4(rank);
        }
        for (uint32_t i = 0; i < PIPIT_N_INPUTS; i++) p->a[i].n_rows = rows[i];
    }
    adapter->frozen = true;
}

void pipit_adapter_free(pipit_adapter *adapter) {
    if (!adapter) return;
    if (adapter->loader)
        pipit_give(adapter->allocator, adapter->loader,
                   adapter->loader->block_bytes);
    pipit_give(adapter->allocator, adapter, adapter->block_bytes);
}

static bool all_finite(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        if ((bits & 0x7f800000u) == 0x7f800000u) return false;
    }
    return true;
}

pipit_status pipit_adapter_check(const pipit_adapter *adapter,
                                 pipit_error *error) {
    for (uint32_t l = 0; l < adapter->model->h.n_layers; l++)
        for (uint32_t t = 0; t < PIPIT_N_TARGETS; t++) {
            const pipit_lora *x = &adapter->layers[l][t];
            bool a = all_finite(x->a, (size_t)x->rank * x->n_in);
            if (a && all_finite(x->b, (size_t)x->n_out * x->rank)) continue;
            return pipit_fail(error, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                              "tensor blk.%u.%s.weight.lora_%s holds a value "
                              "that is not finite",
                              (uint64_t)l, targets[t].name, a ? "b" : "a");
        }
    return PIPIT_OK;
}
