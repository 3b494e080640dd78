/* bind.c — the table of tensors, and binding by it. */
#include "bind.h"

#include <stddef.h>

#define NAME_BYTES 64u

typedef enum shape {
    VOCAB, EMBD, HEADS, KV_HEADS, QKV, Q_NORM, K_NORM, FFN, GATE_UP, HALF_ROT,
    TAPS, THREE_EMBD, EXPERTS, ONE
} shape;

typedef enum need {
    ALWAYS,
    OPTIONAL,
    FUSED_QKV, /* families that have it; others may */
    SPLIT_QKV, /* where attn_qkv is not */
    FUSED_FFN, /* ffn_up holds the gate too */
    SPLIT_FFN,
    DENSE,
    EXPERT,
    ATTENTION,
    CONVOLUTION,
    QK_NORM,
    PRE_NORMS,
    POST_NORMS,
    SUB_NORMS,
    SPLIT_SCALE, /* of ffn_up, where it is by itself */
    FUSED_SCALE,
    LONGROPE
} need;

typedef struct spec {
    const char *name; /* after "blk.N." for layers */
    size_t field;
    shape cols, rows; /* rows ONE: a vector; TAPS as columns: kept as f32 */
    need need;
} spec;

#define IN_MODEL(field) offsetof(struct pipit_model, field)
#define IN_LAYER(field) offsetof(struct pipit_layer, field)

static const spec model_specs[] = {
    {"token_embd.weight", IN_MODEL(token_embd), EMBD, VOCAB, ALWAYS},
    {"output.weight", IN_MODEL(output), EMBD, VOCAB, OPTIONAL},
    {"output.scale", IN_MODEL(output.scale), ONE, ONE, OPTIONAL},
    {"output.bias", IN_MODEL(output_bias), VOCAB, ONE, OPTIONAL},
    {"rope_freqs.weight", IN_MODEL(rope_freqs), HALF_ROT, ONE, OPTIONAL},
    {"rope_factors_long.weight", IN_MODEL(rope_factors_long), HALF_ROT, ONE,
     LONGROPE},
    {"rope_factors_short.weight", IN_MODEL(rope_factors_short), HALF_ROT, ONE,
     LONGROPE},
};

static const spec layer_specs[] = {
    {"attn_norm.weight", IN_LAYER(attn_norm), EMBD, ONE, PRE_NORMS},
    {"attn_qkv.weight", IN_LAYER(attn_qkv), EMBD, QKV, FUSED_QKV},
    {"attn_q.weight", IN_LAYER(attn_q), EMBD, HEADS, SPLIT_QKV},
    {"attn_k.weight", IN_LAYER(attn_k), EMBD, KV_HEADS, SPLIT_QKV},
    {"attn_v.weight", IN_LAYER(attn_v), EMBD, KV_HEADS, SPLIT_QKV},
    {"attn_output.weight", IN_LAYER(attn_output), HEADS, EMBD, ATTENTION},
    {"attn_q.bias", IN_LAYER(attn_q_bias), HEADS, ONE, OPTIONAL},
    {"attn_k.bias", IN_LAYER(attn_k_bias), KV_HEADS, ONE, OPTIONAL},
    {"attn_v.bias", IN_LAYER(attn_v_bias), KV_HEADS, ONE, OPTIONAL},
    {"attn_qkv.bias", IN_LAYER(attn_qkv_bias), QKV, ONE, OPTIONAL},
    {"attn_output.bias", IN_LAYER(attn_output_bias), EMBD, ONE, OPTIONAL},
    {"attn_q_norm.weight", IN_LAYER(attn_q_norm), Q_NORM, ONE, QK_NORM},
    {"attn_k_norm.weight", IN_LAYER(attn_k_norm), K_NORM, ONE, QK_NORM},
    {"post_attention_norm.weight", IN_LAYER(attn_post_norm), EMBD, ONE,
     POST_NORMS},
    {"attn_sub_norm.weight", IN_LAYER(attn_sub_norm), HEADS, ONE, SUB_NORMS},
    {"shortconv.in_proj.weight", IN_LAYER(conv_in), EMBD, THREE_EMBD,
     CONVOLUTION},
    {"shortconv.conv.weight", IN_LAYER(conv), TAPS, EMBD, CONVOLUTION},
    {"shortconv.out_proj.weight", IN_LAYER(conv_out), EMBD, EMBD, CONVOLUTION},
    {"ffn_norm.weight", IN_LAYER(ffn_norm), EMBD, ONE, PRE_NORMS},
    {"ffn_gate.weight", IN_LAYER(ffn_gate), EMBD, FFN, SPLIT_FFN},
    {"ffn_up.weight", IN_LAYER(ffn_up), EMBD, FFN, SPLIT_FFN},
    {"ffn_up.weight", IN_LAYER(ffn_gate_up), EMBD, GATE_UP, FUSED_FFN},
    {"ffn_down.weight", IN_LAYER(ffn_down), FFN, EMBD, DENSE},
    {"ffn_gate_inp.weight", IN_LAYER(ffn_router), EMBD, EXPERTS, EXPERT},
    {"ffn_gate_exps.weight", IN_LAYER(ffn_gate), EMBD, FFN, EXPERT},
    {"ffn_up_exps.weight", IN_LAYER(ffn_up), EMBD, FFN, EXPERT},
    {"ffn_down_exps.weight", IN_LAYER(ffn_down), FFN, EMBD, EXPERT},
    {"ffn_sub_norm.weight", IN_LAYER(ffn_sub_norm), FFN, ONE, SUB_NORMS},
    {"ffn_gate.bias", IN_LAYER(ffn_gate_bias), FFN, ONE, OPTIONAL},
    {"ffn_up.bias", IN_LAYER(ffn_up_bias), FFN, ONE, OPTIONAL},
    {"ffn_down.bias", IN_LAYER(ffn_down_bias), EMBD, ONE, OPTIONAL},
    {"post_ffw_norm.weight", IN_LAYER(ffn_post_norm), EMBD, ONE,
     POST_NORMS},
    {"attn_qkv.scale", IN_LAYER(attn_qkv.scale), ONE, ONE, OPTIONAL},
    {"attn_q.scale", IN_LAYER(attn_q.scale), ONE, ONE, OPTIONAL},
    {"attn_k.scale", IN_LAYER(attn_k.scale), ONE, ONE, OPTIONAL},
    {"attn_v.scale", IN_LAYER(attn_v.scale), ONE, ONE, OPTIONAL},
    {"attn_output.scale", IN_LAYER(attn_output.scale), ONE, ONE, OPTIONAL},
    {"ffn_gate.scale", IN_LAYER(ffn_gate.scale), ONE, ONE, OPTIONAL},
    {"ffn_up.scale", IN_LAYER(ffn_up.scale), ONE, ONE, SPLIT_SCALE},
    {"ffn_up.scale", IN_LAYER(ffn_gate_up.scale), ONE, ONE, FUSED_SCALE},
    {"ffn_down.scale", IN_LAYER(ffn_down.scale), ONE, ONE, OPTIONAL},
};

typedef struct binder {
    const pipit_file *file;
    const pipit_hparams *h;
    const pipit_layer_params *layers;
    pipit_arena *arena;
    pipit_slot *slots;
    size_t n_slots, staging_bytes;
    pipit_error *error;
} binder;

static uint64_t extent(const binder *b, shape s, uint32_t layer) {
    const pipit_hparams *h = b->h;
    const pipit_layer_params *p = &b->layers[layer];
    uint64_t q = (uint64_t)h->n_heads * h->head_dim;
    uint64_t kv = (uint64_t)p->n_kv_heads * h->head_dim;
    switch (s) {
        case VOCAB: return h->n_vocab;
        case EMBD: return h->n_embd;
        case HEADS: return q;
        case KV_HEADS: return kv;
        case QKV: return q + 2 * kv;
        case Q_NORM: return h->arch->qk_norm_wide ? q : h->head_dim;
        case K_NORM: return h->arch->qk_norm_wide ? kv : h->head_dim;
        case FFN: return p->n_ff;
        case GATE_UP: return 2 * (uint64_t)p->n_ff;
        case HALF_ROT: return h->n_rot / 2;
        case TAPS: return h->n_taps;
        case THREE_EMBD: return 3 * (uint64_t)h->n_embd;
        case EXPERTS: return h->n_experts;
        case ONE: break;
    }
    return 1;
}

/* "blk.<layer>.<name>", or the bare name when it belongs to no layer. */
static size_t full_name(const char *name, const uint32_t *layer,
                        char out[NAME_BYTES]) {
    size_t n = 0, name_bytes = strlen(name);
    if (layer) {
        char digits[10];
        size_t n_digits = 0;
        uint32_t v = *layer;
        memcpy(out, "blk.", 4);
        n = 4;
        do digits[n_digits++] = (char)('0' + v % 10);
        while ((v /= 10) > 0);
        while (n_digits > 0) out[n++] = digits[--n_digits];
        out[n++] = '.';
    }
    PIPIT_ASSERT(n + name_bytes < NAME_BYTES);
    memcpy(out + n, name, name_bytes + 1);
    return n + name_bytes;
}

static const pipit_tensor *find(const binder *b, const char *name,
                                const uint32_t *layer) {
    char full[NAME_BYTES];
    size_t n = full_name(name, layer, full);
    uint64_t i = pipit_gguf_tensor_index(b->file, full, n);
    return i == UINT64_MAX ? NULL : pipit_gguf_tensor(b->file, i);
}

typedef enum claim { SKIP, MAY, MUST } claim;

/* Whether the model takes a tensor. */
static claim claim_of(const binder *b, need n, const uint32_t *layer) {
    const pipit_arch *arch = b->h->arch;
    bool conv = layer && b->layers[*layer].is_convolution;
    switch (n) {
        case ALWAYS: return MUST;
        case OPTIONAL: return MAY;
        case FUSED_QKV: return conv ? SKIP : arch->fused ? MUST : MAY;
        case SPLIT_QKV:
            return conv || arch->fused || find(b, "attn_qkv.weight", layer)
                       ? SKIP
                       : MUST;
        case FUSED_FFN: return arch->fused ? MUST : SKIP;
        case SPLIT_FFN: return arch->fused || arch->experts ? SKIP : MUST;
        case DENSE: return arch->experts ? SKIP : MUST;
        case EXPERT: return arch->experts ? MUST : SKIP;
        case ATTENTION: return conv ? SKIP : MUST;
        case CONVOLUTION: return conv ? MUST : SKIP;
        case QK_NORM: return arch->qk_norm && !conv ? MUST : SKIP;
        case PRE_NORMS: return arch->no_pre_norms ? SKIP : MUST;
        case POST_NORMS: return arch->post_norms ? MUST : SKIP;
        case SUB_NORMS: return arch->sub_norms ? MUST : SKIP;
        case SPLIT_SCALE: return arch->fused ? SKIP : MAY;
        case FUSED_SCALE: return arch->fused ? MAY : SKIP;
        case LONGROPE:
            /* Files say it by the type of scaling, by the tensors, or both. */
            return b->h->rope.scaling == PIPIT_ROPE_LONG ||
                           find(b, "rope_factors_long.weight", NULL) ||
                           find(b, "rope_factors_short.weight", NULL)
                       ? MUST
                       : SKIP;
    }
    return MUST;
}

static bool is_vector(const spec *s) {
    return s->rows == ONE || s->cols == TAPS;
}

static pipit_status check_shape(binder *b, const spec *s,
                                const pipit_tensor *t, uint32_t layer) {
    uint64_t cols = extent(b, s->cols, layer), rows = extent(b, s->rows, layer);
    /* The router has a row for each expert, the others a matrix. */
    uint64_t depth =
        s->need == EXPERT && s->rows != EXPERTS ? b->h->n_experts : 1;
    if (t->dims[0] != cols || t->dims[1] != rows || t->dims[2] != depth ||
        t->dims[3] != 1)
        return pipit_fail(b->error, PIPIT_E_MODEL, t->offset,
                          "tensor %S is %u x %u x %u, expected %u x %u x %u",
                          &t->name, t->dims[0], t->dims[1],
                          t->dims[2] * t->dims[3], cols, rows, depth);
    bool known = is_vector(s) ? pipit_type(t->type)->dequantize != NULL
                                : pipit_layout_supports(t->type);
    if (!known)
        return pipit_fail(b->error, PIPIT_E_UNSUPPORTED, t->offset,
                          "tensor %S is of type %s, which is not supported: "
                          "take a Q4_K_M, Q4_1 or Q8_0 file of this model",
                          &t->name, pipit_type(t->type)->name);
    return PIPIT_OK;
}

static pipit_status too_large(binder *b, const pipit_tensor *t) {
    return pipit_fail(b->error, PIPIT_E_TOO_LARGE, t->offset,
                      "tensor %S does not fit this address space", &t->name);
}

static pipit_status place_matrix(binder *b, const pipit_tensor *t,
                                 pipit_matrix *field) {
    uint64_t n_rows = t->dims[1] * t->dims[2]; /* as checked: below 2^63 */
    uint64_t n_groups = (n_rows + PIPIT_GROUP_ROWS - 1) / PIPIT_GROUP_ROWS;
    size_t group_bytes;
    if (t->dims[0] > UINT32_MAX || n_rows > UINT32_MAX ||
        !pipit_layout_group_bytes(t->type, (uint32_t)t->dims[0], &group_bytes))
        return too_large(b, t);
    uint8_t *groups = pipit_arena_take(b->arena, (size_t)n_groups, group_bytes);
    size_t piece = (size_t)(t->n_bytes / n_rows) * PIPIT_GROUP_ROWS;
    if (piece > b->staging_bytes) b->staging_bytes = piece;
    if (field)
        *field = (pipit_matrix){.type = t->type,
                                .n_rows = (uint32_t)n_rows,
                                .n_cols = (uint32_t)t->dims[0],
                                .group_bytes = group_bytes,
                                .groups = groups};
    return PIPIT_OK;
}

static pipit_status place_vector(binder *b, const pipit_tensor *t,
                                 float **out) {
    if (t->dims[0] > UINT32_MAX || t->dims[1] > UINT32_MAX)
        return too_large(b, t);
    *out = pipit_arena_take(b->arena, (size_t)t->dims[0],
                            (size_t)t->dims[1] * sizeof(float));
    if (t->n_bytes > b->staging_bytes) b->staging_bytes = (size_t)t->n_bytes;
    return PIPIT_OK;
}

/* base: the struct that holds the field, NULL while measuring. */
static pipit_status bind_one(binder *b, const spec *s, const uint32_t *layer,
                             uint8_t *base) {
    const pipit_tensor *t = find(b, s->name, layer);
    claim taken = claim_of(b, s->need, layer);
    pipit_slot slot = {.tensor = t};
    pipit_status status;
    if (taken == SKIP || (taken == MAY && !t)) return PIPIT_OK;
    if (!t) {
        char full[NAME_BYTES];
        full_name(s->name, layer, full);
        return pipit_fail(b->error, PIPIT_E_MODEL, PIPIT_NO_OFFSET,
                          "missing tensor %s", full);
    }
    if ((status = check_shape(b, s, t, layer ? *layer : 0))) return status;
    if (is_vector(s)) {
        if ((status = place_vector(b, t, &slot.vector))) return status;
        if (base) memcpy(base + s->field, &slot.vector, sizeof slot.vector);
    } else {
        slot.matrix = base ? (pipit_matrix *)(void *)(base + s->field) : NULL;
        if ((status = place_matrix(b, t, slot.matrix))) return status;
    }
    if (b->slots) b->slots[b->n_slots] = slot;
    b->n_slots++;
    return PIPIT_OK;
}

static pipit_matrix rows_of(const pipit_matrix *w, uint32_t row, uint32_t n) {
    pipit_matrix part = *w;
    part.n_rows = n;
    part.groups += (size_t)(row / PIPIT_GROUP_ROWS) * w->group_bytes;
    return part;
}

/* Fused tensors become views of their parts: head_dim is a multiple of four, so
 * only an odd n_ff has no view. */
static void split_fused(const pipit_hparams *h, pipit_layer *l) {
    uint32_t q = h->n_heads * h->head_dim;
    uint32_t kv = l->params.n_kv_heads * h->head_dim;
    if (l->attn_qkv.groups) {
        l->attn_q = rows_of(&l->attn_qkv, 0, q);
        l->attn_k = rows_of(&l->attn_qkv, q, kv);
        l->attn_v = rows_of(&l->attn_qkv, q + kv, kv);
    }
    if (l->attn_qkv_bias) {
        l->attn_q_bias = l->attn_qkv_bias;
        l->attn_k_bias = l->attn_qkv_bias + q;
        l->attn_v_bias = l->attn_qkv_bias + q + kv;
    }
    if (l->ffn_gate_up.groups) {
        l->ffn_gate = rows_of(&l->ffn_gate_up, 0, l->params.n_ff);
        l->ffn_up = rows_of(&l->ffn_gate_up, l->params.n_ff, l->params.n_ff);
    }
}

static pipit_status bind_layer(binder *b, uint32_t l, pipit_layer *layer) {
    if (b->h->arch->fused && b->layers[l].n_ff % PIPIT_GROUP_ROWS != 0)
        return pipit_fail(b->error, PIPIT_E_UNSUPPORTED, PIPIT_NO_OFFSET,
                          "a feed-forward length of %u is no multiple of 4",
                          (uint64_t)b->layers[l].n_ff);
    for (size_t i = 0; i < sizeof layer_specs / sizeof layer_specs[0]; i++) {
        pipit_status s = bind_one(b, &layer_specs[i], &l, (uint8_t *)layer);
        if (s != PIPIT_OK) return s;
    }
    return PIPIT_OK;
}

/* The layer that "blk.N.<rest>" belongs to; *rest is the length of the prefix.
 * False: of no layer. */
static bool layer_of(const pipit_string *name, uint64_t *layer, size_t *rest) {
    size_t at = 4;
    if (name->n_bytes < 4 || memcmp(name->bytes, "blk.", 4) != 0) return false;
    *layer = 0;
    for (; at < name->n_bytes && at < 16; at++) {
        uint8_t c = (uint8_t)name->bytes[at];
        if (c < '0' || c > '9') break;
        *layer = *layer * 10 + (uint64_t)(c - '0');
    }
    *rest = at + 1;
    return at > 4 && at < name->n_bytes && name->bytes[at] == '.';
}

/* Scales of quantized activations: ours are quantized in another way. */
static bool is_input_scale(const pipit_string *name) {
    size_t n = sizeof ".input_scale" - 1;
    return name->n_bytes > n &&
           memcmp(name->bytes + name->n_bytes - n, ".input_scale", n) == 0;
}

static bool is_taken(const binder *b, const pipit_tensor *t) {
    uint64_t l;
    size_t at;
    if (!layer_of(&t->name, &l, &at) || is_input_scale(&t->name)) return true;
    if (l >= b->h->n_layers) return false;
    uint32_t layer = (uint32_t)l;
    size_t n = t->name.n_bytes - at;
    for (size_t i = 0; i < sizeof layer_specs / sizeof layer_specs[0]; i++) {
        const spec *s = &layer_specs[i];
        if (strlen(s->name) == n &&
            memcmp(s->name, t->name.bytes + at, n) == 0 &&
            claim_of(b, s->need, &layer) != SKIP)
            return true;
    }
    return false;
}

/* A tensor of a layer that nothing reads: the model would answer, and wrongly.
 * Tensors of no layer (of projectors, classifiers) may lie beside the model. */
static pipit_status refuse_untaken(binder *b) {
    uint64_t n = pipit_file_n_tensors(b->file);
    for (uint64_t i = 0; i < n; i++) {
        const pipit_tensor *t = pipit_gguf_tensor(b->file, i);
        if (!is_taken(b, t))
            return pipit_fail(b->error, PIPIT_E_UNSUPPORTED, t->offset,
                              "tensor %S has no place in architecture %s",
                              &t->name, b->h->arch->name);
    }
    return PIPIT_OK;
}

pipit_status pipit_bind(const pipit_file *file, const pipit_hparams *h,
                        const pipit_layer_params *layers, pipit_arena *arena,
                        pipit_model *model, pipit_slot *slots, size_t *n_slots,
                        size_t *staging_bytes, pipit_error *error) {
    binder b = {.file = file, .h = h, .layers = layers, .arena = arena,
                .slots = slots, .error = error};
    spec norm = {NULL, IN_MODEL(output_norm), EMBD, ONE, ALWAYS};
    char norm_name[NAME_BYTES];
    pipit_status s;
    size_t n = full_name(h->arch->output_norm, NULL, norm_name);
    memcpy(norm_name + n, ".weight", sizeof ".weight");
    norm.name = norm_name;
    if ((s = bind_one(&b, &norm, NULL, (uint8_t *)model))) return s;
    for (size_t i = 0; i < sizeof model_specs / sizeof model_specs[0]; i++)
        if ((s = bind_one(&b, &model_specs[i], NULL, (uint8_t *)model)))
            return s;
    for (uint32_t l = 0; l < h->n_layers; l++) {
        pipit_layer *layer = model ? &model->layers[l] : NULL;
        if ((s = bind_layer(&b, l, layer))) return s;
        if (layer) split_fused(h, layer);
    }
    if (!model && (s = refuse_untaken(&b))) return s;
    if (model && !model->output.groups) model->output = model->token_embd;
    *n_slots = b.n_slots;
    *staging_bytes = b.staging_bytes;
    return PIPIT_OK;
}
